"""What servers tell of a session's state is believed: nothing in the texts of these statements tells it."""

from collections.abc import Iterator

import pytest

from proxy.wire import constants as c
from replication.sandbox import Cluster, Flavor
from tests.support.clients import READS, Connection, Counters, connect, direct, run
from tests.support.proxies import ProxyProcess
from tests.support.recorder import Recorder, Turn, differences
from tests.support.waiting import wait_until
from tests.support.wireclient import CAPABILITIES, Login, Packet, WireClient

SCHEMA, OTHER = "trackers_test", "trackers_other"
SETUP = (
    f"CREATE DATABASE {OTHER}",
    f"CREATE TABLE {OTHER}.item (id INT)",
    f"INSERT INTO {OTHER}.item VALUES (42)",
    "CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, value VARCHAR(40))",
    "INSERT INTO item (value) VALUES ('one'), ('two')",
    "CREATE TABLE zoned (id INT PRIMARY KEY AUTO_INCREMENT)",
    "CREATE TABLE named (id INT PRIMARY KEY AUTO_INCREMENT, value VARCHAR(40))",
    "CREATE TRIGGER zones BEFORE INSERT ON zoned FOR EACH ROW SET time_zone = '+05:00'",
    "CREATE TRIGGER names BEFORE INSERT ON named FOR EACH ROW SET NEW.value = UPPER(NEW.value), @last = NEW.value",
    "CREATE PROCEDURE in_zone() SET time_zone = '+03:00'",
    "CREATE PROCEDURE with_results() BEGIN SELECT 1; SET time_zone = '+04:00'; SELECT 2; END",
    "CREATE PROCEDURE in_mode() SET sql_mode = 'ANSI'",
    "CREATE PROCEDURE in_latin1() SET character_set_results = latin1, sql_select_limit = 1",
)
# What a session is in, as far as statements here change it.
STATE = (
    "SELECT @@time_zone, @@sql_mode, @@character_set_client, @@character_set_results, @@character_set_connection, "
    "@@collation_connection, @@sql_select_limit, @@group_concat_max_len, @@foreign_key_checks, DATABASE()"
)


@pytest.fixture(scope="module", autouse=True)
def schema(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[None]:
    with direct(shared_cluster, shared_cluster.servers[0]) as primary, connect(shared_cluster, shared_proxy) as client:
        for text in (f"CREATE DATABASE {SCHEMA}", f"USE {SCHEMA}", *SETUP):
            run(primary, text)
        if shared_cluster.flavor is Flavor.MARIADB:
            text = f"CREATE PROCEDURE elsewhere() BEGIN PREPARE s FROM 'USE {OTHER}'; EXECUTE s; END"
            run(primary, text)
        # From now on the proxy knows of no replica that lacks any of this.
        run(client, f"INSERT INTO {SCHEMA}.item (value) VALUES ('three')")
        wait_until(lambda: reads_leave_the_primary(shared_cluster, client), "reads leave the primary")
        yield
        run(primary, f"DROP DATABASE {SCHEMA}")
        run(primary, f"DROP DATABASE {OTHER}")


def reads_leave_the_primary(cluster: Cluster, client: Connection, text: str = f"SELECT 1 FROM {SCHEMA}.item") -> bool:
    """Whether all of some reads run on replicas; the monitor's own few come on top."""
    counters = Counters(cluster, READS)
    for _ in range(20):
        run(client, text)
    counts = counters.difference()
    return counts["dbread1"] + counts["dbread2"] >= 20


@pytest.mark.parametrize(
    "texts",
    [
        ("SET @zone = '+01:00'", "SET time_zone = @zone"),
        ("SET time_zone = CONCAT('+0', '2:00')",),
        ("SET SESSION sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES,NO_BACKSLASH_ESCAPES')",),
        ("SET @old = @@sql_mode, sql_mode = ''", "SET sql_mode = @old"),
        ("SET sql_mode = ''", "SET sql_mode = DEFAULT"),
        ("SET time_zone = '+01:00'", "SET time_zone = DEFAULT"),
        ("SET group_concat_max_len = 100 * 100, foreign_key_checks = 1 - 1",),
        ("SET sql_select_limit = 4 + 1",),
        ("SET NAMES latin1", "SET character_set_results = NULL", "SET collation_connection = CONCAT('latin1', '_bin')"),
        ("SET @charset = 'latin1'", "SET character_set_connection = @charset"),
    ],
    ids=str,
)
def test_a_set_by_an_expression_is_followed(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, texts: tuple[str, ...]
) -> None:
    with (
        direct(shared_cluster, shared_cluster.servers[0], database=SCHEMA) as one,
        connect(shared_cluster, shared_proxy, database=SCHEMA) as other,
    ):
        for text in texts:
            run(one, text)
            run(other, text)
        assert run(other, STATE) == run(one, STATE)
        assert run(other, STATE) == run(one, STATE)
        assert reads_leave_the_primary(shared_cluster, other)


@pytest.mark.parametrize(
    "text",
    [
        *("INSERT INTO zoned VALUES ()", "INSERT INTO named (value) VALUES ('a')", "CALL in_zone()", "CALL in_mode()"),
        *("CALL with_results()", "CALL in_latin1()", "CALL elsewhere()", "DO 1; SET @z = '+06:00'; SET time_zone = @z"),
    ],
)
def test_what_a_program_sets_is_seen(shared_cluster: Cluster, shared_proxy: ProxyProcess, text: str) -> None:
    if text == "CALL elsewhere()" and shared_cluster.flavor is not Flavor.MARIADB:
        pytest.skip("MySQL prepares no USE")
    answers = []
    several = {"client_flag": 1 << 16}
    for connection in (
        direct(shared_cluster, shared_cluster.servers[0], database=SCHEMA, **several),
        connect(shared_cluster, shared_proxy, database=SCHEMA, **several),
    ):
        with connection, connection.cursor() as cursor:
            cursor.execute(text)
            while cursor.nextset():
                pass
            answers.append([run(connection, asked) for asked in (STATE, STATE, "SELECT @last", "SELECT id FROM item")])
    assert answers[1] == answers[0]


def test_what_else_a_trigger_changes_keeps_the_session_on_the_primary(
    shared_cluster: Cluster, shared_proxy: ProxyProcess
) -> None:
    with connect(shared_cluster, shared_proxy, database=SCHEMA) as client:
        run(client, "INSERT INTO item (value) VALUES ('no trigger')")
        wait_until(lambda: reads_leave_the_primary(shared_cluster, client), "reads leave the primary")
        run(client, "INSERT INTO named (value) VALUES ('b')")
        assert run(client, "SELECT @last") == (("B",),)
        counters = Counters(shared_cluster, READS)
        for _ in range(20):
            run(client, "SELECT 1 FROM item")
        assert counters.difference()["dbwrite"] >= 20


TALK = (
    *("SET time_zone = '+01:00'", "USE trackers_other", "SELECT @@time_zone", f"USE {SCHEMA}", "CALL with_results()"),
    *("BEGIN", "INSERT INTO zoned VALUES (1000)", "INSERT INTO named VALUES (1000, 'c')", "SELECT @last"),
    *("UPDATE item SET value = 'x' WHERE id = 1", "ROLLBACK", "CALL in_latin1()"),
    *("SET sql_mode = CONCAT(@@sql_mode, ',ANSI')", "SET @a = 1; SET time_zone = '+02:00'; SELECT 1", "DO 1"),
    *("CREATE TEMPORARY TABLE mine (a INT)", "ALTER TABLE mine ADD b INT", "DROP TABLE mine"),
    *("PREPARE s FROM 'SET time_zone = ''+07:00'''", "EXECUTE s", "SELECT * FROM no_such_table", "DO 1"),
)


@pytest.mark.parametrize("deprecate", [0, c.CLIENT_DEPRECATE_EOF], ids=["eof", "ok"])
@pytest.mark.parametrize("track", [0, c.CLIENT_SESSION_TRACK], ids=["untracked", "tracked"])
def test_clients_get_what_they_asked_for(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, deprecate: int, track: int
) -> None:
    primary = shared_cluster.servers[0]
    how = Login(primary.user, primary.password, SCHEMA, CAPABILITIES | deprecate | track)
    wanted = recorded(primary.host, primary.port, how)
    got = recorded(shared_proxy.host, shared_proxy.port, how)
    assert not (found := differences(wanted, got)), found


def recorded(host: str, port: int, how: Login) -> list[Turn]:
    with WireClient(host, port) as client:
        talk = Recorder(client.log_in(how))
        for text in TALK:
            talk.query(text)
        return talk.turns


@pytest.mark.parametrize("track", [0, c.CLIENT_SESSION_TRACK], ids=["untracked", "tracked"])
def test_the_end_of_a_login(shared_cluster: Cluster, shared_proxy: ProxyProcess, track: int) -> None:
    primary = shared_cluster.servers[0]
    last = []
    for host, port in ((primary.host, primary.port), (shared_proxy.host, shared_proxy.port)):
        with Remembering(host, port) as client:
            client.log_in(Login(primary.user, primary.password, SCHEMA, CAPABILITIES | track))
            last.append(client.last)
    assert last[0] == last[1]


class Remembering(WireClient):
    """Keeps the payload of the last packet."""

    last = b""

    def packet(self) -> Packet:
        sequence, self.last = super().packet()
        return sequence, self.last


def test_a_reset_asks_anew(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    primary = shared_cluster.servers[0]
    how = Login(primary.user, primary.password, SCHEMA, CAPABILITIES)
    with WireClient(shared_proxy.host, shared_proxy.port) as client:
        client.log_in(how)
        client.query("DO 1")
        client.command(bytes((c.COM_RESET_CONNECTION,)))
        client.query("SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')")
        counters = Counters(shared_cluster, READS)
        for _ in range(20):
            client.query('SELECT "id" FROM item')
        counts = counters.difference()
        assert counts["dbread1"] + counts["dbread2"] >= 20
