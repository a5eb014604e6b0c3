# SPDX-License-Identifier: MIT
"""Share a region of dogpile.cache with Rust programs that use the crate dogpile. Copy this file into your program.

The page docs/python.md of that project tells how to move a program region by region. In short::

    from dogpile.cache import make_region
    from dogpile_shared import SharedInvalidation, from_json_or_pickle, to_json

    users = make_region(name="users", serializer=to_json, deserializer=from_json_or_pickle)
    users.configure(
        "dogpile.cache.redis",
        expiration_time=300,
        arguments={"distributed_lock": True, "thread_local_lock": False, "lock_timeout": 60},
        region_invalidator=SharedInvalidation(users),
    )

Tested with dogpile.cache 1.5, which wants Python 3.10; nothing here wants more than Python 3.9 and dogpile.cache 1.3.
"""

from __future__ import annotations

import json
import logging
import math
import pickle
import threading
import time
from typing import Any, Dict, Optional

from dogpile.cache.api import NO_VALUE, CantDeserializeException
from dogpile.cache.region import CacheRegion, RegionInvalidationStrategy

__all__ = ["SharedInvalidation", "from_json", "from_json_or_pickle", "to_json"]

log = logging.getLogger("dogpile.cache")


def to_json(value: Any) -> bytes:
    """A region's ``serializer``: JSON, as Rust reads it.

    Raises ``TypeError`` for what JSON has no form for, such as a datetime or a set, and ``ValueError`` for NaN and the
    infinities. A tuple comes back as a list, and keys of a dictionary come back as strings.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8")


def from_json(payload: bytes) -> Any:
    """A region's ``deserializer``, for when no pickles are left. What is no JSON is created anew."""
    try:
        return json.loads(payload)
    except ValueError as error:
        raise CantDeserializeException(f"it is no JSON: {error}") from error


def from_json_or_pickle(payload: bytes) -> Any:
    """A region's ``deserializer`` while there are pickles in the cache: those that dogpile.cache writes by default.

    Whoever can write to the cache can run code in a program that reads pickles. It is no new risk, since dogpile.cache
    does so by default, but one that you can be rid of: take ``from_json`` as soon as the last pickle is gone.

    A pickle that cannot be read, because its class has moved say, is created anew.
    """
    # A pickle of the second protocol or later begins with this byte, with which no text in UTF-8 can begin.
    if not payload.startswith(b"\x80"):
        return from_json(payload)
    try:
        return pickle.loads(payload)
    except Exception as error:  # Unpickling may raise anything.
        raise CantDeserializeException(f"it is a pickle that cannot be read: {error!r}") from error


class SharedInvalidation(RegionInvalidationStrategy):
    """Invalidations that all processes see which use the region, Python's and Rust's, in place of one process's own.

    The times of the last invalidations lie in the region's own backend, in a record ``{key_prefix}_dogpile_inv:{name}``
    that no key mangler and no proxy changes: ``{"hard": seconds, "soft": seconds}``, since 1970. They only grow: of two
    writers the later time holds. A value is outdated if it was created at or before such a time.

    ``name`` is that of the region in Rust; by default that of ``region``. ``key_prefix`` is that of the region in Rust,
    which in Python its ``key_mangler`` puts before each key. The record is read by the first call of the region, and
    then by a call in ``interval`` seconds, which is how late others' invalidations may be seen; an ``interval`` of 0
    reads it each time. An error of the backend goes to that caller.

    In a region without an ``expiration_time`` a soft invalidation counts as a hard one: dogpile.cache serves no old
    values there. Tags are Rust's alone: they stay in the record, and outdate nothing here.
    """

    def __init__(
        self,
        region: CacheRegion,
        name: Optional[str] = None,
        key_prefix: str = "",
        interval: float = 1.0,
    ) -> None:
        name = name or region.name
        if not name:
            raise ValueError("the region has no name: give it that of the region in Rust")
        self.region = region
        self.key = f"{key_prefix}_dogpile_inv:{name}"
        self.interval = interval
        # The last record that was read, for what of it is not ours.
        self._record: Dict[str, Any] = {}
        # What the record ought to say at least, and what that outdates here, in microseconds since 1970.
        self._known = {"hard": 0, "soft": 0}
        self._outdated = {"hard": 0, "soft": 0}
        # Held while these change, but not during calls of the backend.
        self._change = threading.Lock()
        self._was_read = False
        self._due = -math.inf

    def invalidate(self, hard: bool = True) -> None:
        """Outdates what has been created: hard, so that callers wait for new values; else they are served the old ones
        while new ones are created. Others see it within their interval, this process at once.

        If the backend fails, its error is raised, and the calls that follow try to write what others do not know yet.
        """
        how = "hard" if hard else "soft"
        stored = None
        try:
            stored = self._load()
            self._absorb(stored)
        finally:
            with self._change:
                now = _microseconds(time.time(), math.ceil)
                # Others see it by its being later than what they saw, even if that came from a clock ahead of ours.
                at = max(now, self._known[how] + 1)
                self._known[how] = at
                self._outdated[how] = max(self._outdated[how], _sane(at, now))
        self._store(stored)

    def is_hard_invalidated(self, timestamp: float) -> bool:
        """Whether what was created then is as if it were gone."""
        outdated = self._current()
        at = outdated["hard"] if self._may_be_soft() else max(outdated.values())
        return _microseconds(timestamp) <= at

    def is_soft_invalidated(self, timestamp: float) -> bool:
        """Whether what was created then is as if it had just expired."""
        return self._may_be_soft() and _microseconds(timestamp) <= self._current()["soft"]

    def is_invalidated(self, timestamp: float) -> bool:
        """Whether what was created then is outdated, either way."""
        return _microseconds(timestamp) <= max(self._current().values())

    def was_hard_invalidated(self) -> bool:
        """Whether the last invalidation was a hard one."""
        outdated = self._current()
        return max(outdated.values()) > 0 and not self.was_soft_invalidated()

    def was_soft_invalidated(self) -> bool:
        """Whether the last invalidation was a soft one."""
        outdated = self._current()
        return self._may_be_soft() and outdated["soft"] > outdated["hard"]

    def _may_be_soft(self) -> bool:
        return self.region.expiration_time is not None

    def _current(self) -> Dict[str, int]:
        """What is outdated, by a record that is no older than the interval."""
        now = time.monotonic()
        if now >= self._due:
            if self._was_read:
                # The other threads go on with what is known meanwhile; before the first read nothing is.
                self._due = now + self.interval
            try:
                stored = self._load()
                if self._absorb(stored):
                    self._store(stored)
            except BaseException:
                self._due = -math.inf
                raise
            self._was_read = True
            self._due = now + self.interval
        return self._outdated

    def _absorb(self, stored: Optional[Dict[str, Any]]) -> bool:
        """Takes in what the storage says; whether that lacks something."""
        lacks = False
        with self._change:
            now = _microseconds(time.time())
            for how in ("hard", "soft"):
                at = _time_of(stored or {}, how)
                if at > self._known[how]:
                    self._known[how] = at
                    self._outdated[how] = max(self._outdated[how], _sane(at, now))
                lacks = lacks or at < self._known[how]
            if stored is not None:
                self._record = stored
        return lacks

    def _load(self) -> Optional[Dict[str, Any]]:
        """The record; ``None`` if there is none, or it cannot be read."""
        backend = self.region.actual_backend
        # Behind sentinels the backend reads replicas, which may not have the last record yet.
        master = getattr(backend, "writer_client", None)
        found = backend.get_serialized(self.key) if master is None else master.get(self.key)
        if found is None or found is NO_VALUE:
            return None
        try:
            record = json.loads(found)
            if not isinstance(record, dict):
                raise ValueError("it is no object")
            for how in ("hard", "soft"):
                _time_of(record, how)
        except (TypeError, ValueError, OverflowError) as error:
            log.warning("what lies under %r is no record of invalidations: %s", self.key, error)
            return None
        return record

    def _store(self, stored: Optional[Dict[str, Any]]) -> None:
        """Writes what is known. If the storage lost the record, what is not ours comes from the last one."""
        with self._change:
            record = dict(self._record if stored is None else stored)
            record.update((how, at / 1e6) for how, at in self._known.items())
        self.region.actual_backend.set_serialized(self.key, json.dumps(record).encode("ascii"))


def _microseconds(seconds: float, to_whole: Any = round) -> int:
    return int(to_whole(seconds * 1e6))


def _time_of(record: Dict[str, Any], how: str) -> int:
    return max(0, _microseconds(record.get(how, 0)))


def _sane(at: int, now: int) -> int:
    """A time more than a minute ahead comes from a clock that is wrong: it counts as now."""
    return at if at <= now + 60_000_000 else now
