"""Noticing that most reads are kept on the primary for being in transactions, which a setting could change. Pure."""

from typing import Final

from proxy.routing.policy import IN_TRANSACTION, OPTIMISTIC, PLAIN, READ_ONLY, Route

# In seconds: so long is looked at, and so long nothing is said after something was.
_PERIOD: Final = 60.0
_SILENCE: Final = 3600.0
_FEWEST: Final = 1000


class HeldReads:
    """`look` from time to time, by any clock that goes on, in seconds."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._quiet_until = now
        self._held, self._all = _counted()

    def look(self, now: float) -> tuple[int, int] | None:
        """How many reads of how many were kept on the primary in the last minute, if they are most, and many."""
        if now < self._since + _PERIOD:
            return None
        (held, all_), self._since = _counted(), now
        found = held - self._held, all_ - self._all
        self._held, self._all = held, all_
        if found[1] < _FEWEST or 2 * found[0] <= found[1] or now < self._quiet_until:
            return None
        self._quiet_until = now + _SILENCE
        return found


def _counted() -> tuple[int, int]:
    held = _runs(IN_TRANSACTION)
    return held, held + sum(map(_runs, (PLAIN, READ_ONLY, OPTIMISTIC)))


def _runs(route: Route) -> int:
    return route.on_primary + route.on_replicas
