"""The table of docs/routing.md, row by row: where each statement runs, by the servers' own logs, and that its reply is
that of a direct connection. And the traps that a parser of SQL falls into.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import pytest

from replication.sandbox import Cluster, Flavor
from tests.differential.schema import DIRECT, PROXIED, USER, Administrator, login
from tests.differential.steps import Kind, Side, Step, query
from tests.support.clients import connect, run
from tests.support.generallog import GeneralLog, general_logs
from tests.support.proxies import ProxyProcess
from tests.support.recorder import Recorder, differences
from tests.support.waiting import wait_until
from tests.support.wireclient import Value, WireClient
from topology.servers import Vendor

REPLICA, PRIMARY = "replica", "primary"
FOUND: Final = "SELECT SQL_CALC_FOUND_ROWS id FROM item LIMIT 1"
PREFIXES: Final = {side: f"{side}9_" for side in (DIRECT, PROXIED)}
MARIADB, MYSQL = Flavor.MARIADB, Flavor.MYSQL
_LONG: Final = 3


@dataclass(frozen=True)
class Case:
    """`steps` end with the one that must run on `where`; `logged` is what that server's log has of it."""

    where: str
    steps: tuple[Step, ...]
    logged: str
    vendor: Flavor | None

    def __str__(self) -> str:
        return f"{self.where}: {'; '.join(str(step.text or step.kind) for step in self.steps)}"


def to(where: str, text: str, *before: str, logged: str = "", vendor: Flavor | None = None) -> Case:
    """A statement, and those before it in its session."""
    return Case(where, tuple(map(query, (*before, text))), logged or text.strip(" ;"), vendor)


def prepared(
    where: str, text: str, *values: Value, before: str = "", logged: str = "", vendor: Flavor | None = None
) -> Case:
    """A statement of the binary protocol; `before` runs between its preparation and its execution."""
    between = (query(before),) if before else ()
    steps = (Step(Kind.PREPARE, text, 1), *between, Step(Kind.EXECUTE, handle=1, values=values))
    return Case(where, steps, logged or text, vendor)


def long(number: int) -> Value:
    return _LONG, number.to_bytes(4, "little")


# --- the rows of the table --------------------------------------------------------------------------------------------

ITEMS: Final = "SELECT id FROM item ORDER BY id"
WRONG_ARGUMENTS: Final = ("PREPARE p FROM 'SELECT id FROM item'", "EXECUTE p USING @a")
ROLE: Final = "SELECT CURRENT_ROLE(), id FROM item"

ROWS: Final[dict[str, tuple[Case, ...]]] = {
    "SELECT and its like": (
        to(REPLICA, ITEMS),
        to(REPLICA, "(SELECT id FROM item WHERE id = 2)"),
        to(REPLICA, "SELECT id FROM item UNION SELECT 9 ORDER BY id"),
        to(REPLICA, "SELECT id FROM item EXCEPT SELECT 2"),
        to(REPLICA, "SELECT id FROM item INTERSECT SELECT 2"),
        to(REPLICA, "WITH c AS (SELECT id FROM item) SELECT COUNT(*) FROM c"),
        to(REPLICA, "SELECT id FROM ~b.item"),
        to(REPLICA, "SELECT * FROM shown ORDER BY id"),
        to(REPLICA, "TABLE noted", vendor=MYSQL),
        to(REPLICA, "VALUES ROW(1, 2)", vendor=MYSQL),
        # Not parsed in this form.
        to(PRIMARY, "VALUES (1, 2)", vendor=MARIADB),
    ),
    "inside a transaction": (
        to(PRIMARY, ITEMS, "BEGIN"),
        to(REPLICA, ITEMS, "START TRANSACTION READ ONLY"),
        to(PRIMARY, ITEMS, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"),
        to(PRIMARY, ITEMS, "SET autocommit = 0"),
        to(PRIMARY, ITEMS, "XA START '~#x'"),
        to(PRIMARY, ITEMS, "CALL begins()"),
        to(PRIMARY, ITEMS, "BEGIN", "COMMIT AND CHAIN"),
        to(REPLICA, ITEMS, "BEGIN", "COMMIT"),
        to(REPLICA, ITEMS, "BEGIN", "CREATE TABLE made (a INT)"),
        to(REPLICA, ITEMS, "SET autocommit = 0", "SET autocommit = 1"),
    ),
    "locking reads": (
        to(PRIMARY, f"{ITEMS} FOR UPDATE"),
        to(PRIMARY, f"{ITEMS} LOCK IN SHARE MODE"),
        to(PRIMARY, f"{ITEMS} FOR UPDATE NOWAIT"),
        to(PRIMARY, f"{ITEMS} FOR UPDATE SKIP LOCKED"),
        to(PRIMARY, f"{ITEMS} FOR SHARE", vendor=MYSQL),
        to(PRIMARY, f"{ITEMS} FOR UPDATE OF item", vendor=MYSQL),
        to(PRIMARY, f"{ITEMS} FOR UPDATE WAIT 3", vendor=MARIADB),
        to(PRIMARY, "(SELECT id FROM item WHERE id = 1 FOR UPDATE)"),
        to(PRIMARY, "SELECT (SELECT id FROM item WHERE id = 2 FOR UPDATE) AS i"),
        to(PRIMARY, "WITH c AS (SELECT id FROM item FOR UPDATE) SELECT COUNT(*) FROM c", vendor=MYSQL),
    ),
    "SELECT INTO, assignments": (
        to(PRIMARY, "SELECT COUNT(*) INTO @a FROM item"),
        to(PRIMARY, "SELECT id FROM item WHERE id = 1 INTO @a"),
        to(PRIMARY, "SELECT id FROM item INTO OUTFILE '/no/such/directory/file'"),
        to(PRIMARY, "SELECT @v := id FROM item ORDER BY id"),
        to(PRIMARY, "SELECT id FROM item WHERE (@v := 3) ORDER BY id"),
    ),
    "user variables": (
        to(REPLICA, "SELECT @a, id FROM item ORDER BY id", "SET @a = 'text'"),
        to(REPLICA, "SELECT @never, id FROM item ORDER BY id"),
        to(PRIMARY, "SELECT @a, id FROM item ORDER BY id", "SET @a = 1 + 1"),
        to(PRIMARY, "SELECT @a, id FROM item ORDER BY id", "SELECT MAX(id) INTO @a FROM item"),
        to(REPLICA, "SELECT @b, id FROM item ORDER BY id", "SET @a = 1 + 1", "SET @b = 2"),
        # NULL keeps the type of the value before.
        to(REPLICA, "SELECT @a, id FROM item ORDER BY id", "SET @a = 'text'", "SET @a = NULL"),
        # A variable that was never set has another type behind this: servers say that something has changed.
        to(PRIMARY, "SELECT @b, id FROM item ORDER BY id", "UPDATE item SET n = @b"),
        to(PRIMARY, "SELECT @in_function, id FROM item ORDER BY id", "SELECT notes(5)"),
        to(PRIMARY, "SELECT @seen, id FROM item ORDER BY id", "INSERT INTO counted (n) VALUES (@c := 5)"),
        to(PRIMARY, "SELECT @b, id FROM item ORDER BY id", "CALL answers(1, @b, @c)"),
    ),
    "PREPARE, EXECUTE": (
        to(PRIMARY, "PREPARE p FROM 'SELECT id FROM item ORDER BY id'", logged="PREPARE p FROM"),
        to(REPLICA, "EXECUTE p", "PREPARE p FROM 'SELECT 5, id FROM item'", logged="SELECT 5, id FROM item"),
        to(
            REPLICA,
            "EXECUTE p USING @a",
            "PREPARE p FROM 'SELECT id FROM item WHERE id = ?'",
            "SET @a = 2",
            logged="SELECT id FROM item WHERE id = 2",
        ),
        to(PRIMARY, "EXECUTE p", "PREPARE p FROM 'DELETE FROM noted'", logged="DELETE FROM noted"),
        to(PRIMARY, "EXECUTE p", "SET @t = 'SELECT 5'", "PREPARE p FROM @t", logged="SELECT 5"),
        to(PRIMARY, "EXECUTE p", "PREPARE p FROM 'SELECT 6'", "SET sql_mode = 'ANSI'", logged="SELECT 6"),
    ),
    "functions": (
        to(PRIMARY, "SELECT twice(id) FROM item ORDER BY id"),
        to(PRIMARY, "SELECT ~a.twice(2)"),
        to(PRIMARY, "SELECT notes(2)"),
        to(PRIMARY, "SELECT no_such_function(2)"),
        to(PRIMARY, "SELECT ~a.abs(-2)"),
        to(REPLICA, "SELECT ABS(-2), CONCAT('a', 'b'), UPPER(value) FROM item ORDER BY id"),
        to(REPLICA, "SELECT SLEEP(0), DATABASE(), VERSION()"),
    ),
    "functions that only the primary answers": (
        to(PRIMARY, "SELECT LAST_INSERT_ID() + 0 FROM item"),
        to(PRIMARY, "SELECT CONNECTION_ID() IS NULL"),
        to(PRIMARY, "SELECT GET_LOCK('~#one', 0)"),
        to(PRIMARY, "SELECT IS_FREE_LOCK('~#one')"),
        to(PRIMARY, "SELECT NEXTVAL(sq)", vendor=MARIADB),
        to(PRIMARY, "SELECT NEXT VALUE FOR sq", vendor=MARIADB),
        to(PRIMARY, "SELECT LASTVAL(sq)", "SELECT NEXTVAL(sq)", vendor=MARIADB),
        to(PRIMARY, "SELECT MASTER_GTID_WAIT('', 0)", vendor=MARIADB),
        to(PRIMARY, "SELECT WAIT_FOR_EXECUTED_GTID_SET('', 0)", vendor=MYSQL),
    ),
    "about the statement before": (
        to(REPLICA, "SELECT FOUND_ROWS()", "SELECT SQL_CALC_FOUND_ROWS id FROM item LIMIT 1"),
        to(REPLICA, "SELECT ROW_COUNT()", ITEMS),
        to(REPLICA, "SHOW WARNINGS", "SELECT 1/0 FROM item"),
        to(REPLICA, "SHOW COUNT(*) WARNINGS", "SELECT 1/0 FROM item"),
        to(REPLICA, "SELECT @@warning_count, @@error_count", "SELECT 1/0 FROM item"),
        to(PRIMARY, "SHOW WARNINGS", "INSERT IGNORE INTO noted (note) VALUES ('too long for it')"),
        to(PRIMARY, "SELECT ROW_COUNT()", "UPDATE item SET n = 8"),
        to(REPLICA, "SELECT FOUND_ROWS()", FOUND, "SET @a = 1"),
        to(REPLICA, "SELECT FOUND_ROWS()", FOUND, "INSERT INTO noted (note) VALUES ('a')"),
        to(REPLICA, "SELECT FOUND_ROWS()", FOUND, "SELECT * FROM no_such_table"),
        to(REPLICA, "SELECT FOUND_ROWS()", FOUND, *WRONG_ARGUMENTS),
        to(REPLICA, "SHOW WARNINGS", "SELECT 1/0 FROM item", "SELECT 1", "SELECT 2", vendor=MARIADB),
        to(REPLICA, "SHOW WARNINGS", "SELECT 1/0 FROM item", "HELP 'no such thing'", vendor=MARIADB),
        # What two servers know is known to one after the read has run there, too.
        to(PRIMARY, "GET DIAGNOSTICS @a = ROW_COUNT, @b = NUMBER", ITEMS),
        to(PRIMARY, "SELECT @a, @b", "SELECT 1/0 FROM item", "GET DIAGNOSTICS @a = ROW_COUNT, @b = NUMBER"),
        to(PRIMARY, "GET DIAGNOSTICS @a = ROW_COUNT", ITEMS, "SELECT FOUND_ROWS()"),
        to(PRIMARY, "SELECT LAST_INSERT_ID(), FOUND_ROWS()", "INSERT INTO noted (note) VALUES ('a')", FOUND),
        to(PRIMARY, "SELECT LAST_INSERT_ID(), ROW_COUNT()", "UPDATE item SET n = 9", ITEMS),
        to(PRIMARY, "SELECT FOUND_ROWS() AS f, ROW_COUNT() AS r", FOUND, "SELECT * FROM no_such_table"),
        to(PRIMARY, "SELECT FOUND_ROWS() AS f, ROW_COUNT() AS r", FOUND, *WRONG_ARGUMENTS),
        to(PRIMARY, "SELECT @@warning_count, id FROM item ORDER BY id", "SELECT 1/0 FROM item"),
        to(PRIMARY, "SET @n = FOUND_ROWS()", FOUND),
        to(PRIMARY, "SELECT @n", FOUND, "SET @n = FOUND_ROWS()"),
        to(PRIMARY, "INSERT INTO noted (note) VALUES (FOUND_ROWS())", FOUND),
        to(PRIMARY, "SHOW ERRORS", "SELECT * FROM no_such_table"),
        to(PRIMARY, "SELECT FOUND_ROWS()", "BEGIN", "SELECT SQL_CALC_FOUND_ROWS id FROM item LIMIT 1"),
    ),
    "information_schema": (
        to(REPLICA, "SELECT table_name FROM information_schema.tables WHERE table_schema = '~b'"),
        to(REPLICA, "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = '~b'"),
        to(PRIMARY, "SELECT COUNT(*) > 0 FROM information_schema.processlist"),
        to(PRIMARY, "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE 0"),
        to(PRIMARY, "SELECT COUNT(*) FROM information_schema.events WHERE 0"),
    ),
    "schemas of the server's own": (
        to(PRIMARY, "SELECT COUNT(*) FROM mysql.user"),
        to(PRIMARY, "SELECT COUNT(*) FROM performance_schema.threads WHERE 0"),
        to(PRIMARY, "SELECT 1 FROM sys.version"),
        to(PRIMARY, "SELECT 3", "USE sys"),
    ),
    "variables that tell about one server": (
        to(PRIMARY, "SELECT @@server_id"),
        to(PRIMARY, "SELECT @@hostname, @@port"),
        to(PRIMARY, "SELECT @@read_only"),
        to(PRIMARY, "SELECT @@global.sql_mode"),
        to(PRIMARY, "SELECT @@log_bin"),
        to(PRIMARY, "SELECT @@gtid_domain_id", vendor=MARIADB),
        to(PRIMARY, "SELECT @@gtid_mode", vendor=MYSQL),
    ),
    "other variables": (
        to(REPLICA, "SELECT @@sql_mode, @@time_zone, @@session.sql_select_limit"),
        to(REPLICA, "SELECT @@time_zone, id FROM item", "SET time_zone = '+04:00'"),
        to(REPLICA, "SHOW VARIABLES LIKE 'sql_select_limit'", "SET sql_select_limit = 77"),
        to(REPLICA, "SELECT @@character_set_results, 'é'", "SET NAMES latin1"),
    ),
    "SHOW": (
        to(REPLICA, "SHOW DATABASES LIKE '~%'"),
        to(REPLICA, "SHOW TABLES"),
        to(REPLICA, "SHOW FULL COLUMNS FROM item"),
        to(REPLICA, "SHOW INDEX FROM noted WHERE 0"),
        to(REPLICA, "SHOW CREATE TABLE noted"),
        to(REPLICA, "SHOW COLLATION LIKE 'utf8mb4_bin'"),
        to(REPLICA, "SHOW ENGINES"),
        to(REPLICA, "SHOW TRIGGERS LIKE 'none'"),
        to(PRIMARY, "SHOW GRANTS"),
        to(PRIMARY, "SHOW STATUS LIKE 'none'"),
        to(PRIMARY, "SHOW BINARY LOGS"),
        to(PRIMARY, "SHOW OPEN TABLES LIKE 'none'"),
        to(PRIMARY, "SHOW EVENTS"),
    ),
    "DESCRIBE, EXPLAIN": (
        to(REPLICA, "DESCRIBE item"),
        to(REPLICA, "DESC item n"),
        to(REPLICA, "EXPLAIN SELECT 1"),
        to(PRIMARY, "EXPLAIN UPDATE item SET n = 1 WHERE 0"),
        to(PRIMARY, "ANALYZE TABLE noted"),
        to(PRIMARY, "ANALYZE DELETE FROM noted WHERE 0", vendor=MARIADB),
    ),
    "writes": (
        to(PRIMARY, "INSERT INTO item (value) VALUES ('new')"),
        to(PRIMARY, "UPDATE item SET n = 4"),
        to(PRIMARY, "DELETE FROM item WHERE id = 1"),
        to(PRIMARY, "REPLACE INTO item (id) VALUES (1)"),
        to(PRIMARY, "INSERT INTO item (value) VALUES ('new') RETURNING id", vendor=MARIADB),
        to(PRIMARY, "LOAD DATA INFILE '/no/such/file' INTO TABLE item"),
        to(PRIMARY, "CREATE TABLE made (a INT)"),
        to(PRIMARY, "ALTER TABLE noted COMMENT 'noted'"),
        to(PRIMARY, "DROP TABLE IF EXISTS made"),
        to(PRIMARY, "TRUNCATE TABLE counted"),
        to(PRIMARY, "GRANT SELECT ON ~a.item TO df_role"),
        to(PRIMARY, "CALL several()"),
        to(PRIMARY, "DO 1"),
        to(PRIMARY, "WITH c AS (SELECT 1 AS i) UPDATE item, c SET n = 4 WHERE id = i", vendor=MYSQL),
        to(PRIMARY, "SIGNAL SQLSTATE '45000'"),
        to(PRIMARY, "HANDLER item OPEN"),
    ),
    "SET that is repeated": (
        to(PRIMARY, "SET time_zone = '+01:00'"),
        to(PRIMARY, "SET NAMES latin1"),
        to(PRIMARY, "SET ROLE df_role"),
        to(REPLICA, "SELECT id FROM of_role_~.item", "SET ROLE df_role"),
        to(REPLICA, "SELECT DATABASE(), id FROM item", "USE ~b"),
        to(REPLICA, "SELECT @a, @@time_zone, DATABASE()", "SET @a = 5, time_zone = '-02:00'", "USE ~b"),
    ),
    "SET GLOBAL": (
        to(PRIMARY, "SET GLOBAL sql_select_limit = 5"),
        to(PRIMARY, "SET PERSIST sql_select_limit = 5", vendor=MYSQL),
    ),
    "prepared statements, binary protocol": (
        prepared(REPLICA, "SELECT id FROM item ORDER BY id"),
        prepared(REPLICA, "SELECT value FROM item WHERE id = ?", long(3), logged="SELECT value FROM item WHERE id = 3"),
        prepared(PRIMARY, "DELETE FROM item WHERE id = ?", long(3), logged="DELETE FROM item WHERE id = 3"),
        prepared(PRIMARY, "SELECT id FROM item FOR UPDATE"),
        prepared(PRIMARY, "SELECT 4", before="BEGIN"),
        prepared(PRIMARY, "SELECT 4", before="SET NAMES latin1"),
        prepared(REPLICA, "SELECT DATABASE(), id FROM item", before="USE ~b"),
    ),
    "several statements in one text": (
        to(REPLICA, "SELECT 1; SELECT 2", logged="SELECT 2"),
        to(PRIMARY, "SELECT 1; DELETE FROM noted", logged="DELETE FROM noted"),
        to(PRIMARY, "SET @a = 1; SELECT 22", logged="SELECT 22"),
        to(PRIMARY, "SELECT 21; SELECT no_such_function()", logged="SELECT 21"),
    ),
    "code in comments": (
        to(REPLICA, "SELECT /*!40000 41 + */ 1"),
        to(PRIMARY, "SELECT id FROM item /*!40000 FOR UPDATE */"),
        to(PRIMARY, "/*!40000 DELETE FROM noted */"),
        to(PRIMARY, "SELECT 1 /*!999999 + 1 */", vendor=MARIADB),
        to(PRIMARY, "SELECT 1 /*!999999 + 1 */", logged="SELECT 1 /* 999999 + 1 */", vendor=MYSQL),
        to(PRIMARY, "SELECT /*M! twice(2) + */ 1", vendor=MARIADB),
        to(REPLICA, "SELECT /*M! twice(2) + */ 1", vendor=MYSQL),
        to(REPLICA, "SELECT /*+ MAX_EXECUTION_TIME(60000) */ id FROM item ORDER BY id"),
    ),
    "what cannot be parsed": (
        # MySQL logs nothing of what it cannot parse itself.
        to(PRIMARY, "SELEC 1", vendor=MARIADB),
        to(PRIMARY, "SELECT 1 FROM", vendor=MARIADB),
        to(PRIMARY, "SELECT '" + "x" * 33_000 + "'"),
    ),
}

# --- what keeps a session on the primary, and what ends that ----------------------------------------------------------

PINS: Final = (
    to(PRIMARY, ITEMS, "CREATE TEMPORARY TABLE temp (a INT)"),
    to(PRIMARY, "SELECT * FROM item", "CREATE TEMPORARY TABLE item (a INT)"),
    to(REPLICA, ITEMS, "CREATE TEMPORARY TABLE temp (a INT)", "DROP TEMPORARY TABLE temp"),
    to(PRIMARY, ITEMS, "SELECT GET_LOCK('~#one', 0)"),
    to(REPLICA, ITEMS, "SELECT GET_LOCK('~#one', 0)", "DO RELEASE_LOCK('~#one')"),
    to(REPLICA, ITEMS, "SELECT GET_LOCK('~#one', 0)", "SELECT RELEASE_ALL_LOCKS()"),
    to(PRIMARY, ITEMS, "LOCK TABLES item READ"),
    to(REPLICA, ITEMS, "LOCK TABLES item READ", "UNLOCK TABLES"),
    to(PRIMARY, ITEMS, "HANDLER item OPEN"),
    to(REPLICA, ITEMS, "HANDLER item OPEN", "HANDLER item CLOSE"),
    to(REPLICA, ITEMS, "XA START '~#x'", "XA END '~#x'", "XA ROLLBACK '~#x'"),
    to(PRIMARY, ITEMS, "SET insert_id = 50"),
    to(REPLICA, "SELECT @@sql_select_limit, 1", "SET sql_select_limit = 1 + 1"),
    # The primary is not asked to tell this one.
    to(PRIMARY, "SELECT @@max_sort_length, 1", "SET max_sort_length = 1000 + 24"),
    to(REPLICA, "SELECT @@max_sort_length, 1", "SET max_sort_length = 1000 + 24", "SET max_sort_length = 2048"),
    to(PRIMARY, ITEMS, "SET TRANSACTION READ ONLY"),
    to(REPLICA, ITEMS, "SET TRANSACTION READ ONLY", "COMMIT"),
    to(PRIMARY, ITEMS, "SET @t = 'SELECT 5'", "PREPARE p FROM @t"),
    to(REPLICA, ITEMS, "SET @t = 'SELECT 5'", "PREPARE p FROM @t", "DEALLOCATE PREPARE p"),
    to(PRIMARY, ITEMS, "CALL ends()"),
    to(PRIMARY, "SELECT DATABASE()", "CREATE DATABASE ~c", "USE ~c", "DROP DATABASE ~c"),
    to(REPLICA, ITEMS, "CREATE DATABASE ~c", "USE ~c", "DROP DATABASE ~c", "USE ~a"),
    Case(REPLICA, (query("CREATE TEMPORARY TABLE t (a INT)"), Step(Kind.RESET_CONNECTION), query(ITEMS)), ITEMS, None),
    Case(REPLICA, (query("CALL ends()"), Step(Kind.CHANGE_USER, "~a"), query(ITEMS)), ITEMS, None),
    # MariaDB leaves the role.
    Case(REPLICA, (query("SET ROLE df_role"), Step(Kind.CHANGE_USER, "~a"), query(ROLE)), ROLE, None),
    Case(
        REPLICA,
        (query("SET ROLE df_role"), Step(Kind.CHANGE_USER, "~a"), Step(Kind.RESET_CONNECTION), query(ROLE)),
        ROLE,
        None,
    ),
    Case(
        REPLICA,
        (query("SET ROLE df_role"), Step(Kind.CHANGE_USER, "~a"), query("SET ROLE NONE"), query(ROLE)),
        ROLE,
        None,
    ),
)

# --- traps ------------------------------------------------------------------------------------------------------------

TRAPS: Final[dict[str, tuple[Case, ...]]] = {
    "a quote depends on ANSI_QUOTES": (
        to(REPLICA, 'SELECT "value" FROM item ORDER BY id', "SET sql_mode = 'ANSI_QUOTES'"),
        to(PRIMARY, 'SELECT "a", \'" FOR UPDATE -- \' FROM item FOR UPDATE'),
        to(PRIMARY, 'SELECT "\'", id FROM item FOR UPDATE -- \'"', "SET sql_mode = 'ANSI_QUOTES'"),
    ),
    "a backslash depends on NO_BACKSLASH_ESCAPES": (
        to(PRIMARY, "SELECT '\\' AS a, id FROM item FOR UPDATE -- '", "SET sql_mode = 'NO_BACKSLASH_ESCAPES'"),
        to(REPLICA, "SELECT '\\' FOR UPDATE -- '"),
    ),
    "two bars depend on PIPES_AS_CONCAT": (to(REPLICA, "SELECT 'a' || 'b'", "SET sql_mode = 'PIPES_AS_CONCAT'"),),
    "a byte of a letter that is a backslash": (
        to(PRIMARY, "SELECT '\udcbf\\', notes(4) -- '", "SET NAMES gbk", logged="\ufffd\\"),
    ),
    "a digest is no key for what a literal decides": (
        to(REPLICA, "EXECUTE p", "PREPARE p FROM 'DELETE FROM noted'", "PREPARE p FROM 'SELECT 7'", logged="SELECT 7"),
        to(REPLICA, "SELECT @@time_zone", "SET time_zone = '+01:00'", "SET time_zone = '+02:00'"),
    ),
    "dashes need white space behind them": (
        to(REPLICA, "SELECT 5 --1"),
        to(PRIMARY, "SELECT 5 --1 + notes(1)"),
        to(REPLICA, "SELECT 5 -- 1 + notes(1)"),
        to(REPLICA, "SELECT 5 # + notes(1)"),
    ),
    "comments and semicolons around a statement": (
        to(REPLICA, "/* INSERT */ SELECT id FROM item ORDER BY id;"),
        to(PRIMARY, "/* SELECT */ DELETE FROM noted"),
        to(PRIMARY, "-- SELECT\nDELETE FROM noted"),
    ),
    "a view can call a function that writes": (
        to(PRIMARY, "SELECT number FROM noting", "CREATE VIEW noting AS SELECT notes(5) AS number"),
    ),
    "names that equal keywords or functions": (
        to(REPLICA, "SELECT `select`.id AS `update` FROM item AS `select` ORDER BY `select`.id"),
        to(REPLICA, "SELECT id AS get_lock FROM item ORDER BY id"),
        to(PRIMARY, "SELECT COUNT (*) FROM item", vendor=MARIADB),
        to(REPLICA, "SELECT COUNT (*) FROM item", "SET sql_mode = 'IGNORE_SPACE'"),
        to(PRIMARY, "SELECT ~a . abs(1)"),
    ),
}


@dataclass(frozen=True)
class Bench:
    """Everything that a case needs. `wait_until_fresh` returns when both replicas have all that was written."""

    cluster: Cluster
    proxy: ProxyProcess
    logs: dict[str, GeneralLog]
    administrators: dict[str, Administrator]
    wait_until_fresh: Callable[[], None]

    def ran(self, without: Side) -> dict[str, list[str]]:
        """What each server ran since the last call, without the statements of the direct connection."""
        thread = without.recorder.client.connection_id
        return {name: log.news(thread if name == "dbwrite" else -1) for name, log in self.logs.items()}

    @contextmanager
    def side(self, which: str) -> Iterator[Side]:
        primary = self.cluster.servers[0]
        host, port = (primary.host, primary.port) if which == DIRECT else (self.proxy.host, self.proxy.port)
        how = login(f"{PREFIXES[which]}a", 0)
        with WireClient(host, port) as client:
            yield Side(Recorder(client.log_in(how)), PREFIXES[which], 0, how)


@pytest.fixture(scope="module")
def bench(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[Bench]:
    primary, vendor = shared_cluster.servers[0], Vendor(shared_cluster.flavor)
    ends = {DIRECT: (primary.host, primary.port), PROXIED: (shared_proxy.host, shared_proxy.port)}
    sides = {side: Administrator(*end, primary.user, primary.password, vendor) for side, end in ends.items()}
    sides[PROXIED].make_account()
    for side, administrator in sides.items():
        administrator.make_schemas(PREFIXES[side])
        administrator.make_rows(PREFIXES[side], anew=True)
    with general_logs(shared_cluster, USER) as logs, connect(shared_cluster, shared_proxy) as reader:

        def both_serve_reads() -> bool:
            with WireClient(shared_proxy.host, shared_proxy.port) as client:
                client.log_in(login("", 0))
                for _ in range(2):
                    client.query("SELECT 'a fresh replica'")
            return all("SELECT 'a fresh replica'" in logs[server.name].news() for server in shared_cluster.servers[1:])

        assert run(reader, "SELECT 1")
        yield Bench(
            shared_cluster, shared_proxy, logs, sides, lambda: wait_until(both_serve_reads, "both replicas serve reads")
        )
    for side, administrator in sides.items():
        administrator.drop_schemas(PREFIXES[side])
        if side == PROXIED:
            administrator.drop_account()
        administrator.close()


def check(bench: Bench, case: Case) -> None:
    """Run a case on both sides: the replies are the same, and the last one came from where it should."""
    if case.vendor not in (None, bench.cluster.flavor):
        pytest.skip(f"for {case.vendor}")
    with bench.side(DIRECT) as wanted, bench.side(PROXIED) as got:
        *before, last = case.steps
        for step in before:
            bench.wait_until_fresh()
            assert differences([wanted.perform(step)], [got.perform(step)]) == ""
        bench.wait_until_fresh()
        expected = wanted.perform(last)
        bench.ran(wanted)
        received = got.perform(last)
        ran = bench.ran(wanted)
        assert differences([expected], [received]) == ""
        put_back(bench, case, (wanted, got))
    assert where(ran, got.own(case.logged)) == case.where, ran


def where(ran: dict[str, list[str]], logged: str) -> str:
    """The kind of server in whose log a text is; the primary has the last word."""
    found = {name for name, texts in ran.items() if any(logged in text for text in texts)}
    return PRIMARY if "dbwrite" in found else REPLICA if found else "nowhere"


def put_back(bench: Bench, case: Case, sides: tuple[Side, Side]) -> None:
    """Rows as before, if the case may have changed them."""
    for side in sides:
        side.perform(Step(Kind.RESET_CONNECTION))
    if case.where == PRIMARY or len(case.steps) > 1:
        for which, administrator in bench.administrators.items():
            administrator.make_rows(PREFIXES[which], anew=any("CREATE" in step.text for step in case.steps))


@pytest.mark.parametrize("case", [case for cases in ROWS.values() for case in cases], ids=str)
def test_rows_of_the_table(bench: Bench, case: Case) -> None:
    check(bench, case)


def test_a_commit_can_close_the_connection(bench: Bench) -> None:
    with bench.side(DIRECT) as wanted, bench.side(PROXIED) as got:
        for text in (
            "SET completion_type = 2",
            "BEGIN",
            "COMMIT NO RELEASE",
            "SELECT 1 FROM item FOR UPDATE",
            "COMMIT",
        ):
            assert differences([wanted.perform(query(text))], [got.perform(query(text))]) == ""
        assert wanted.perform(query("SELECT 1")).command == got.perform(query("SELECT 1")).command == "closed"


@pytest.mark.parametrize("case", PINS, ids=str)
def test_what_keeps_a_session_on_the_primary(bench: Bench, case: Case) -> None:
    check(bench, case)


@pytest.mark.parametrize("case", [case for cases in TRAPS.values() for case in cases], ids=str)
def test_traps(bench: Bench, case: Case) -> None:
    check(bench, case)
