"""How far replicas are behind: when did the primary first have what a replica still lacks? Pure."""

from collections import deque
from typing import Final

from topology.gtid import covers
from topology.servers import Observation

# At the usual pace so many seconds.
_REMEMBERED: Final = 600


class LagMeter:
    """Remembers the primary's positions, each with the time at which it was first seen."""

    def __init__(self) -> None:
        self._positions: deque[tuple[float, str]] = deque(maxlen=_REMEMBERED)
        self._identity = ""

    def note(self, primary: Observation) -> None:
        """The primary answered."""
        if primary.identity != self._identity:
            self._positions.clear()
            self._identity = primary.identity
        if primary.logged and (not self._positions or self._positions[-1][1] != primary.logged):
            self._positions.append((primary.ended, primary.logged))

    def lag(self, primary: Observation | None, replica: Observation) -> float | None:
        """So many seconds at least is `replica` behind; None if that is unknown.

        0 when it has all that the primary was ever seen to have. Else the server's own figure counts if it is more: by
        itself it is not believed, since it stays 0 where nothing arrives, and is unknown while there is no connection.
        """
        said = replica.replica.lag_seconds if replica.replica is not None else None
        if primary is None or primary.vendor is not replica.vendor or not self._positions or not replica.applied:
            return said
        missing = self._first_missing(replica)
        return 0.0 if missing is None else max(replica.ended - missing, said or 0.0, 0.0)

    def _first_missing(self, replica: Observation) -> float | None:
        """When the first position that `replica` lacks was seen."""
        assert replica.vendor is not None
        low, high = 0, len(self._positions)
        while low < high:
            middle = (low + high) // 2
            if covers(replica.vendor, replica.applied, self._positions[middle][1]):
                low = middle + 1
            else:
                high = middle
        return None if low == len(self._positions) else self._positions[low][0]
