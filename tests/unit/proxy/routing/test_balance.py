"""Which replica a read gets, with and without wishes."""

from collections import Counter
from dataclasses import replace

import pytest

from proxy.routing.balance import RoundRobin
from proxy.sql.hints import Hint
from topology.freshness import NOTHING, Freshness
from topology.servers import Health, Role, Server, ServerState, Snapshot

STALE = "r3"


def state(name: str, health: Health = Health.HEALTHY, lag: float | None = 0.0) -> ServerState:
    return ServerState(Server(name, "h", 1, Role.REPLICA), health, lag=lag)


SNAPSHOT = Snapshot(
    ServerState(Server("w", "h", 2, Role.PRIMARY), Health.HEALTHY),
    (state("r1", lag=5.0), state("r2"), state(STALE), state("r4", Health.DOWN), state("r5", lag=None)),
)


def picked(wish: Hint, need: int, *avoid: str) -> set[str]:
    freshness, balancer = Freshness(), RoundRobin()
    freshness.note_write()
    for name in ("r1", "r2", "r4", "r5"):
        freshness.confirm(name, 1)
    found = [balancer.pick_wished(SNAPSHOT, freshness, frozenset(avoid), wish, need) for _ in range(8)]
    return {server.name if server else "" for server in found}


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
def test_wishes(wish: Hint, need: int, names: set[str]) -> None:
    assert picked(wish, need) == names


def test_nobody_fits() -> None:
    assert picked(Hint(max_lag=1.0), 1, "r2") == {""}


def test_replicas_that_have_all_of_a_quiet_table() -> None:
    freshness, balancer = Freshness(), RoundRobin()
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


def balanced(snapshot: Snapshot, count: int, *avoid: str) -> Counter[str]:
    """What two ways to ask give."""
    freshness, balancer = Freshness(), RoundRobin()
    freshness.note_write()
    for server in snapshot.readers:
        freshness.confirm(server.name, 1)
    left = frozenset(avoid)
    picked = (balancer.pick(snapshot, freshness, left) for _ in range(count))
    plain = Counter(server.name for server in picked if server)
    wished = (balancer.pick_wished(snapshot, freshness, left, Hint(), 1) for _ in range(count))
    assert Counter(server.name for server in wished if server) == plain
    return plain


def test_reads_are_spread_by_the_shares() -> None:
    replicas = (replace(state("a"), share=30), replace(state("b"), share=10))
    assert balanced(Snapshot(SNAPSHOT.primary, replicas), 40) == {"a": 30, "b": 10}


def test_late_replicas_are_used_if_no_other_is_fit() -> None:
    snapshot = Snapshot(SNAPSHOT.primary, (state("a"), replace(state("b"), late=True)))
    assert balanced(snapshot, 10) == {"a": 10}
    assert balanced(snapshot, 10, "a") == {"b": 10}
    assert balanced(snapshot, 10, "a", "b") == {}
