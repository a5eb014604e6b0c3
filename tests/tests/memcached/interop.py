"""The part that Python plays: a region on memcached, which does what it is told, line by line.

It is told the backend's name and its arguments, in JSON.
"""

import json
import sys

from dogpile.cache import make_region
from dogpile_shared import SharedInvalidation, from_json, to_json
from part import Part

backend, arguments = sys.argv[1], json.loads(sys.argv[2])
# What JSON has no form for.
arguments["url"] = [tuple(server) if isinstance(server, list) else server for server in arguments["url"]]
if "compressed" in arguments:
    from pymemcache.serde import CompressedSerde

    arguments["serde"] = CompressedSerde(min_compress_len=arguments.pop("compressed"))
if "tls" in arguments:
    import ssl

    files = arguments.pop("tls")
    context = ssl.create_default_context(cafile=files["ca"])
    context.load_cert_chain(files["certificate"], files["key"])
    arguments["tls_context"] = context
# dogpile's backend for bmemcached has no such argument.
kept = arguments.pop("memcached_expire_time", None) if backend == "dogpile.cache.bmemcached" else None
region = make_region("users", serializer=to_json, deserializer=from_json)
region.configure(
    backend,
    expiration_time=60,
    arguments={"distributed_lock": True, "lock_timeout": 30, **arguments},
    region_invalidator=SharedInvalidation(region, interval=0.0),
)
if kept is not None:
    region.actual_backend.set_arguments = {"time": kept}


def set_long(key, character, count):
    region.set(key, character * int(count))


def get_long(key):
    found = region.get(key)
    return f"{found[0]} {len(found)}" if found else "none"


def invalidate(how):
    region.invalidate(hard=how == "hard")


Part(region, set_long=set_long, get_long=get_long, invalidate=invalidate).obey()
