"""EXPLAIN ROUTE and SHOW PROXY through the port of everybody, read by real drivers."""

import functools
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mysql.connector
import pymysql
import pytest

from proxy.wire import constants as c
from replication.sandbox import Cluster
from tests.integration.drivers.processes import program
from tests.integration.drivers.test_command_line import CLIENTS, output_of
from tests.support.clients import WRITES, Connection, Counters, connect, direct, run
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until
from tests.support.wireclient import CAPABILITIES, Login, WireClient, first_error

SCHEMA = "admin_test"
LOW, SEER = "admin_low", "admin_seer"
PARSE_ERROR, DENIED = 1064, 1227
TOPICS = ("SESSIONS", "POOLS", "SERVERS", "DIGESTS", "ROUTES", "STATUS", "POSITION", "VERSION", "HELP")


@pytest.fixture(scope="module", autouse=True)
def schema(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[None]:
    with connect(shared_cluster, shared_proxy) as connection:
        for user in (LOW, SEER):
            run(connection, f"DROP USER IF EXISTS {user}")
            run(connection, f"CREATE USER {user} IDENTIFIED BY 'low'")
        run(connection, f"GRANT PROCESS ON *.* TO {SEER}")
        run(connection, f"DROP DATABASE IF EXISTS {SCHEMA}")
        run(connection, f"CREATE DATABASE {SCHEMA}")
        run(connection, f"CREATE TABLE {SCHEMA}.item (id INT PRIMARY KEY)")
        wait_until_fresh(connection)
        yield
        run(connection, f"DROP DATABASE {SCHEMA}")
        for user in (LOW, SEER):
            run(connection, f"DROP USER {user}")


def explained(connection: Connection, text: str) -> dict[str, Any]:
    return dict(run(connection, f"EXPLAIN ROUTE {text}"))


def wait_until_fresh(connection: Connection) -> None:
    """Until the session's reads may go to either replica."""
    for name in ("dbread1", "dbread2"):
        text = f"SELECT 1 /* manyreads: replica={name} */"
        wait_until(functools.partial(_goes_to, connection, text, name), f"{name} is fresh")


def _goes_to(connection: Connection, text: str, name: str) -> bool:
    return str(explained(connection, text)["server"]).split()[0] == name


def reads(connection: Connection) -> dict[str, int]:
    """How many the proxy had each server answer."""
    return {row[0]: row[7] for row in run(connection, "SHOW PROXY SERVERS")}


def test_both_vendors_know_none_of_it(primary: Connection) -> None:
    # MariaDB asks for a schema before it comes to the error.
    run(primary, f"USE {SCHEMA}")
    for text in ("EXPLAIN ROUTE SELECT 1", *(f"SHOW PROXY {topic}" for topic in TOPICS)):
        with pytest.raises(pymysql.MySQLError) as error:
            run(primary, text)
        assert error.value.args[0] == PARSE_ERROR


def test_a_route_is_told_and_nothing_runs(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, client: Connection
) -> None:
    counters = Counters(shared_cluster, WRITES)
    run(client, f"USE {SCHEMA}")
    read = explained(client, "SELECT * FROM item WHERE id IN (1, 2)")
    assert (read["target"], read["reason"], read["writes"], read["tables"]) == ("replica", "read", "no", "item")
    assert read["consistency"] == "global"
    assert "dbread1 fresh" in read["replicas"]
    write = explained(client, "INSERT INTO item VALUES (1)")
    address = f"{shared_cluster.servers[0].host}:{shared_cluster.servers[0].port}"
    assert (write["server"], write["reason"], write["writes"]) == (f"dbwrite ({address})", "write", "yes")
    assert explained(client, "/* manyreads: primary */ SELECT 1")["reason"] == "hint"
    run(client, "CREATE TEMPORARY TABLE t (a INT)")
    pinned = explained(client, "SELECT 1")
    assert (pinned["reason"], pinned["pinned"]) == ("pinned:temp-table", "temp-table")
    run(client, "DROP TEMPORARY TABLE t")
    run(client, "BEGIN")
    assert explained(client, "SELECT 1")["reason"] == "in-transaction"
    run(client, "ROLLBACK")
    assert run(client, "SELECT COUNT(*) FROM item") == ((0,),)
    assert counters.difference()["dbwrite"] == 0


def test_turns_are_not_taken(client: Connection) -> None:
    first = explained(client, "SELECT 1")["server"]
    assert explained(client, "SELECT 1")["server"] == first
    assert first.split()[0] in str(run(client, "SHOW PROXY SERVERS"))


def test_the_session_goes_on_as_if_nothing_was_asked(client: Connection) -> None:
    run(client, "SELECT 1/0")
    warnings = run(client, "SHOW WARNINGS")
    run(client, "SELECT 1/0")
    explained(client, "SELECT 1")
    assert run(client, "SHOW WARNINGS") == warnings


def test_what_is_shown(shared_cluster: Cluster, shared_proxy: ProxyProcess, client: Connection) -> None:
    for number in range(5):
        run(client, f"SELECT {number} FROM {SCHEMA}.item WHERE id = {number}")
    ((digest_id, digest, count, on_primary, on_replicas, errors, rows, affected, reason, _, *times),) = run(
        client, f"SHOW PROXY DIGESTS LIKE '%{SCHEMA}%WHERE%id%=%'"
    )
    assert "4" not in digest
    assert (count, on_primary + on_replicas, errors, reason) == (5, 5, 0, "read")
    assert (rows, affected) == (0, 0)
    assert all(0 < float(milliseconds) < 60_000 for milliseconds in times[:3])
    assert times[3] is None
    assert digest_id == explained(client, f"SELECT 7 FROM {SCHEMA}.item WHERE id = 8")["digest_id"]
    servers = run(client, "SHOW PROXY SERVERS")
    assert [(row[0], row[2], row[3]) for row in servers] == [
        ("dbwrite", "primary", "healthy"),
        *((server.name, "replica", "healthy") for server in shared_cluster.servers[1:]),
    ]
    assert sum(int(row[7]) for row in servers) >= 5
    assert ("read", "replica") in [row[:2] for row in run(client, "SHOW PROXY ROUTES")]
    own = [row for row in run(client, "SHOW PROXY SESSIONS") if row[0] == client.thread_id()]
    assert [(row[4], row[6]) for row in own] == [("working", "no")]
    pools = {row[0]: row[2] for row in run(client, "SHOW PROXY POOLS LIKE 'dbwrite'")}
    assert pools["dbwrite"] >= 1
    status: dict[str, Any] = dict(run(client, "SHOW PROXY STATUS"))
    assert int(status["sessions"]) >= 1
    assert run(client, "SHOW PROXY VERSION") == ((status["version"],),)
    assert "SHOW PROXY POOLS" in str(run(client, "SHOW PROXY HELP"))


def test_rows_are_counted(client: Connection) -> None:
    run(client, f"CREATE TABLE {SCHEMA}.counted (id INT PRIMARY KEY)")
    run(client, f"INSERT INTO {SCHEMA}.counted VALUES (1), (2), (3)")
    for _ in range(2):
        assert len(run(client, f"SELECT id FROM {SCHEMA}.counted ORDER BY id LIMIT 2")) == 2
    run(client, f"DELETE FROM {SCHEMA}.counted WHERE id > 1")
    run(client, f"DROP TABLE {SCHEMA}.counted")
    shown = {row[1].split()[0]: row[6:8] for row in run(client, f"SHOW PROXY DIGESTS LIKE '%{SCHEMA}%counted%'")}
    assert shown == {"CREATE": (0, 0), "INSERT": (0, 3), "SELECT": (4, 0), "DELETE": (0, 2), "DROP": (0, 0)}


def test_errors_are_counted(client: Connection) -> None:
    with pytest.raises(pymysql.MySQLError):
        run(client, f"SELECT * FROM {SCHEMA}.admin_has_no_such_table")
    shown = run(client, "SHOW PROXY DIGESTS LIKE '%admin_has_no_such_table%'")
    ((_, _, count, on_primary, on_replicas, errors, *_),) = shown
    assert (count, on_primary, on_replicas, errors) == (1, 1, 0, 1)


def test_others_need_the_privilege(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    with (
        connect(shared_cluster, shared_proxy) as admin,
        connect(shared_cluster, shared_proxy, user=LOW, password="low") as low,
        connect(shared_cluster, shared_proxy, user=SEER, password="low") as seer,
    ):
        assert {row[1] for row in run(low, "SHOW PROXY SESSIONS")} == {LOW}
        for watcher in (admin, seer):
            assert {row[1] for row in run(watcher, "SHOW PROXY SESSIONS")} >= {LOW, SEER}
        for topic in ("DIGESTS", "POOLS"):
            with pytest.raises(pymysql.MySQLError) as error:
                run(low, f"SHOW PROXY {topic}")
            assert error.value.args[0] == DENIED
        assert run(seer, "SHOW PROXY DIGESTS")
        assert explained(low, "SELECT 1")["reason"] == "read"


def test_prepared_they_get_the_servers_own_error(client: Connection) -> None:
    run(client, f"USE {SCHEMA}")
    for text in ("PREPARE s FROM 'EXPLAIN ROUTE SELECT 1'", "PREPARE s FROM 'SHOW PROXY HELP'"):
        with pytest.raises(pymysql.MySQLError) as error:
            run(client, text)
        assert error.value.args[0] == PARSE_ERROR


FLAGS = (
    c.CLIENT_DEPRECATE_EOF,
    c.CLIENT_OPTIONAL_RESULTSET_METADATA,
    c.CLIENT_QUERY_ATTRIBUTES,
    c.CLIENT_SESSION_TRACK,
)


@pytest.mark.parametrize("flags", [sum(chosen) for chosen in itertools.product(*((0, flag) for flag in FLAGS))])
def test_every_layout_is_read(shared_cluster: Cluster, shared_proxy: ProxyProcess, flags: int) -> None:
    primary = shared_cluster.servers[0]
    with WireClient(shared_proxy.host, shared_proxy.port) as client:
        client.log_in(Login(primary.user, primary.password, capabilities=CAPABILITIES | flags))
        for text in ("EXPLAIN ROUTE SELECT 1", "SHOW PROXY SESSIONS", "SELECT 1"):
            assert first_error(client.query(text)) is None


def test_commands_behind_one_another_are_answered_in_order(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    primary = shared_cluster.servers[0]
    with WireClient(shared_proxy.host, shared_proxy.port).log_in(Login(primary.user, primary.password)) as client:
        for _ in range(50):
            client.send(b"\x03SHOW PROXY HELP")
            client.send(b"\x03SELECT 'between'")
        for _ in range(50):
            assert any(b"EXPLAIN ROUTE" in payload for _, payload in client.reply())
            assert any(b"between" in payload for _, payload in client.reply())


@pytest.mark.parametrize("options", [{}, {"compress": True}, {"ssl_disabled": True}])
def test_mysql_connector_reads_it(shared_cluster: Cluster, shared_proxy: ProxyProcess, options: dict[str, Any]) -> None:
    primary = shared_cluster.servers[0]
    where: dict[str, Any] = {"host": shared_proxy.host, "port": shared_proxy.port}
    login: dict[str, Any] = {"user": primary.user, "password": primary.password, "use_pure": True}
    connection = mysql.connector.connect(**where, **login, **options)
    try:
        cursor = connection.cursor()
        cursor.execute("EXPLAIN ROUTE SELECT 'grün'")
        rows: Any = cursor.fetchall()
        assert dict(rows)["kind"] == "a plain read"
        cursor.execute("SHOW PROXY SERVERS")
        assert len(cursor.fetchall()) == len(shared_cluster.servers)
    finally:
        connection.close()


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("options", [(), ("--compress",)])
def test_command_line_clients_read_it(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, name: str, options: tuple[str, ...]
) -> None:
    primary = shared_cluster.servers[0]
    login = (f"--host={shared_proxy.host}", f"--port={shared_proxy.port}", f"--user={primary.user}")
    command = [program(CLIENTS[name]), "--no-defaults", *login, f"--password={primary.password}", "--table", *options]
    script = "EXPLAIN ROUTE SELECT 1;\n" + "".join(f"SHOW PROXY {topic};\n" for topic in TOPICS)
    output = output_of(command, script)
    print(output)
    # Digests of other tests' statements may have the word.
    assert not re.search("^ERROR ", output, re.MULTILINE)
    for word in ("| reason", "| digest_id", "| replica", "SHOW PROXY POOLS"):
        assert word in output


def test_names_are_in_the_sessions_character_set(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    with connect(shared_cluster, shared_proxy, charset="latin1") as connection:
        assert explained(connection, "SELECT grün FROM t")["digest"] == "SELECT `grün` FROM `t`"


def test_a_table_named_route_is_still_described(shared_cluster: Cluster, client: Connection) -> None:
    run(client, f"USE {SCHEMA}")
    run(client, "CREATE TABLE route (id INT, `select` INT)")
    name = "route"
    with direct(shared_cluster, shared_cluster.servers[0], database=SCHEMA) as server:
        for text in (f"EXPLAIN {name}", f"EXPLAIN {name} id", f"EXPLAIN {name} 'i%'", f"EXPLAIN {name} x'6964'"):
            assert run(client, text) == run(server, text)
    run(client, "DROP TABLE route")


def test_hints_and_rules_steer_reads(shared_cluster: Cluster, tmp_path: Path) -> None:
    rules = (
        f"[[rules]]\nschema = '{SCHEMA}'\npattern = 'FROM .?item'\ntarget = 'primary'\n"
        f"[[rules]]\nuser = 'nobody'\nschema = '{SCHEMA}'\npattern = 'FROM .?item'\nreplica = 'dbread1'\n"
        "[[rules]]\npattern = 'rule_three'\nconsistency = 'eventual'\nreplica = 'dbread2'\n"
    )
    file = tmp_path / "rules.toml"
    file.write_text(rules)
    with (
        running_proxy(shared_cluster, "--config", str(file)) as proxy,
        connect(shared_cluster, proxy, database=SCHEMA) as client,
    ):
        assert "rule 2 never decides" in proxy.log
        wait_until_fresh(client)
        told = explained(client, "SELECT * FROM item")
        assert (told["target"], told["reason"], told["rule"]) == ("primary", "rule", "1")
        assert explained(client, "SELECT /* manyreads: replica */ * FROM item")["target"] == "replica"
        told = explained(client, "SELECT 3 AS rule_three")
        assert (told["server"].split()[0], told["rule"]) == ("dbread2", "3")
        assert told["consistency"] == "eventual, rather dbread2"
        assert explained(client, "INSERT INTO item VALUES (3) -- rule_three")["rule"] is None

        named = "SELECT 1 /* manyreads: replica=dbread1 max_lag=1m */"
        before = reads(client)
        for _ in range(4):
            run(client, named)
        assert reads(client) == {**before, "dbread1": before["dbread1"] + 4}
        told = explained(client, "SELECT 1 /* manyreads: consistency=total replica=nobody */")
        assert told["hint_problems"] == "consistency=total"
        assert told["server"][:6] == "dbread"
        proxy.wait_for_log("hints that are not understood: consistency=total")
        run(client, "BEGIN")
        assert explained(client, named)["reason"] == "in-transaction"
        run(client, "ROLLBACK")
        for text in ("INSERT INTO item VALUES (1)", "SELECT no_such_function()", "SELECT 1 FOR UPDATE"):
            assert (
                explained(client, f"/* manyreads: replica=dbread1 consistency=eventual */ {text}")["target"]
                == "primary"
            )


def test_hints_of_prepared_statements(shared_cluster: Cluster, shared_proxy: ProxyProcess, client: Connection) -> None:
    primary = shared_cluster.servers[0]
    wait_until_fresh(client)
    before = reads(client)
    login: dict[str, Any] = {"user": primary.user, "password": primary.password, "use_pure": True}
    connection = mysql.connector.connect(host=shared_proxy.host, port=shared_proxy.port, autocommit=True, **login)
    try:
        cursor = connection.cursor(prepared=True)
        for number in range(4):
            cursor.execute("SELECT ? /* manyreads: replica=dbread2 */", (number,))
            assert cursor.fetchall() == [(number,)]
    finally:
        connection.close()
    assert reads(client) == {**before, "dbread2": before["dbread2"] + 4}
