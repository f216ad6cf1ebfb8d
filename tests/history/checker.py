"""What must not be in a history. Pure.

All writes to a key have an order: that of a register's values, or that in which a list has them at the end. So what a
read saw is a place in that order, and each rule says how far at least, or at most, that place must be.
"""

import bisect
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from tests.history.record import Failure, Fault, History, Outcome, Read, Write
from topology.consistency import Level

# At these a read sees all that was acknowledged before, whoever wrote it; at the others its own session's.
_OF_ALL = frozenset({Level.GLOBAL, Level.STRICT})
_OWN = frozenset({Level.SESSION, Level.MONOTONIC})


class _Key:
    """One register or list."""

    def __init__(self, name: str, writes: list[Write], final: tuple[int, ...], *, register: bool) -> None:
        self.name = name
        self.register = register
        self.writes = {write.value: write for write in writes}
        self.final = final
        self._place = {value: place for place, value in enumerate(final, 1)}
        acknowledged = sorted(
            (write for write in writes if write.outcome is Outcome.ACKNOWLEDGED), key=lambda write: write.ended
        )
        self._all = _Floor(acknowledged, self.place)
        by_session: dict[int, list[Write]] = defaultdict(list)
        for write in acknowledged:
            by_session[write.session].append(write)
        self._own = {session: _Floor(own, self.place) for session, own in by_session.items()}

    def place(self, value: int) -> int:
        """Where a value is; 0 for one that is lost."""
        return value if self.register else self._place.get(value, 0)

    def reached(self, values: tuple[int, ...]) -> int:
        """How far a read has seen."""
        return max(values, default=0) if self.register else len(values)

    def floor(self, read: Read) -> int:
        """How far it must have seen at least by what was written."""
        if read.level in _OF_ALL:
            return self._all.before(read.began)
        own = self._own.get(read.session)
        return own.before(read.began) if read.level in _OWN and own is not None else 0


class _Floor:
    """The furthest place that was acknowledged before a time."""

    def __init__(self, acknowledged: list[Write], place: Callable[[int], int]) -> None:
        self._times = [write.ended for write in acknowledged]
        self._places: list[int] = []
        for write in acknowledged:
            self._places.append(max(self._places[-1] if self._places else 0, place(write.value)))

    def before(self, time: float) -> int:
        count = bisect.bisect_left(self._times, time)
        return self._places[count - 1] if count else 0


def violations(history: History) -> list[str]:
    """All that breaks a promise, each with the rule, the key and the session. Empty for a good history."""
    by_key: dict[str, list[Write]] = defaultdict(list)
    for write in history.writes:
        by_key[write.key].append(write)
    names = by_key.keys() | history.final.keys()
    keys = {
        name: _Key(name, by_key[name], history.final.get(name, ()), register=name in history.registers)
        for name in names
    }
    found = [text for key in keys.values() for text in _of_key(key)]
    found += _of_groups(history, keys)
    return found + list(_of_reads(history, keys))


def _of_key(key: _Key) -> Iterator[str]:
    """What must not be at the end."""
    yield from _impossible(key, key.final, math.inf, "at the end")
    reached = key.reached(key.final)
    for write in key.writes.values():
        if write.outcome is Outcome.ACKNOWLEDGED and not 0 < key.place(write.value) <= reached:
            yield f"lost: {key.name} has not {write.value}, which was acknowledged to session {write.session}"
    if not key.register:
        yield from _disordered(key)


def _disordered(key: _Key) -> Iterator[str]:
    """A write that was acknowledged before another one began comes before it."""
    earliest = math.inf
    for value in reversed(key.final):
        write = key.writes.get(value)
        if write is None:
            continue
        if earliest < write.began:
            yield f"disordered: {key.name} has {value} before what was acknowledged before that began"
        if write.outcome is Outcome.ACKNOWLEDGED:
            earliest = min(earliest, write.ended)


def _impossible(key: _Key, values: tuple[int, ...], ended: float, where: str) -> Iterator[str]:
    """Values that nobody has written by then, or that were refused, or that are there twice."""
    if len(set(values)) < len(values):
        twice = sorted({value for value in values if values.count(value) > 1})
        yield f"twice: {key.name} has {twice} more than once, {where}"
    for value in values:
        write = key.writes.get(value)
        if write is None or write.began > ended:
            yield f"from nowhere: {key.name} has {value}, which nobody had written, {where}"
        elif write.outcome is Outcome.FAILED:
            yield f"undead: {key.name} has {value}, which was refused, {where}"


def _of_groups(history: History, keys: dict[str, _Key]) -> list[str]:
    """A transaction is there as a whole, or not at all."""
    groups: dict[int, list[Write]] = defaultdict(list)
    for write in history.writes:
        if write.group and write.key not in history.registers:
            groups[write.group].append(write)
    return [
        f"torn: only a part of {[write.value for write in writes]} of session {writes[0].session} is there"
        for writes in groups.values()
        if len({bool(keys[write.key].place(write.value)) for write in writes}) > 1
    ]


def _of_reads(history: History, keys: dict[str, _Key]) -> Iterator[str]:
    seen: dict[tuple[int, str], int] = {}
    for read in sorted(history.reads, key=lambda read: read.began):
        key = keys.get(read.key) or _Key(read.key, [], (), register=read.key in history.registers)
        where = f"session {read.session} at {read.level}, {read.began:.3f} to {read.ended:.3f}"
        yield from _impossible(key, read.values, read.ended, where)
        if not key.register and key.final[: len(read.values)] != read.values:
            yield f"diverged: {key.name} was not what it became, {where}"
        reached, before = key.reached(read.values), seen.get((read.session, read.key), 0)
        if reached < (floor := key.floor(read)):
            yield f"stale: {key.name} was at {reached}, not {floor}, {where}"
        if read.level is Level.MONOTONIC and reached < before:
            yield f"back: {key.name} was at {reached} after {before}, {where}"
        seen[read.session, read.key] = max(before, reached)


def unexcused(failures: Iterable[Failure], faults: Iterable[Fault]) -> list[Failure]:
    """The errors that no fault excuses: only what was in flight on a server that was lost may have one."""
    losses = [fault for fault in faults if fault.lost is not None]
    return [failure for failure in failures if not any(_excuses(fault, failure) for fault in losses)]


def _excuses(fault: Fault, failure: Failure) -> bool:
    return fault.lost is not None and failure.began <= fault.lost and failure.ended >= fault.began
