"""What a change of the settings means, and which names replicas get."""

import pytest

from proxy.changes import Effect, changes, effect_of, in_force, moves, settled
from topology.config import Settings
from topology.environment import Deployment
from topology.servers import Role, Server
from topology.settings import load_settings


def settings(**values: object) -> Settings:
    return load_settings(None, {}, values)


def replica(number: int, port: int, password: str = "") -> Server:
    return Server(f"dbread{number}", "h", port, Role.REPLICA, password=password)


PRIMARY = Server("dbwrite", "h", 1, Role.PRIMARY)


def test_only_what_differs_is_told_with_when_it_holds() -> None:
    old = settings(max_lag=1, listen="127.0.0.1:1", tls="off")
    new = settings(max_lag=2, listen="127.0.0.1:2", server_connections=5, rules=[{"user": "u", "target": "primary"}])
    assert list(map(str, changes(old, new))) == [
        'listen: "127.0.0.1:1" -> "127.0.0.1:2", not before a restart',
        'rules: [] -> [{user = "u", target = "primary"}], at once',
        "max_lag: 1.0 -> 2.0, at once",
        "server_connections: 0 -> 5, for server connections that are opened from now on",
        'tls: "off" -> "preferred", for clients that come from now on',
    ]
    assert changes(new, new) == []


def test_no_password_is_told() -> None:
    old = settings(readers=["mysql://u:hunter2@h:1"], accounts=[{"user": "u", "password": "hunter3"}])
    new = settings(readers=["mysql://u:hunter4@h:1"], accounts=[{"user": "u", "password": "hunter5"}])
    assert list(map(str, changes(old, new))) == ["readers: changed, at once", "accounts: changed, at once"]


def test_what_needs_a_restart_stays_in_force() -> None:
    old, new = settings(max_lag=1, listen="127.0.0.1:1"), settings(max_lag=2, listen="127.0.0.1:2")
    found = in_force(old, new)
    assert (found.max_lag, found.listen) == (2, "127.0.0.1:1")


def test_a_key_that_nobody_thought_of_needs_a_restart() -> None:
    assert effect_of("a_key_of_tomorrow") is Effect.RESTART


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"h:2": "dbread1", "h:3": "dbread2"}, {2: "dbread1", 3: "dbread2"}),
        # The first was removed, and the others keep their names.
        ({"h:9": "dbread1", "h:2": "dbread2", "h:3": "dbread3"}, {2: "dbread2", 3: "dbread3"}),
        # A new one never gets the name of another, not even of one that is gone.
        ({"h:9": "dbread1", "h:3": "dbread2"}, {2: "dbread3", 3: "dbread2"}),
        ({"h:9": "dbread1", "h:8": "dbread2"}, {2: "dbread3", 3: "dbread4"}),
    ],
)
def test_an_address_keeps_its_name(names: dict[str, str], expected: dict[int, str]) -> None:
    found = settled((replica(1, 2), replica(2, 3)), names)
    assert {server.port: server.name for server in found} == expected


def test_what_happens_to_replicas_is_told() -> None:
    before = Deployment(PRIMARY, (replica(1, 2), replica(2, 3), replica(3, 4)))
    assert list(moves(before, (replica(1, 2), replica(2, 3, "other"), replica(4, 5)))) == [
        "dbread2 (h:3) is looked after in another way",
        "dbread4 (h:5) is a replica from now on",
        "dbread3 (h:4) gets no more reads, and its connections end as they come to rest",
    ]
