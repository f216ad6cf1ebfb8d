"""The routing decision as a table, and the turns of the replicas."""

from dataclasses import replace

import pytest

from proxy.routing import policy
from proxy.routing.balance import RoundRobin
from proxy.routing.policy import Route, Target, decide, route_to, routes
from proxy.routing.state import Seen, SessionState
from tests.support.statements import classified
from topology.freshness import Freshness
from topology.servers import Health, Role, Server, ServerState, Snapshot


@pytest.mark.parametrize(
    ("text", "status", "schema", "target", "reason"),
    [
        ("SELECT 1", 2, "", Target.REPLICA, "read"),
        ("SELECT 1", 2, "app", Target.REPLICA, "read"),
        ("SELECT 1", 2, "information_schema", Target.REPLICA, "read"),
        ("SELECT 1", 3, "", Target.PRIMARY, "in-transaction"),
        ("SELECT 1", 0, "", Target.PRIMARY, "in-transaction"),
        ("SELECT 1", 2, "mysql", Target.PRIMARY, "server-local"),
        ("SELECT 1", 2, "Performance_Schema", Target.PRIMARY, "server-local"),
        ("SELECT @a", 2, "", Target.REPLICA, "read"),
        ("SELECT 1 /* manyreads: primary */", 2, "", Target.PRIMARY, "hint"),
        ("SELECT 1 /* manyreads: replica */", 2, "", Target.REPLICA, "read"),
        ("SELECT 1 /* manyreads: replica */", 3, "", Target.PRIMARY, "in-transaction"),
        ("DELETE FROM t /* manyreads: replica */", 2, "", Target.PRIMARY, "write"),
        ("SELECT f() /* manyreads: replica */", 2, "", Target.PRIMARY, "unknown-function:f"),
        ("SELECT @b", 2, "", Target.PRIMARY, "user-variable"),
        ("SELECT @a", 3, "", Target.PRIMARY, "in-transaction"),
        ("SELECT ROW_COUNT()", 2, "", Target.LAST, "diagnostic"),
        ("SHOW WARNINGS", 3, "mysql", Target.LAST, "diagnostic"),
        ("DELETE FROM t", 2, "", Target.PRIMARY, "write"),
        ("SELECT f()", 2, "", Target.PRIMARY, "unknown-function:f"),
        ("SET a = 1", 2, "", Target.PRIMARY, "session-setting"),
        ("BEGIN", 2, "", Target.PRIMARY, "transaction"),
    ],
)
def test_decisions(text: str, status: int, schema: str, target: Target, reason: str) -> None:
    state = SessionState(schema, status)
    for before in ("SET @a = 1", "SET @b = @@hostname"):
        state.apply(classified(before), b"", Seen())
    assert decide(classified(text), state) == Route(target, reason)


@pytest.mark.parametrize(("value", "reason"), [("1", "read"), ("@@hostname", "user-variable")])
def test_a_read_of_any_variable_needs_all_of_them(value: str, reason: str) -> None:
    state = SessionState("", 2)
    state.apply(classified(f"SET @a = {value}"), b"", Seen())
    assert decide(replace(classified("SELECT 1"), variables=None), state).reason == reason


def test_the_insert_id_is_asked_for_where_the_session_wrote() -> None:
    state = SessionState("", 2)
    question = classified("SELECT FOUND_ROWS(), LAST_INSERT_ID()")
    assert decide(question, state).target is Target.LAST
    state.apply(classified("INSERT INTO t VALUES (1)"), b"", Seen())
    assert decide(question, state) == Route(Target.PRIMARY, "diagnostic-with-insert-id")


@pytest.mark.parametrize("status", [2, 3])
def test_a_pin_is_named(status: int) -> None:
    state = SessionState("", status)
    state.pin_down("procedure")
    assert decide(classified("SELECT 1"), state) == Route(Target.PRIMARY, "pinned:procedure")
    assert decide(classified("SHOW WARNINGS"), state) == Route(Target.LAST, "diagnostic")


def snapshot(*healths: Health) -> Snapshot:
    primary_server = Server("dbwrite", "h", 1, Role.PRIMARY)
    replicas = (Server(f"r{number}", "h", number + 2, Role.REPLICA) for number in range(len(healths)))
    return Snapshot(
        ServerState(primary_server, Health.HEALTHY),
        tuple(ServerState(server, health) for server, health in zip(replicas, healths, strict=True)),
    )


def picks(view: Snapshot, freshness: Freshness, avoid: frozenset[str] = frozenset(), times: int = 6) -> list[str]:
    balancer = RoundRobin()
    return [server.name if (server := balancer.pick(view, freshness, avoid)) else "" for _ in range(times)]


def confirmed(*names: str) -> Freshness:
    freshness = Freshness()
    freshness.note_write()
    for name in names:
        freshness.confirm(name, 1)
    return freshness


def test_healthy_and_fresh_replicas_take_turns() -> None:
    view = snapshot(Health.HEALTHY, Health.HEALTHY, Health.HEALTHY)
    assert sorted(picks(view, confirmed("r0", "r1", "r2"))) == ["r0", "r0", "r1", "r1", "r2", "r2"]
    assert set(picks(view, confirmed("r0", "r2"))) == {"r0", "r2"}
    assert set(picks(view, confirmed("r0", "r1", "r2"), frozenset({"r0"}))) == {"r1", "r2"}
    assert picks(view, confirmed("r1"), frozenset({"r1"}), 1) == [""]
    assert picks(view, confirmed(), times=1) == [""]


@pytest.mark.parametrize("health", [health for health in Health if health is not Health.HEALTHY])
def test_only_healthy_replicas_serve(health: Health) -> None:
    view = snapshot(health, Health.HEALTHY, health)
    assert set(picks(view, confirmed("r0", "r1", "r2"))) == {"r1"}
    assert picks(snapshot(health), confirmed("r0"), times=1) == [""]
    assert picks(snapshot(), confirmed(), times=1) == [""]


def test_routes_are_counted_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "_MOST_ROUTES", len(routes()) + 1)
    counted, above = (route_to(Target.PRIMARY, f"unknown-function:{name}") for name in ("first_new", "next_new"))
    assert route_to(Target.PRIMARY, "unknown-function:first_new") is counted
    assert counted in routes()
    assert above not in routes()
    assert above == Route(Target.PRIMARY, "unknown-function:next_new")
