"""COM_CHANGE_USER: packet for packet as without the proxy, and nothing of the old user is left."""

import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass

import mysql.connector
import pymysql
import pytest

from proxy.wire import constants as c
from proxy.wire.changeuser import ChangeUser, change_user_payload
from proxy.wire.clientlogin import ClientLogin, Safety
from proxy.wire.exchange import Reply
from proxy.wire.framing import frame
from proxy.wire.replies import Ok, parse_ok
from proxy.wire.secret import secret_of
from replication.sandbox import Cluster, Flavor
from tests.support.clients import Connection, Counters, connect, direct, run
from tests.support.proxies import ProxyProcess
from tests.support.waiting import wait_until
from tests.support.wireclient import CAPABILITIES, UTF8MB4, Login, Packet, WireClient, first_error

MySQLdb = pytest.importorskip("MySQLdb")
SCHEMA = "change_user_test"
ONE, TWO = Login("one", "first"), Login("two", "second")
ACCOUNTS = (ONE, TWO, Login("locked", "third"), Login("alone", "fourth"))
FLAGS = CAPABILITIES | c.CLIENT_CONNECT_ATTRS


@pytest.fixture
def admin(shared_cluster: Cluster, session_proxy: ProxyProcess) -> Iterator[Connection]:
    """The primary itself, with the accounts one, two, locked and alone, which both sides know already."""
    with direct(shared_cluster, shared_cluster.servers[0]) as connection:
        try:
            run(connection, f"CREATE DATABASE {SCHEMA}")
            run(connection, f"CREATE TABLE {SCHEMA}.t (i INT PRIMARY KEY)")
            for login in ACCOUNTS:
                run(connection, f"CREATE USER {login.user}@'%' IDENTIFIED BY '{login.password}'")
                run(connection, f"GRANT SELECT, INSERT, CREATE TEMPORARY TABLES ON {SCHEMA}.* TO {login.user}@'%'")
            # The proxy may know those of the test before, whose passwords are the same and whose salts are not, and
            # would hear of the new ones in the middle of the test. A stranger makes it read the accounts again.
            with pytest.raises(pymysql.err.OperationalError):
                connect(shared_cluster, session_proxy, user="stranger", password="")
            for login in ACCOUNTS:
                for host, port in endpoints(shared_cluster, session_proxy):
                    with WireClient(host, port) as client:
                        client.log_in(login)
            run(connection, "ALTER USER locked@'%' ACCOUNT LOCK")
            run(connection, "ALTER USER alone@'%' WITH MAX_USER_CONNECTIONS 1")
            yield connection
        finally:
            for login in ACCOUNTS:
                run(connection, f"DROP USER IF EXISTS {login.user}@'%'")
            run(connection, f"DROP DATABASE {SCHEMA}")


def endpoints(cluster: Cluster, proxy: ProxyProcess) -> list[tuple[str, int]]:
    primary = cluster.servers[0]
    return [(primary.host, primary.port), (proxy.host, proxy.port)]


def change(client: WireClient, login: Login, collation_id: int = UTF8MB4, attributes: bytes = b"") -> list[Packet]:
    """Change the user; the packets received without challenges and keys."""
    return [(sequence, shown(payload)) for sequence, payload in client.change_user(login, collation_id, attributes)]


def shown(payload: bytes) -> bytes:
    if payload[:1] != b"\xfe":
        return payload[:24] if payload[:1] == b"\1" else payload
    plugin, _, challenge = payload.partition(b"\0")
    assert len(challenge) == 21
    return plugin


def value(client: WireClient, sql: str) -> bytes:
    """The only value of a statement's only row; b"" for NULL."""
    row = client.query(sql)[3][1]
    return b"" if row == b"\xfb" else row[1:]


def who(client: WireClient) -> bytes:
    return value(client, "SELECT CONCAT(CURRENT_USER(), ' ', IFNULL(DATABASE(), '-'))")


@dataclass
class Outcome:
    packets: list[Packet]
    goes_on_as: bytes


def after(client: WireClient) -> bytes:
    """Who the session is now; empty when the connection was closed."""
    try:
        return who(client)
    except OSError:
        return b""


CASES = {
    "another": TWO,
    "with a schema": Login("two", "second", SCHEMA),
    "the same": ONE,
    "a wrong password": Login("two", "wrong"),
    "no password": Login("two", ""),
    "nobody": Login("nobody", "some"),
    "nobody without a password": Login("nobody", ""),
    "a schema that is none": Login("two", "second", "no_such_schema"),
    "a schema of others": Login("two", "second", "mysql"),
    "a locked account": Login("locked", "third"),
}


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize("case", CASES)
def test_a_change_is_answered_as_by_the_server(shared_cluster: Cluster, session_proxy: ProxyProcess, case: str) -> None:
    outcomes = []
    for host, port in endpoints(shared_cluster, session_proxy):
        with WireClient(host, port) as client:
            client.log_in(Login(ONE.user, ONE.password, capabilities=FLAGS))
            outcomes.append(Outcome(change(client, CASES[case]), after(client)))
    if CASES[case].user == "nobody":
        # MySQL hides who exists behind a method that it chooses.
        assert [outcome.packets[-1][1] for outcome in outcomes] == [outcomes[0].packets[-1][1]] * 2
    else:
        assert outcomes[0].packets == outcomes[1].packets
    assert outcomes[0].goes_on_as == outcomes[1].goes_on_as
    refused = first_error(outcomes[0].packets)
    # MySQL closes after a refusal, MariaDB goes on with the old user.
    stays = b"" if shared_cluster.flavor is Flavor.MYSQL else b"one@% -"
    assert outcomes[0].goes_on_as == (stays if refused else outcomes[0].goes_on_as)
    assert bool(refused) is (case not in ("another", "with a schema", "the same"))


def state(client: WireClient) -> list[bytes]:
    """What a session could have of the user before."""
    found = [value(client, "SELECT @mine"), value(client, "SELECT @@autocommit"), who(client)]
    found += [value(client, "SELECT @@sql_mode = ''"), value(client, "SELECT @@character_set_client")]
    found.append(value(client, f"SELECT COUNT(*) FROM {SCHEMA}.t"))
    for sql in (f"SELECT * FROM {SCHEMA}.temporary", "EXECUTE named"):
        error = first_error(client.query(sql))
        assert error is not None
        found.append(str(error.errno).encode())
    return found


def leave_traces(client: WireClient) -> None:
    for sql in (
        "SET @mine = 5",
        "SET sql_mode = ''",
        "SET NAMES latin1",
        f"CREATE TEMPORARY TABLE {SCHEMA}.temporary (i INT)",
        "PREPARE named FROM 'SELECT 1'",
        "SET autocommit = 0",
        f"INSERT INTO {SCHEMA}.t VALUES (1)",
    ):
        assert first_error(client.query(sql)) is None, sql
    prepared = client.command(b"\x16SELECT 1", Reply.PREPARED)
    assert prepared[0][1][:1] == b"\0"


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize("login", [TWO, ONE, Login("two", "second", SCHEMA)], ids=["another", "same", "schema"])
def test_nothing_is_left_of_the_user_before(shared_cluster: Cluster, session_proxy: ProxyProcess, login: Login) -> None:
    outcomes = []
    for host, port in endpoints(shared_cluster, session_proxy):
        with WireClient(host, port) as client:
            client.log_in(ONE)
            leave_traces(client)
            assert first_error(change(client, login)) is None
            outcomes.append([*state(client), client.command(b"\x17\x01\0\0\0\0\x01\0\0\0")[0][1][:3]])
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0] == b""
    assert outcomes[0][5] == b"0"


@pytest.mark.usefixtures("admin")
def test_a_refusal_leaves_what_the_server_leaves(shared_cluster: Cluster, session_proxy: ProxyProcess) -> None:
    if shared_cluster.flavor is Flavor.MYSQL:
        pytest.skip("MySQL closes the connection")
    outcomes = []
    for host, port in endpoints(shared_cluster, session_proxy):
        with WireClient(host, port) as client:
            client.log_in(Login(ONE.user, ONE.password, SCHEMA))
            leave_traces(client)
            assert first_error(change(client, Login("two", "wrong"))) is not None
            outcomes.append([*state(client), client.command(b"\x17\x01\0\0\0\0\x01\0\0\0")[0][1][:3]])
            client.query("INSERT INTO t VALUES (7)")
            assert value(client, "SELECT COUNT(*) FROM t") == b"1"
            client.query("DELETE FROM t")
            run_as_owner(shared_cluster)
    assert outcomes[0] == outcomes[1]


def run_as_owner(cluster: Cluster) -> None:
    with direct(cluster, cluster.servers[0]) as admin:
        run(admin, f"DELETE FROM {SCHEMA}.t")


def test_reads_go_to_replicas_as_the_new_user(
    shared_cluster: Cluster, session_proxy: ProxyProcess, admin: Connection
) -> None:
    run(admin, f"INSERT INTO {SCHEMA}.t VALUES (3)")
    # The replicas have the accounts, and the row.
    for replica in shared_cluster.servers[1:]:
        with direct(shared_cluster, replica) as connection:
            wait_until(functools.partial(has_row, connection), "the row is replicated")
    with WireClient(session_proxy.host, session_proxy.port) as client:
        client.log_in(ONE)
        client.query("SET @pins = 1")
        assert first_error(change(client, Login("two", "second", SCHEMA))) is None
        counters = Counters(shared_cluster, ("Com_select",))
        for _ in range(6):
            assert value(client, "SELECT i FROM t") == b"3"
        counts = counters.difference()
    # Asking for a position, and waiting for it, are SELECTs too.
    assert counts["dbwrite"] < 6, counts
    assert counts["dbread1"] >= 3, counts
    assert counts["dbread2"] >= 3, counts


def has_row(replica: Connection) -> bool:
    return bool(run(replica, f"SELECT 1 FROM {SCHEMA}.t"))


def test_the_limit_on_connections_counts_as_without_the_proxy(
    shared_cluster: Cluster, session_proxy: ProxyProcess, admin: Connection
) -> None:
    outcomes = []
    for host, port in endpoints(shared_cluster, session_proxy):
        wait_until(functools.partial(is_free, admin, "alone"), "the account has no connections")
        with WireClient(host, port) as client:
            client.log_in(ONE)
            outcomes.append(change(client, Login("alone", "fourth")))
            with WireClient(host, port) as other:
                other.log_in(ONE)
                outcomes.append(change(other, Login("alone", "fourth")))
    assert outcomes[:2] == outcomes[2:]
    assert first_error(outcomes[0]) is None
    error = first_error(outcomes[1])
    assert error is not None
    assert error.errno == 1226


def is_free(admin: Connection, user: str) -> bool:
    return connections_of(admin, user) == 0


def connections_of(admin: Connection, user: str) -> int:
    return len(run(admin, f"SELECT 1 FROM information_schema.PROCESSLIST WHERE USER = '{user}'"))


@pytest.mark.usefixtures("admin")
def test_the_primary_keeps_its_connection(
    shared_cluster: Cluster, session_proxy: ProxyProcess, admin: Connection
) -> None:
    with WireClient(session_proxy.host, session_proxy.port) as client:
        client.log_in(ONE)
        first = value(client, "SELECT SQL_NO_CACHE CONNECTION_ID() FROM (SELECT 1 FOR UPDATE) AS x")
        for login in (TWO, ONE, TWO):
            assert first_error(change(client, login)) is None
            assert value(client, "SELECT SQL_NO_CACHE CONNECTION_ID() FROM (SELECT 1 FOR UPDATE) AS x") == first
        assert connections_of(admin, "one") == 0
        assert connections_of(admin, "two") == 1


@pytest.mark.usefixtures("admin")
def test_a_session_that_lost_its_connection_gets_another(shared_cluster: Cluster, session_proxy: ProxyProcess) -> None:
    with WireClient(session_proxy.host, session_proxy.port) as client:
        client.log_in(ONE)
        for login in (TWO, ONE):
            with direct(shared_cluster, shared_cluster.servers[0]) as killer:
                for (number,) in run(
                    killer, "SELECT ID FROM information_schema.PROCESSLIST WHERE USER IN ('one', 'two')"
                ):
                    run(killer, f"KILL {number}")
                wait_until(lambda: not connections_of(killer, "one") + connections_of(killer, "two"), "killed")
            assert first_error(change(client, login)) is None
            assert who(client) == login.user.encode() + b"@% -"


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize(
    "payload",
    [b"\x11", b"\x11two", b"\x11two\0\x14abc", b"\x11two\0\0", b"\x11two\0\0schema\0", b"\x11two\0\0\0\x2d\0"],
)
def test_an_unreadable_command_is_answered(session_proxy: ProxyProcess, payload: bytes) -> None:
    with WireClient(session_proxy.host, session_proxy.port) as client:
        client.log_in(Login(ONE.user, ONE.password, capabilities=FLAGS))
        client.send(payload)
        assert client.packet() == (1, b"\xff\x17\x04#08S01Unknown command")
        assert client.is_closed()


@pytest.mark.usefixtures("admin")
def test_a_client_that_leaves_in_the_middle_hurts_nobody(shared_cluster: Cluster, session_proxy: ProxyProcess) -> None:
    for stop_after in ("command", "answer"):
        with WireClient(session_proxy.host, session_proxy.port) as client:
            client.log_in(ONE)
            client.send(change_user_payload(ChangeUser("two", "", UTF8MB4), client.capabilities))
            if stop_after == "answer":
                client.packet()
                client.send_bytes(frame(b"x" * 20, 2))
    with direct(shared_cluster, shared_cluster.servers[0]) as watcher:
        wait_until(lambda: not connections_of(watcher, "one"), "the connection to the primary is given up")
    with connect(shared_cluster, session_proxy) as another:
        assert run(another, "SELECT 1") == ((1,),)
    assert "Traceback" not in session_proxy.log


@pytest.mark.usefixtures("admin")
def test_commands_behind_a_change_are_answered_in_order(session_proxy: ProxyProcess) -> None:
    """The answer to the challenge and two commands come in one piece."""
    with WireClient(session_proxy.host, session_proxy.port) as client:
        client.log_in(ONE)
        client.send(change_user_payload(ChangeUser("two", "", UTF8MB4), client.capabilities))
        dialogue = ClientLogin(secret_of(b"second"), b"", "", os.urandom(32), Safety(private=True))
        sequence, payload = client.packet()
        answer = dialogue.answer(payload)
        assert isinstance(answer, bytes)
        client.send_bytes(frame(answer, sequence + 1) + frame(b"\x03SELECT 7", 0) + frame(b"\x0e", 0))
        while not isinstance(dialogue.answer(payload := client.packet()[1]), Ok):
            assert payload == b"\1\3"
        assert client.reply()[3][1] == b"\x017"
        assert parse_ok(client.reply()[0][1]).affected_rows == 0


@pytest.mark.usefixtures("admin")
def test_drivers_change_their_user(shared_cluster: Cluster, session_proxy: ProxyProcess) -> None:
    host, port = session_proxy.host, session_proxy.port
    with MySQLdb.connect(host=host, port=port, user="one", password="first") as connection:
        for user, password in (("two", "second"), ("one", "first")):
            connection.change_user(user, password, SCHEMA)
            with connection.cursor() as cursor:
                cursor.execute("SELECT CURRENT_USER(), DATABASE()")
                assert cursor.fetchall() == ((f"{user}@%", SCHEMA),)
    with mysql.connector.connect(host=host, port=port, user="one", password="first", use_pure=True) as pure:
        for user, password in (("two", "second"), ("one", "first")):
            pure.cmd_change_user(user, password, SCHEMA)
            with pure.cursor() as cursor:
                cursor.execute("SELECT CURRENT_USER(), DATABASE()")
                assert cursor.fetchall() == [(f"{user}@%", SCHEMA)]
        pure.reset_session()
        with pure.cursor() as cursor:
            cursor.execute("SELECT CURRENT_USER(), DATABASE()")
            assert cursor.fetchall() == [("one@%", SCHEMA)]
