"""Which replica serves the next read: round robin over those that are healthy, and fresh enough for it."""

from proxy.sql.hints import Hint
from proxy.sql.statement import Tables
from topology.freshness import Freshness
from topology.servers import Server, ServerState, Snapshot


class RoundRobin:
    """One turn counter for all sessions, so that reads spread evenly however they are spread over sessions."""

    __slots__ = ("turn",)

    def __init__(self) -> None:
        self.turn = 0

    def pick(
        self, snapshot: Snapshot, freshness: Freshness, avoid: frozenset[str], reads: Tables = None, schema: str = ""
    ) -> Server | None:
        """The next healthy replica that is not in `avoid` (names), or None.

        It has all that was written to the tables `reads`, with the default schema `schema`; None: to any.
        """
        readers = snapshot.turns
        for _ in readers:
            self.turn += 1
            server = readers[self.turn % len(readers)]
            fit = freshness.fresh(server.name) or freshness.covers(server.name, reads, schema)
            if fit and server.name not in avoid:
                return server
        for server in snapshot.late_turns:
            if server.name not in avoid and freshness.covers(server.name, reads, schema):
                return server
        return None

    def pick_wished(
        self, snapshot: Snapshot, freshness: Freshness, avoid: frozenset[str], wish: Hint, need: int
    ) -> Server | None:
        """The same among those that a hint or a rule allows, the one that it names before the others.

        They are confirmed up to the number `need`.
        """
        if wish.server:
            for server in allowed(snapshot, avoid, wish):
                if server.name.lower() == wish.server and freshness.has(server.name, need):
                    return server
        near = None if wish.max_lag is None else {server.name for server in allowed(snapshot, avoid, wish)}
        for turns in (snapshot.turns, snapshot.late_turns):
            for _ in turns:
                self.turn += 1
                server = turns[self.turn % len(turns)]
                name = server.name
                if freshness.has(name, need) and name not in avoid and (near is None or name in near):
                    return server
        return None


def allowed(snapshot: Snapshot, avoid: frozenset[str], wish: Hint) -> list[Server]:
    """The healthy replicas that a hint or a rule allows, fresh or not."""
    return [
        state.server
        for state in snapshot.replicas
        if state.usable and state.server.name not in avoid and (wish.max_lag is None or _lag(state) <= wish.max_lag)
    ]


def _lag(state: ServerState) -> float:
    """How far a replica was behind in seconds when it was asked last."""
    return float("inf") if state.lag is None else state.lag
