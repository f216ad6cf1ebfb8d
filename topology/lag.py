"""How far replicas are behind: when did the primary first have what a replica still lacks? Pure."""

from collections import deque
from typing import Final

from topology.binlogs import MARK
from topology.gtid import covers
from topology.servers import Observation, Vendor

# At the usual pace so many seconds.
_REMEMBERED: Final = 600


class LagMeter:
    """Remembers the primary's positions, each with the time at which it was first seen."""

    def __init__(self) -> None:
        self._positions: deque[tuple[float, str]] = deque(maxlen=_REMEMBERED)
        self._kind = ("", False)

    def note(self, primary: Observation) -> None:
        """The primary answered."""
        # Whether it has GTIDs can be changed while it runs.
        kind = (primary.identity, MARK in primary.logged)
        if kind != self._kind:
            self._positions.clear()
            self._kind = kind
        if primary.logged and (not self._positions or self._positions[-1][1] != primary.logged):
            self._positions.append((primary.ended, primary.logged))

    def lag(self, primary: Observation | None, replica: Observation) -> float | None:
        """So many seconds at least is `replica` behind; None if that is unknown.

        0 when it has all that the primary was ever seen to have. Else the server's own figure counts if it is more: by
        itself it is not believed, since it stays 0 where nothing arrives, and is unknown while there is no connection.
        """
        said = replica.replica.lag_seconds if replica.replica is not None else None
        if primary is None or replica.vendor is None or primary.vendor is not replica.vendor or not self._positions:
            return said
        reached = self._reached(replica)
        if not reached:
            return said
        missing = self._first_missing(replica.vendor, reached)
        return 0.0 if missing is None else max(replica.ended - missing, said or 0.0, 0.0)

    def _reached(self, replica: Observation) -> str:
        """What `replica` has, in the terms of the positions that are remembered."""
        if MARK not in self._positions[-1][1]:
            return replica.applied
        return replica.replica.executed if replica.replica is not None else ""

    def _first_missing(self, vendor: Vendor, reached: str) -> float | None:
        """When the first position that a replica which has `reached` lacks was seen."""
        low, high = 0, len(self._positions)
        while low < high:
            middle = (low + high) // 2
            if covers(vendor, reached, self._positions[middle][1]):
                low = middle + 1
            else:
                high = middle
        return None if low == len(self._positions) else self._positions[low][0]
