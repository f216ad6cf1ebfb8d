"""What must never be taken for a plain read: the table of facts, and texts that try to look like one."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.sql.comments import ServerVersion
from proxy.sql.statement import INSERT_ID, Kind, Statement
from tests.support.statements import MARIADB, MYSQL, SERVERS, classified, facts
from topology.servers import Vendor

# One statement a line: the columns of `facts`, and the text.
FACTS = Path(__file__).with_name("facts.txt").read_text(encoding="utf-8").splitlines()
HUNT = Path(__file__).with_name("hunt.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("server", SERVERS, ids=str)
@pytest.mark.parametrize("row", FACTS)
def test_each_statement_has_its_facts(row: str, server: ServerVersion) -> None:
    text = row.split("|", 5)[5]
    assert f"{facts(classified(text, server))}|{text}" == row


@pytest.mark.parametrize("server", SERVERS, ids=str)
@pytest.mark.parametrize("text", HUNT)
def test_what_only_looks_like_a_read_stays_on_the_primary(text: str, server: ServerVersion) -> None:
    assert classified(text, server).kind is Kind.PRIMARY


ODD = [
    "SELECT 1 +\u00a0abs(1)",
    "SELECT 1 +\u3000abs(1)",
    "SELECT 1 +\u2028abs(1)",
    "SELECT \x1cabs(1)",
    "SELECT 1 \0 FOR UPDATE",
    "SELECT 1 FROM t\0",
    "\0SELECT 1",
    "SELECT f\n(1)",
    "SELECT 'a\\\\' FROM t FOR\nUPDATE",
    "SELECT * FROM t -- x\nFOR UPDATE",
    "SELECT * FROM t # x\nFOR UPDATE",
    "SELECT * FROM t -- x\rFOR UPDATE\nFOR UPDATE",
    "SELECT * FROM t --\tx\nFOR UPDATE",
    "SELECT 1 --\x01\nINTO OUTFILE 'x'",
    "SELECT * FROM t /*!\nFOR UPDATE */",
    "SELECT é(1)",
    "SELECT ﾆabs(1)",
    "SELECT abs\u00a0(1)",
    "SELECT \uff41bs(1)",
]


@pytest.mark.parametrize("server", SERVERS, ids=str)
@pytest.mark.parametrize("text", ODD)
def test_odd_characters_hide_nothing(text: str, server: ServerVersion) -> None:
    assert classified(text, server).kind is Kind.PRIMARY


@pytest.mark.parametrize(
    "text",
    [
        b"SELECT * FROM t FOR\xa0UPDATE",
        b"SELECT \xe9abs(1)",
        b"SELECT * FROM t \xa0FOR UPDATE",
        b"SELECT `\xa0` FROM t",
    ],
)
def test_names_that_are_not_utf8_stay_on_the_primary(text: bytes) -> None:
    assert facts(classified(text)).startswith("PRIMARY|not-utf8|")


@pytest.mark.parametrize(
    "text", [b"SELECT a FROM t WHERE b = '\xe9\xff'", b'SELECT "\xa0"', b"SELECT _binary '\x80\\'\x81'"]
)
def test_values_that_are_not_utf8_do_not_matter(text: bytes) -> None:
    assert classified(text).kind is Kind.READ


def test_a_write_with_values_that_are_not_utf8_pins_nothing() -> None:
    assert classified(b"INSERT INTO t VALUES (_binary '\xff\xfe')") == classified("INSERT INTO t VALUES (_binary 'a')")


@pytest.mark.parametrize(
    ("mariadb", "mysql", "text"),
    [
        (Kind.READ, Kind.PRIMARY, "SELECT NVL(a, b) FROM t"),
        (Kind.READ, Kind.PRIMARY, "SELECT CHR(65)"),
        (Kind.READ, Kind.PRIMARY, "SELECT MD5(a), SHA1(a), SHA(a) FROM t"),
        (Kind.READ, Kind.PRIMARY, "SELECT MEDIAN(a) OVER () FROM t"),
        (Kind.PRIMARY, Kind.READ, "SELECT ANY_VALUE(a) FROM t"),
        (Kind.PRIMARY, Kind.READ, "SELECT BIN_TO_UUID(a) FROM t"),
        (Kind.PRIMARY, Kind.READ, "SELECT REGEXP_LIKE(a, 'x') FROM t"),
    ],
)
def test_a_function_of_one_vendor_may_be_a_users_own_on_the_other(mariadb: Kind, mysql: Kind, text: str) -> None:
    assert classified(text, MARIADB).kind is mariadb
    assert classified(text, MYSQL).kind is mysql


LOCKS = ("FOR UPDATE", "FOR SHARE", "LOCK IN SHARE MODE", "for  update", "FOR UPDATE NOWAIT", "FOR UPDATE SKIP LOCKED")
PLACES = (
    "SELECT * FROM t {}",
    "(SELECT * FROM t {})",
    "((SELECT * FROM t {}))",
    "SELECT * FROM (SELECT * FROM t {}) x",
    "SELECT (SELECT a FROM t {})",
    "SELECT * FROM u WHERE a IN (SELECT a FROM t {})",
    "SELECT * FROM u WHERE EXISTS (SELECT a FROM t {}) LIMIT 1",
    "SELECT * FROM u JOIN (SELECT a FROM t {}) x ON x.a = u.a",
    "SELECT * FROM u JOIN LATERAL (SELECT a FROM t {}) x ON TRUE",
    "WITH c AS (SELECT * FROM t {}) SELECT * FROM c",
    "WITH c (a) AS (SELECT 1), d AS (SELECT * FROM t {}) SELECT * FROM c, d",
    "WITH RECURSIVE c AS (SELECT 1 a UNION ALL (SELECT a FROM t {})) SELECT * FROM c",
    "(SELECT 1) UNION (SELECT a FROM t {})",
    "SELECT 1 UNION ALL SELECT a FROM t {}",
    "(SELECT a FROM t {}) UNION SELECT 1 ORDER BY 1",
    "SELECT CASE WHEN (SELECT 1 FROM t {}) THEN 1 END",
    "SELECT COUNT(*) FROM t GROUP BY a HAVING COUNT(*) > (SELECT 1 FROM t {})",
    "SELECT a FROM t ORDER BY (SELECT 1 FROM t {})",
    "SELECT IF((SELECT a FROM t LIMIT 1 {}), 1, 2)",
    "EXPLAIN SELECT 1; SELECT * FROM t {}",
    "TABLE t {}",
    "SHOW TABLES WHERE (SELECT 1 FROM t {})",
    "SELECT FOUND_ROWS() FROM t {}",
    "SELECT @@warning_count FROM t {}",
)


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("place", PLACES)
def test_a_lock_is_found_wherever_it_is(place: str, lock: str) -> None:
    assert classified(place.format(lock)).kind is Kind.PRIMARY


CALLS = (
    "f()", "f(1, 'x')", "f ()", "db.f()", "db . f ()", "`f`()", "`abs`(1)", "db.abs(1)", "`db`.`abs`(1)", "MAX (1)",
    "GET_LOCK('a', 1)", "get_lock('a', 1)", "RELEASE_LOCK('a')", "RELEASE_ALL_LOCKS()", "IS_FREE_LOCK('a')",
    "IS_USED_LOCK('a')", "NEXTVAL(s)", "LASTVAL(s)", "SETVAL(s, 5)", "LAST_INSERT_ID()", "LAST_INSERT_ID(5)",
    "LOAD_FILE('/etc/x')", "MASTER_POS_WAIT('x', 4)", "MASTER_GTID_WAIT('x', 1)", "SOURCE_POS_WAIT('x', 4)",
    "WAIT_FOR_EXECUTED_GTID_SET('x')", "CONNECTION_ID()", "UUID_SHORT()", "EXTRACTVALUE('<a/>', '//a[$@i]')",
    "UPDATEXML('<a/>', '//a[$@i]', 'x')", "sys_exec('x')", "@v := 1", "(@v := @v + 1)", "@'v'",
    "@@global.x",
    "@@server_id", "@@hostname", "@@port", "@@read_only", "@@gtid_executed", "@@last_insert_id", "@@identity",
    "(SELECT 1 INTO @v)", "(SELECT a FROM mysql.user)", "NEXT VALUE FOR s", "PREVIOUS VALUE FOR s",
)  # fmt: skip
AROUND = (
    "SELECT {}",
    "SELECT 1, {} FROM t",
    "SELECT a FROM t WHERE b = {}",
    "SELECT a FROM t WHERE b IN (1, {})",
    "SELECT a FROM t ORDER BY {}",
    "SELECT a FROM t GROUP BY {} HAVING 1",
    "SELECT a FROM t JOIN u ON {} = 1",
    "SELECT COALESCE(NULL, {})",
    "SELECT CASE {} WHEN 1 THEN 2 END",
    "SELECT SUM({}) OVER (ORDER BY {}) FROM t",
    "SELECT * FROM (SELECT {} AS a) x",
    "WITH c AS (SELECT {} AS a) SELECT * FROM c",
    "WITH f AS (SELECT 1), get_lock AS (SELECT 2) SELECT {} FROM f",
    "WITH f (a) AS (SELECT 1), nextval (a) AS (SELECT 2) SELECT {} FROM f",
    "SELECT 1 UNION SELECT {}",
    "(SELECT {})",
    "VALUES ROW({})",
    "SELECT FOUND_ROWS(), {}",
    "SELECT {}, ROW_COUNT()",
    "SELECT @@warning_count, {}",
    "SHOW TABLES WHERE ({}) = 1",
    "SELECT 1; SELECT {}",
)


@pytest.mark.parametrize("call", CALLS)
def test_what_asks_or_changes_the_server_is_found_wherever_it_is(call: str) -> None:
    for around in AROUND:
        found = classified(around.format(call, call))
        # Beside another question about the statement before, the insert id is asked for where that ran.
        assert found.kind is Kind.PRIMARY or (call == "LAST_INSERT_ID()" and found.reason == INSERT_ID), around


INTO = (
    "INTO @v",
    "INTO @a, @b",
    "INTO OUTFILE '/tmp/x'",
    "INTO DUMPFILE '/tmp/x'",
    "INTO v",
    "INTO OUTFILE 'x' FIELDS TERMINATED BY ','",
)


@pytest.mark.parametrize("into", INTO)
def test_a_select_into_is_found_wherever_it_is(into: str) -> None:
    for place in ("SELECT a {} FROM t", "SELECT a FROM t {}", "SELECT a FROM t WHERE 1 LIMIT 1 {}", "(SELECT 1) {}",
                  "SELECT 1 UNION SELECT 2 {}", "SELECT FOUND_ROWS() {}", "SELECT a FROM t {} FOR UPDATE",
                  "SELECT a FROM t FOR UPDATE {}", "TABLE t {}", "VALUES ROW(1) {}"):  # fmt: skip
        assert classified(place.format(into)).kind is Kind.PRIMARY, place


FRAGMENTS = st.sampled_from(
    """SELECT FROM WHERE t a 1 'x' "y" `z` ( ) , . ; = := @ @@ INTO FOR UPDATE SHARE LOCK IN MODE OUTFILE f( abs( db.f(
    AS UNION WITH JOIN ON USING ORDER BY LIMIT -- # /* */ /*! */ ' " ` \\ \n \0 \u00a0 DELETE INSERT SET CALL - + * ?
    NOT PROCEDURE INTERVAL DAY CASE WHEN END GET_LOCK( NEXTVAL( FOUND_ROWS() 0x 1e -1 { } [ ] $ : x' N' _utf8
    EXISTS( VALUES TABLE ROW( SHOW TABLES EXPLAIN USE NAMES gbk""".split(" ")
)
DANGEROUS = ("INTO", "UPDATE", "LOCK", "OUTFILE", "DELETE", "INSERT", "CALL", "PROCEDURE", "@ ", ":=")


# Behind EXPLAIN one or two words name a table and its columns, which may be called anything.
_DESCRIBED = re.compile(r"(^|;)\s*(EXPLAIN\s+)+[\w.]+(\s+[\w.]+)?\s*(?=;|$)")


@settings(max_examples=600, deadline=None)
@given(st.lists(FRAGMENTS, max_size=14), st.sampled_from(["", "SELECT ", "SELECT a FROM t ", "WITH a AS (SELECT 1) "]))
def test_any_text_is_classified_and_no_dangerous_word_is_lost(words: list[str], begin: str) -> None:
    text = begin + " ".join(words)
    found = classified(text)
    quoted = any(mark in text for mark in "'\"`#") or "--" in text or "/*" in text
    if found.kind is Kind.READ and not quoted:
        bare = f"{_DESCRIBED.sub(';', text)} ".replace(". ", ".")
        assert not any(f" {word} " in bare for word in DANGEROUS), text


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([b"", b"SELECT ", b"SET ", b"USE ", b"SHOW ", b"EXPLAIN "]))
def test_any_bytes_are_classified(data: bytes, begin: bytes) -> None:
    assert isinstance(classified(begin + data), Statement)


@pytest.mark.parametrize(
    ("number", "kind"), [(80036, Kind.READ), (90500, Kind.READ), (90600, Kind.PRIMARY), (0, Kind.PRIMARY)]
)
def test_a_function_may_be_gone_from_newer_servers(number: int, kind: Kind) -> None:
    assert classified("SELECT MD5(a) FROM t", ServerVersion(Vendor.MYSQL, number)).kind is kind


def test_a_derived_table_is_no_function() -> None:
    assert classified("SELECT * FROM t, LATERAL (SELECT t.a) x").kind is Kind.READ
    assert classified("SELECT LATERAL(1)").kind is Kind.PRIMARY


def test_mysql_prepares_nothing_from_an_expression() -> None:
    text = "PREPARE s FROM CONCAT('SELECT ', '1')"
    assert facts(classified(text, MYSQL)) == "PRIMARY|prepare|-|-|-"
    assert facts(classified(text, MARIADB)) == "PRIMARY|prepare|prepare s: ?|-|-"
