"""Which replica serves the next read: round robin over those that are healthy and fresh."""

from topology.freshness import Freshness
from topology.servers import Server, Snapshot


class RoundRobin:
    """One turn counter for all sessions, so that reads spread evenly however they are spread over sessions."""

    __slots__ = ("turn",)

    def __init__(self) -> None:
        self.turn = 0

    def pick(self, snapshot: Snapshot, freshness: Freshness, avoid: frozenset[str]) -> Server | None:
        """The next healthy replica that is fresh and not in `avoid` (names), or None."""
        readers = snapshot.readers
        for _ in readers:
            self.turn += 1
            server = readers[self.turn % len(readers)]
            if freshness.fresh(server.name) and server.name not in avoid:
                return server
        return None
