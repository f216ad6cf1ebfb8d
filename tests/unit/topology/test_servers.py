"""Server URLs and the snapshot of all servers."""

import pytest

from topology.errors import ConfigError
from topology.servers import Health, Role, Server, ServerState, Snapshot, server_from_url


@pytest.mark.parametrize(
    ("url", "host", "port", "user", "password"),
    [
        ("mysql://u:p@h:3307", "h", 3307, "u", "p"),
        ("mariadb://u:p@h", "h", 3306, "u", "p"),
        ("mysql://h", "h", 3306, "root", ""),
        ("mysql://u@h/", "h", 3306, "u", ""),
        ("mysql://u:p@h/app", "h", 3306, "u", "p"),
        ("mysql://a%40b:p%2F%23%3A%25@h:1", "h", 1, "a@b", "p/#:%"),
        ("mysql://u:p@[::1]:3307", "::1", 3307, "u", "p"),
    ],
)
def test_urls(url: str, host: str, port: int, user: str, password: str) -> None:
    server = server_from_url(url, "dbwrite", Role.PRIMARY)
    assert server == Server("dbwrite", host, port, Role.PRIMARY, user, password)


@pytest.mark.parametrize(
    "url",
    ["", "hunter2", "postgres://u:hunter2@h", "u:hunter2@h", "mysql://u:hunter2@", "mysql://u:hunter2@h:x",
     "mysql://u:hunter2@h:99999", "mysql://u:hunter2@h:0", "mysql://u:1#hunter2@h", "mysql://u:1/hunter2@h:3306",
     "mysql://u:1?hunter2@h", "mysql://u:[hunter2@h", "mysql:///hunter2"],
)  # fmt: skip
def test_a_bad_url_is_named_but_never_shown(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        server_from_url(url, "dbread7", Role.REPLICA)
    assert "dbread7" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.remedy


def test_a_server_never_shows_its_password() -> None:
    server = Server("dbwrite", "h", 1, Role.PRIMARY, "u", "hunter2")
    assert "hunter2" not in f"{server} {server!r}"
    assert (server.address, str(server)) == ("h:1", "dbwrite (h:1)")


def test_the_readers_of_a_snapshot_are_its_healthy_replicas() -> None:
    servers = [Server(health.value, "h", port, Role.REPLICA) for port, health in enumerate(Health)]
    states = tuple(ServerState(server, health) for server, health in zip(servers, Health, strict=True))
    primary = ServerState(Server("dbwrite", "h", 99, Role.PRIMARY), Health.DOWN)
    snapshot = Snapshot(primary, states)
    assert [server.name for server in snapshot.readers] == ["healthy"]
    assert snapshot.turns == snapshot.readers
    assert snapshot.states() == (primary, *states)


def test_turns_follow_the_shares_and_late_replicas_come_last() -> None:
    primary = ServerState(Server("dbwrite", "h", 99, Role.PRIMARY), Health.HEALTHY)
    a, b, c = (Server(name, "h", port, Role.REPLICA) for port, name in enumerate("abc"))
    states = (
        ServerState(a, Health.HEALTHY, share=20),
        ServerState(b, Health.HEALTHY, share=10),
        ServerState(c, Health.HEALTHY, share=10, late=True),
    )
    snapshot = Snapshot(primary, states)
    assert (snapshot.turns, snapshot.late_turns, snapshot.readers) == ((a, b, a), (c,), (a, b, c))
