"""The part that Python plays: a region on Redis, which does what it is told, line by line."""

import sys

from dogpile.cache import make_region
from dogpile_shared import SharedInvalidation, from_json_or_pickle, to_json
from part import Part, attempt

arguments = {
    "host": "127.0.0.1",
    "port": int(sys.argv[1]),
    "distributed_lock": True,
    "thread_local_lock": False,
    "lock_timeout": 30,
}
interval = {"interval": float(sys.argv[2])} if sys.argv[2:] else {}
region = make_region("users", serializer=to_json, deserializer=from_json_or_pickle)
region.configure(
    "dogpile.cache.redis",
    expiration_time=60,
    arguments=arguments,
    region_invalidator=SharedInvalidation(region, **interval),
)
# As a program has it that knows nothing of Rust.
defaults = make_region().configure("dogpile.cache.redis", expiration_time=60, arguments=arguments)


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
    return "done"


def endless():
    region.expiration_time = None
    return "done"


Part(
    region,
    set_default=lambda key, value: defaults.set(key, int(value)) or "done",
    get_default=lambda key: attempt(lambda: defaults.get(key)),
    invalidate=lambda how: attempt(lambda: region.invalidate(hard=how == "hard") or "done"),
    judge=judge,
    last=lambda: attempt(last),
    interval=interval_is,
    set_python=lambda key, text: attempt(lambda: region.set(key, eval(text)) or "done"),
    endless=endless,
).obey()
