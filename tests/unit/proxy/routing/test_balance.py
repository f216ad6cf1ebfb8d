"""Which replica a read gets, with and without wishes, by each method."""

import itertools
from collections import Counter
from dataclasses import replace

import pytest

from proxy.admin.traffic import Traffic
from proxy.routing.balance import LATENCY, LEAST_OUTSTANDING, ROUND_ROBIN, RoundRobin, balancer
from proxy.sql.hints import Hint
from topology.freshness import NOTHING, Freshness
from topology.servers import Health, Role, Server, ServerState, Snapshot

STALE = "r3"
METHODS = (ROUND_ROBIN, LEAST_OUTSTANDING, LATENCY)


def state(name: str, health: Health = Health.HEALTHY, lag: float | None = 0.0) -> ServerState:
    return ServerState(Server(name, "h", 1, Role.REPLICA), health, lag=lag)


SNAPSHOT = Snapshot(
    ServerState(Server("w", "h", 2, Role.PRIMARY), Health.HEALTHY),
    (state("r1", lag=5.0), state("r2"), state(STALE), state("r4", Health.DOWN), state("r5", lag=None)),
)


class Loads(dict[str, Traffic]):
    """Those of servers that have answered nothing yet; a clock, and a chance that goes on from one to the next."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self._chances = itertools.cycle((0.0, 0.4, 0.8))

    def __missing__(self, name: str) -> Traffic:
        return self.setdefault(name, Traffic())

    def chance(self) -> float:
        return next(self._chances)

    def answer(self, name: str, seconds: float, count: int = 1) -> None:
        self[name].served.counts[0] += count
        self[name].served.seconds += seconds * count

    def method(self, name: str) -> RoundRobin:
        return balancer(name, self, lambda: self.now, self.chance)


def picked(method: str, wish: Hint, need: int, *avoid: str) -> set[str]:
    freshness, balancer = Freshness(), Loads().method(method)
    freshness.note_write()
    for name in ("r1", "r2", "r4", "r5"):
        freshness.confirm(name, 1)
    found = [balancer.pick_wished(SNAPSHOT, freshness, frozenset(avoid), wish, need) for _ in range(8)]
    return {server.name if server else "" for server in found}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("wish", "need", "names"),
    [
        (Hint(replica=True), 1, {"r1", "r2", "r5"}),
        (Hint(server="r2"), 1, {"r2"}),
        (Hint(server="r4"), 1, {"r1", "r2", "r5"}),
        (Hint(server="nobody"), 1, {"r1", "r2", "r5"}),
        (Hint(max_lag=1.0), 1, {"r2"}),
        (Hint(), NOTHING, {"r1", "r2", STALE, "r5"}),
        (Hint(server=STALE), NOTHING, {STALE}),
        (Hint(max_lag=1.0), NOTHING, {"r2", STALE}),
        (Hint(), 2, {""}),
    ],
)
def test_wishes(method: str, wish: Hint, need: int, names: set[str]) -> None:
    assert picked(method, wish, need) == names


@pytest.mark.parametrize("method", METHODS)
def test_nobody_fits(method: str) -> None:
    assert picked(method, Hint(max_lag=1.0), 1, "r2") == {""}


@pytest.mark.parametrize("method", METHODS)
def test_replicas_that_have_all_of_a_quiet_table(method: str) -> None:
    freshness, balancer = Freshness(), Loads().method(method)
    freshness.learn(frozenset([("s", "busy"), ("s", "quiet")]), 0)
    for name in ("r1", "r2"):
        freshness.confirm(name, 0)
    freshness.note_write(frozenset([("s", "busy")]))
    for reads, schema, names in (
        (frozenset([("", "quiet")]), "s", {"r1", "r2"}),
        (frozenset([("", "busy")]), "s", {None}),
        (None, "s", {None}),
    ):
        found = [balancer.pick(SNAPSHOT, freshness, frozenset(), reads, schema) for _ in range(4)]
        need = freshness.needed(reads, schema)
        found += [balancer.pick_wished(SNAPSHOT, freshness, frozenset(), Hint(), need) for _ in range(4)]
        assert {server.name if server else None for server in found} == names


def fresh(snapshot: Snapshot) -> Freshness:
    freshness = Freshness()
    freshness.note_write()
    for server in snapshot.readers:
        freshness.confirm(server.name, 1)
    return freshness


def balanced(balancer: RoundRobin, snapshot: Snapshot, count: int, *avoid: str) -> Counter[str]:
    """What two ways to ask give."""
    freshness, left = fresh(snapshot), frozenset(avoid)
    picked = (balancer.pick(snapshot, freshness, left) for _ in range(count))
    plain = Counter(server.name for server in picked if server)
    wished = (balancer.pick_wished(snapshot, freshness, left, Hint(), 1) for _ in range(count))
    assert Counter(server.name for server in wished if server) == plain
    return plain


def two(**a: object) -> Snapshot:
    return Snapshot(SNAPSHOT.primary, (replace(state("a"), **a), state("b")))  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS)
def test_reads_are_spread_by_the_shares(method: str) -> None:
    replicas = (replace(state("a"), share=30), replace(state("b"), share=10))
    assert balanced(Loads().method(method), Snapshot(SNAPSHOT.primary, replicas), 40) == {"a": 30, "b": 10}


@pytest.mark.parametrize("method", METHODS)
def test_late_replicas_are_used_if_no_other_is_fit(method: str) -> None:
    snapshot, method_ = two(late=True), Loads().method(method)
    assert balanced(method_, snapshot, 10) == {"b": 10}
    assert balanced(method_, snapshot, 10, "b") == {"a": 10}
    assert balanced(method_, snapshot, 10, "a", "b") == {}


def test_the_fewest_at_work() -> None:
    loads = Loads()
    method = loads.method(LEAST_OUTSTANDING)
    loads["a"].at_work = 1
    assert balanced(method, two(), 10) == {"b": 10}
    loads["b"].at_work = 2
    assert balanced(method, two(), 10) == {"a": 10}
    # Twice the share may have twice as much at work, and equals take turns by their shares.
    loads["a"].at_work = 4
    assert balanced(method, two(share=2), 9) == {"a": 6, "b": 3}
    assert method.standing(two(), "a") == "4 at work"


def test_a_slower_server_gets_none_until_it_is_tried_again() -> None:
    loads = Loads()
    method = loads.method(LATENCY)
    loads.answer("a", 0.050)
    # There is nothing to compare it with.
    assert balanced(method, two(), 10) == {"a": 5, "b": 5}
    loads.answer("b", 0.001)
    assert balanced(method, two(), 10) == {"b": 10}
    assert method.standing(two(), "a") == "50 ms, 0 at work"
    for _ in range(60):
        loads.now += 0.1
        loads.answer("b", 0.001)
        method.pick(two(), fresh(two()), frozenset())
    assert balanced(method, two(), 10) == {"a": 5, "b": 5}
    # That is not forgotten as long as it owes the answer.
    loads["a"].at_work = 1
    assert balanced(method, two(), 10) == {"b": 10}


def test_small_differences_are_none() -> None:
    loads = Loads()
    loads.answer("a", 0.0014)
    loads.answer("b", 0.0010)
    assert balanced(loads.method(LATENCY), two(), 10) == {"a": 5, "b": 5}


def test_what_is_at_work_counts_beside_the_latency() -> None:
    loads = Loads()
    method = loads.method(LATENCY)
    for name in "ab":
        loads.answer(name, 0.001)
    loads["a"].at_work = 1
    assert balanced(method, two(), 10) == {"b": 10}
    # As much for its share, and so as before.
    loads["a"].at_work, loads["b"].at_work = 4, 1
    assert balanced(method, two(share=4), 10) == {"a": 8, "b": 2}
    # One that has just come back gets less.
    loads["a"].at_work = loads["b"].at_work = 1
    returned = Snapshot(SNAPSHOT.primary, (state("a"), replace(state("b"), share=10)))
    assert balanced(method, returned, 10) == {"b": 10}


def test_the_other_one_is_chosen_by_chance() -> None:
    loads = Loads()
    snapshot = Snapshot(SNAPSHOT.primary, tuple(map(state, "abcd")))
    for name in "bcd":
        loads.answer(name, 0.001)
    loads.answer("a", 1.0)
    method = loads.method(LATENCY)
    picked = (method.pick(snapshot, fresh(snapshot), frozenset()) for _ in range(400))
    found = Counter(server.name for server in picked if server)
    assert found["a"] == 0
    assert min(found["b"], found["c"], found["d"]) > 100


def test_later_replies_count_for_more() -> None:
    loads = Loads()
    method = loads.method(LATENCY)
    loads.answer("a", 0.100, count=50)
    assert method.standing(two(), "a") == "100 ms, 0 at work"
    for _ in range(10):
        loads.now += 0.5
        loads.answer("a", 0.010, count=2)
        method.standing(two(), "a")
    assert method.standing(two(), "a") == "10.6 ms, 0 at work"
    assert method.standing(two(), "b") == "0 at work"


def test_whose_turn_it_is() -> None:
    method = Loads().method(ROUND_ROBIN)
    assert method.standing(two(share=3), "a") == "3 of 4 turns"
    late = Snapshot(SNAPSHOT.primary, (replace(state("a"), late=True),))
    assert method.standing(late, "a") == "1 of 1 turns"


def test_one_has_no_choice() -> None:
    assert balanced(Loads().method(LATENCY), two(), 4, "a") == {"b": 4}
