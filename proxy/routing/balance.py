"""Which replica serves the next read, of those that are healthy, and fresh enough: by turns, or by their load."""

import math
from collections.abc import Callable, Mapping
from typing import ClassVar, Final, Protocol

from proxy.sql.hints import Hint
from proxy.sql.statement import Tables
from topology.freshness import Freshness
from topology.servers import Server, ServerState, Snapshot

ROUND_ROBIN: Final = "round-robin"
LEAST_OUTSTANDING: Final = "least-outstanding"
LATENCY: Final = "latency"

# In seconds: a latency that nothing is heard of fades so fast (by e), so that who was slow is tried again.
_FADES: Final = 1.0
# One that is slower by less than this is not taken for slower: latencies of equal servers differ by chance.
_CLEARLY: Final = 1.5


class Served(Protocol):
    """The time that servers took, for so many statements in `total`."""

    seconds: float

    @property
    def total(self) -> int:
        """How many there were."""


class Load(Protocol):
    """What one server has at work, and what it has answered so far."""

    at_work: int

    @property
    def served(self) -> Served:
        """The time of all that it has answered."""


class RoundRobin:
    """One turn counter for all sessions, so that reads spread evenly however they are spread over sessions."""

    __slots__ = ("turn",)
    name: ClassVar[str] = ROUND_ROBIN

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
        if (named := _named(snapshot, freshness, avoid, wish, need)) is not None:
            return named
        near = None if wish.max_lag is None else {server.name for server in allowed(snapshot, avoid, wish)}
        for turns in (snapshot.turns, snapshot.late_turns):
            for _ in turns:
                self.turn += 1
                server = turns[self.turn % len(turns)]
                name = server.name
                if freshness.has(name, need) and name not in avoid and (near is None or name in near):
                    return server
        return None

    def standing(self, snapshot: Snapshot, name: str) -> str:
        """What the replica `name` is chosen by, for people."""
        turns = snapshot.turns or snapshot.late_turns
        return f"{sum(server.name == name for server in turns)} of {len(turns)} turns"


class LeastOutstanding(RoundRobin):
    """The one with the fewest statements at work for its share; among equals, whose turn it is. `loads` are by name."""

    name: ClassVar[str] = LEAST_OUTSTANDING

    def __init__(self, loads: Mapping[str, Load]) -> None:
        super().__init__()
        self._loads = loads

    def pick(
        self, snapshot: Snapshot, freshness: Freshness, avoid: frozenset[str], reads: Tables = None, schema: str = ""
    ) -> Server | None:
        """As `RoundRobin.pick`."""
        fit = [
            state
            for state in snapshot.replicas
            if state.usable
            and state.server.name not in avoid
            and (freshness.fresh(state.server.name) or freshness.covers(state.server.name, reads, schema))
        ]
        return self._best_of(snapshot, fit)

    def pick_wished(
        self, snapshot: Snapshot, freshness: Freshness, avoid: frozenset[str], wish: Hint, need: int
    ) -> Server | None:
        """As `RoundRobin.pick_wished`."""
        if (named := _named(snapshot, freshness, avoid, wish, need)) is not None:
            return named
        fit = [state for state in _allowed(snapshot, avoid, wish) if freshness.has(state.server.name, need)]
        return self._best_of(snapshot, fit)

    def _best_of(self, snapshot: Snapshot, fit: list[ServerState]) -> Server | None:
        near = [state for state in fit if not state.late]
        if near:
            return self._best(snapshot.turns, near)
        return self._best(snapshot.late_turns, fit) if fit else None

    def _best(self, turns: tuple[Server, ...], fit: list[ServerState]) -> Server:
        least = min([self._load(state) for state in fit])
        return self._next(turns, [state for state in fit if self._load(state) <= least]).server

    def _next(self, turns: tuple[Server, ...], fit: list[ServerState]) -> ServerState:
        """Whose turn it is; all of `fit` have some."""
        while True:
            self.turn += 1
            name = turns[self.turn % len(turns)].name
            for state in fit:
                if state.server.name == name:
                    return state

    def _load(self, state: ServerState) -> float:
        """What it has at work for its share of the reads."""
        return self._loads[state.server.name].at_work / state.share

    def standing(self, snapshot: Snapshot, name: str) -> str:
        """As `RoundRobin.standing`."""
        return f"{self._loads[name].at_work} at work"


class Latency(LeastOutstanding):
    """Of two, the one whose turn it is, unless the other one, chosen by chance, would clearly answer sooner.

    That is the time of its last replies, the later ones counting for more, times what it has at work for its share. So
    shares decide among servers that are equally fast. `clock` is in seconds, `chance` between 0 and 1.
    """

    name: ClassVar[str] = LATENCY

    def __init__(self, loads: Mapping[str, Load], clock: Callable[[], float], chance: Callable[[], float]) -> None:
        super().__init__(loads)
        self._clock = clock
        self._chance = chance
        self._paces: dict[str, _Pace] = {}

    def _best(self, turns: tuple[Server, ...], fit: list[ServerState]) -> Server:
        mine = self._next(turns, fit)
        others = [state for state in fit if state is not mine]
        if not others:
            return mine.server
        other = others[int(self._chance() * len(others))]
        now = self._clock()
        # That the other one was slow is forgotten in its own turn, so that it is tried with one read, and not with all.
        pace, its = self._pace(mine.server.name, now).faded(now), self._pace(other.server.name, now).latency
        if not (pace and its):
            # Of one of them there is nothing to go by yet.
            pace = its = 1.0
        slower = pace * (1.0 + self._parts(mine, fit)) > _CLEARLY * its * (1.0 + self._parts(other, fit))
        return other.server if slower else mine.server

    def _parts(self, state: ServerState, fit: list[ServerState]) -> float:
        """What it has at work, and more of it the smaller its share is."""
        return self._load(state) * max([one.share for one in fit])

    def _pace(self, name: str, now: float) -> "_Pace":
        pace = self._paces.get(name)
        if pace is None:
            pace = self._paces[name] = _Pace(self._loads[name])
        pace.look(now)
        return pace

    def standing(self, snapshot: Snapshot, name: str) -> str:
        """As `RoundRobin.standing`."""
        latency = self._pace(name, self._clock()).latency
        told = f"{latency * 1000:.3g} ms, " if latency else ""
        return f"{told}{self._loads[name].at_work} at work"


class _Pace:
    """The `latency` of one server in seconds, 0 if nothing is known: of what came by the last look."""

    def __init__(self, load: Load) -> None:
        self.latency = 0.0
        self._load = load
        self._heard = -math.inf
        self._replies = 0
        self._seconds = 0.0

    def look(self, now: float) -> None:
        """Take over what it has answered meanwhile."""
        load = self._load
        replies = load.served.total - self._replies
        if replies:
            seconds = load.served.seconds - self._seconds
            self.latency += (seconds / replies - self.latency) * (1.0 - math.exp((self._heard - now) / _FADES))
            self._replies += replies
            self._seconds += seconds
            self._heard = now

    def faded(self, now: float) -> float:
        """The latency as far as it still counts; who owes an answer is not forgotten."""
        return self.latency if self._load.at_work else self.latency * math.exp((self._heard - now) / _FADES)


def balancer(
    method: str, loads: Mapping[str, Load], clock: Callable[[], float], chance: Callable[[], float]
) -> RoundRobin:
    """The method that a setting names."""
    if method == LATENCY:
        return Latency(loads, clock, chance)
    return LeastOutstanding(loads) if method == LEAST_OUTSTANDING else RoundRobin()


def allowed(snapshot: Snapshot, avoid: frozenset[str], wish: Hint) -> list[Server]:
    """The healthy replicas that a hint or a rule allows, fresh or not."""
    return [state.server for state in _allowed(snapshot, avoid, wish)]


def _allowed(snapshot: Snapshot, avoid: frozenset[str], wish: Hint) -> list[ServerState]:
    return [
        state
        for state in snapshot.replicas
        if state.usable and state.server.name not in avoid and (wish.max_lag is None or _lag(state) <= wish.max_lag)
    ]


def _named(snapshot: Snapshot, freshness: Freshness, avoid: frozenset[str], wish: Hint, need: int) -> Server | None:
    """The replica that a hint or a rule prefers, if it will do."""
    if wish.server:
        for server in allowed(snapshot, avoid, wish):
            if server.name.lower() == wish.server and freshness.has(server.name, need):
                return server
    return None


def _lag(state: ServerState) -> float:
    """How far a replica was behind in seconds when it was asked last."""
    return float("inf") if state.lag is None else state.lag
