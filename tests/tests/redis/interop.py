"""The part that Python plays: a region of dogpile.cache, which does what it is told, line by line."""

import json
import sys
import threading

from dogpile.cache import make_region
from redis.cluster import ClusterNode

from dogpile_shared import SharedInvalidation, from_json_or_pickle, to_json


def say(text):
    print(text, flush=True)


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
go = threading.Event()


def call(threads, key, value):
    """Each thread wants the key. Says how many values they created, and what they got."""
    created, got = [], []

    def create():
        created.append(value)
        return value

    def one():
        got.append(attempt(lambda: region.get_or_create(key, create)))

    calls = [threading.Thread(target=one) for _ in range(threads)]
    for thread in calls:
        thread.start()
    for thread in calls:
        thread.join()
    say(f"created {len(created)} got [{', '.join(sorted(set(got)))}]")


def attempt(call):
    """What comes of it, or the name of what it raises."""
    try:
        return str(call())
    except Exception as error:
        return type(error).__name__


def hold(key, value):
    """Creates until it is told to go on."""

    def create():
        say(f"creating {key}")
        go.wait()
        return value

    say(f"got {attempt(lambda: region.get_or_create(key, create))}")


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


def do(word, *rest):
    if word == "set":
        region.set(rest[0], int(rest[1]))
        say("done")
    elif word == "set_multi":
        region.set_multi({key: int(value) for key, value in zip(rest[::2], rest[1::2])})
        say("done")
    elif word == "get":
        found = region.get_multi(rest)
        say(" ".join(str(value) if value else "none" for value in found))
    elif word == "try_get":
        say(attempt(lambda: region.get_multi(rest)))
    elif word == "set_default":
        defaults.set(rest[0], int(rest[1]))
        say("done")
    elif word == "get_default":
        say(str(defaults.get(rest[0])))
    elif word == "invalidate":
        region.invalidate(hard=rest[0] == "hard")
        say("done")
    elif word == "judge":
        say(judge(rest[0]))
    elif word == "last":
        say(last())
    elif word == "interval":
        region.region_invalidator.interval = float(rest[0])
        say("done")
    elif word == "set_python":
        region.set(rest[0], eval(rest[1]))
        say("done")
    elif word == "endless":
        region.expiration_time = None
        say("done")
    elif word == "delete":
        region.delete(rest[0])
        say("done")
    elif word == "from_master":
        backend = region.actual_backend
        backend.reader_client = backend.writer_client
        say("done")
    elif word == "locked":
        say(str(region.key_is_locked(rest[0])).lower())
    elif word == "call":
        threading.Thread(target=call, args=(int(rest[0]), rest[1], int(rest[2]))).start()
    elif word == "hold":
        go.clear()
        threading.Thread(target=hold, args=(rest[0], int(rest[1]))).start()
    elif word == "go":
        go.set()
    else:
        say(f"no such word: {word}")


say("ready")
for line in sys.stdin:
    try:
        do(*line.split())
    except Exception as error:
        say(type(error).__name__)
