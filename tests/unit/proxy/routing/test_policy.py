"""The routing decision as a table, and the turns of the replicas."""

import pytest

from proxy.routing.balance import RoundRobin
from proxy.routing.policy import Route, Target, decide
from proxy.routing.state import SessionState
from proxy.sql.statement import Kind, Statement, primary
from topology.freshness import Freshness
from topology.servers import Health, Role, Server, ServerState, Snapshot

READ = Statement(Kind.READ, "read")
DIAGNOSTIC = Statement(Kind.DIAGNOSTIC, "diagnostic")


@pytest.mark.parametrize(
    ("statement", "status", "pin", "schema", "target", "reason"),
    [
        (READ, 2, "", "", Target.REPLICA, "read"),
        (READ, 2, "", "app", Target.REPLICA, "read"),
        (READ, 2, "", "information_schema", Target.REPLICA, "read"),
        (READ, 3, "", "", Target.PRIMARY, "in-transaction"),
        (READ, 0, "", "", Target.PRIMARY, "in-transaction"),
        (READ, 2, "procedure", "", Target.PRIMARY, "pinned:procedure"),
        (READ, 3, "procedure", "", Target.PRIMARY, "pinned:procedure"),
        (READ, 2, "", "mysql", Target.PRIMARY, "server-local"),
        (READ, 2, "", "Performance_Schema", Target.PRIMARY, "server-local"),
        (READ, 2, "", "SYS", Target.PRIMARY, "server-local"),
        (DIAGNOSTIC, 2, "", "", Target.LAST, "diagnostic"),
        (DIAGNOSTIC, 3, "procedure", "mysql", Target.LAST, "diagnostic"),
        (primary("write"), 2, "", "", Target.PRIMARY, "write"),
        (primary("unknown-function:f"), 2, "", "", Target.PRIMARY, "unknown-function:f"),
        (Statement(Kind.SESSION, "session-setting"), 2, "", "", Target.PRIMARY, "session-setting"),
        (Statement(Kind.TRANSACTION, "transaction"), 2, "", "", Target.PRIMARY, "transaction"),
    ],
)
def test_decisions(statement: Statement, status: int, pin: str, schema: str, target: Target, reason: str) -> None:
    state = SessionState(schema, status)
    state.pin = pin
    assert decide(statement, state) == Route(target, reason)


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
