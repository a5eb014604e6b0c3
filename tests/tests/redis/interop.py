"""The part that Python plays: a region on Redis, which does what it is told, line by line."""

import json
import sys

from dogpile.cache import make_region
from redis.cluster import ClusterNode

from dogpile_shared import SharedInvalidation, from_json_or_pickle, to_json
from part import Part

part = json.loads(sys.argv[1])
arguments = {
    "distributed_lock": True,
    "thread_local_lock": False,
    "lock_timeout": 30,
    **part["arguments"],
}
if "startup_nodes" in arguments:
    nodes = (place.split(":") for place in arguments["startup_nodes"])
    arguments["startup_nodes"] = [ClusterNode(host, int(port)) for host, port in nodes]
interval = {} if part["interval"] is None else {"interval": part["interval"]}
region = make_region("users", serializer=to_json, deserializer=from_json_or_pickle)
region.configure(
    part["backend"],
    expiration_time=60,
    arguments=arguments,
    region_invalidator=SharedInvalidation(region, **interval),
)
# As a program has it that knows nothing of Rust.
defaults = make_region().configure(part["backend"], expiration_time=60, arguments=arguments)


def last():
    """How the region was invalidated last."""
    strategy = region.region_invalidator
    return "hard" if strategy.was_hard_invalidated() else "soft" if strategy.was_soft_invalidated() else "never"


def judge(key):
    """What the strategy says of what lies under the key."""
    at = region.get_value_metadata(key, ignore_expiration=True).cached_time
    strategy = region.region_invalidator
    hard, soft = strategy.is_hard_invalidated(at), strategy.is_soft_invalidated(at)
    assert strategy.is_invalidated(at) == (hard or soft)
    return f"{'hard' if hard else 'soft' if soft else 'fresh'}, last {last()}"


def interval_is(seconds):
    region.region_invalidator.interval = float(seconds)


def endless():
    region.expiration_time = None


def from_master():
    backend = region.actual_backend
    backend.reader_client = backend.writer_client


Part(
    region,
    set_default=lambda key, value: defaults.set(key, int(value)),
    get_default=lambda key: str(defaults.get(key)),
    invalidate=lambda how: region.invalidate(hard=how == "hard"),
    judge=judge,
    last=last,
    interval=interval_is,
    set_python=lambda key, text: region.set(key, eval(text)),
    endless=endless,
    from_master=from_master,
).obey()
