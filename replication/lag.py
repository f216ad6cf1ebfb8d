"""How far replicas are behind by our own clock, or by the primary's heartbeat. Pure."""

from collections import deque

from replication.seen import PrimarySeen, ReplicaSeen
from topology.gtid import covers
from topology.servers import Vendor

_REMEMBERED = 600
# A heart that has stood still for so many seconds tells nothing any more.
_STOPPED = 30.0


def lag_by_heartbeat(primary: PrimarySeen, replica: ReplicaSeen) -> float | None:
    """At most so many seconds is `replica` behind, by what time it was at the primary; None without a heartbeat."""
    if primary.beat is None or replica.beat is None or primary.clock - primary.beat > _STOPPED:
        return None
    return max(0.0, primary.clock - replica.beat)


class LagMeter:
    """When was the primary where a replica is now? Remembers its positions, each with when it was last seen there."""

    def __init__(self) -> None:
        self._positions: deque[tuple[float, str]] = deque(maxlen=_REMEMBERED)
        self._identity = ""

    def note(self, primary: PrimarySeen, now: float) -> None:
        """The primary was looked at at `now`, in seconds of a monotonic clock."""
        if primary.error:
            return
        if primary.identity != self._identity:
            self._positions.clear()
            self._identity = primary.identity
        if self._positions and self._positions[-1][1] == primary.gtid_before:
            self._positions.pop()
        self._positions.append((now, primary.gtid_before))

    def lag(self, primary: PrimarySeen, replica: ReplicaSeen, now: float) -> float | None:
        """At most so many seconds is `replica` behind; None if that is unknown.

        0 when it has everything that the primary had before it was asked. How late a replica is that is further behind
        than is remembered, the heartbeat tells; without one it is believed what it says, if that is more.
        """
        if primary.error or replica.error or not replica.channels or not self._positions:
            return None
        if _has(primary.vendor, replica, self._positions[-1][1]):
            return 0.0
        seen_at = next((at for at, gtid in reversed(self._positions) if _has(primary.vendor, replica, gtid)), None)
        if seen_at is not None:
            return now - seen_at
        if (beaten := lag_by_heartbeat(primary, replica)) is not None:
            return beaten
        if replica.seconds_behind is None:
            return None
        return max(now - self._positions[0][0], replica.seconds_behind)


def _has(vendor: Vendor, replica: ReplicaSeen, gtid: str) -> bool:
    return covers(vendor, replica.gtid, gtid)
