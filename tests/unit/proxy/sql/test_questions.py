"""What texts ask about the statement before them."""

import pytest

from proxy.sql.questions import FOUND_ROWS, NOTHING, ROW_COUNT, WARNINGS, asked, keeps_found_rows
from tests.support.statements import MARIADB, MYSQL, classified


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("SELECT FOUND_ROWS()", FOUND_ROWS),
        ("select row_count ( )", ROW_COUNT),
        ("SELECT ROW_COUNT(), FOUND_ROWS()", ROW_COUNT | FOUND_ROWS),
        ("SELECT @@warning_count, @@session . error_count", WARNINGS),
        ("SHOW COUNT( * ) WARNINGS", WARNINGS),
        ("SHOW ERRORS LIMIT 1", WARNINGS),
        ("GET CURRENT DIAGNOSTICS @a = NUMBER", WARNINGS),
        ("GET DIAGNOSTICS @a = ROW_COUNT", WARNINGS | ROW_COUNT),
        ("INSERT INTO log VALUES (ROW_COUNT())", ROW_COUNT),
        ("(SELECT FOUND_ROWS())", FOUND_ROWS),
        ("SELECT errors, warnings, row_count FROM jobs", NOTHING),
        ("CREATE PROCEDURE p() SELECT ROW_COUNT()", NOTHING),
        ("PREPARE p FROM 'SHOW WARNINGS'", NOTHING),
        ("SELECT LAST_INSERT_ID()", NOTHING),
    ],
)
def test_what_is_asked(text: str, asks: int) -> None:
    assert asked(text) == asks
    assert classified(text).asks == asks


def test_of_several_statements_the_first_asks() -> None:
    assert classified("SHOW WARNINGS; SELECT 1").asks == WARNINGS
    assert classified("INSERT INTO t VALUES (1); SELECT ROW_COUNT()").asks == NOTHING


@pytest.mark.parametrize(
    ("text", "mysql", "mariadb"),
    [
        ("SET @a = 1; SELECT FOUND_ROWS(), ROW_COUNT()", FOUND_ROWS, FOUND_ROWS),
        ("SET @a = 1; SET @b = 2; SHOW WARNINGS", NOTHING, WARNINGS),
        ("INSERT INTO t VALUES (1); SHOW WARNINGS", NOTHING, NOTHING),
        ("SELECT 1; SELECT FOUND_ROWS()", NOTHING, NOTHING),
    ],
)
def test_of_several_statements_those_behind_ask_too_if_the_others_leave_it(text: str, mysql: int, mariadb: int) -> None:
    assert classified(text, MYSQL).asks == mysql
    assert classified(text, MARIADB).asks == mariadb


def test_a_subquery_of_set_changes_the_rows_found_on_mariadb_if_it_reads_a_table() -> None:
    without, reading = "SET @a = (SELECT 1), @b = 2", "SET @a = (SELECT MAX(a) FROM t)"
    assert [keeps_found_rows(without, mariadb=mariadb) for mariadb in (False, True)] == [True, True]
    assert [keeps_found_rows(reading, mariadb=mariadb) for mariadb in (False, True)] == [True, False]


def test_several_statements_leave_the_rows_found_if_each_does() -> None:
    assert classified("SET @a = 1; INSERT INTO t VALUES (1)").keeps_found_rows
    assert classified("EXECUTE IMMEDIATE 'SET @a = 1'", MARIADB).keeps_found_rows
    assert not classified("EXECUTE IMMEDIATE 'SELECT 1'", MARIADB).keeps_found_rows
    assert not classified("SET @a = 1; SELECT 1; SET @b = 1").keeps_found_rows


@pytest.mark.parametrize(
    "text",
    [
        *("BEGIN", "commit", "SET @a = 1", "INSERT INTO t (a) VALUES (1)", "USE app", "SHOW WARNINGS"),
        *(
            "SIGNAL SQLSTATE '01000'",
            "RESIGNAL",
            "LOCK TABLES t READ",
            "HANDLER t OPEN",
            "TRUNCATE t",
            "XA START 'a'",
            "GRANT SELECT ON a.* TO b",
        ),
        *("DELETE FROM t WHERE a = 1", "DELETE FROM t RETURNING a", "INSERT INTO t VALUES (1) RETURNING a"),
        *("CREATE VIEW v AS SELECT 1", "CREATE TABLE t (a INT)", "CREATE PROCEDURE p() SELECT a FROM t", "HELP 'x'"),
        *("SHOW CREATE TABLE t", "SHOW FULL PROCESSLIST", "CHECKSUM TABLE t", "ANALYZE TABLE t", "REPAIR TABLE t"),
    ],
)
def test_what_leaves_the_rows_found(text: str) -> None:
    assert keeps_found_rows(text, mariadb=False)
    assert classified(text, MYSQL).keeps_found_rows
    assert classified(text, MARIADB).keeps_found_rows


@pytest.mark.parametrize(
    "text",
    [
        *("SELECT 1", "SHOW STATUS", "INSERT INTO t SELECT 1", "INSERT INTO t (TABLE u)"),
        *("DELETE t FROM t JOIN u USING (a)", "DELETE FROM t USING t JOIN u", "DELETE FROM t WHERE a = (SELECT 1)"),
        *("EXPLAIN SELECT 1", "SHOW TABLES", "SHOW ENGINES"),
        *(
            "CALL p()",
            "SETTLE",
            "BEGIN NOT ATOMIC SELECT 1; END",
            "UPDATE t, u SET t.a = 1",
            "UPDATE t JOIN u SET t.a = 1",
        ),
        *("ANALYZE SELECT 1", "UPDATE t SET a = (SELECT 1)", "DO (SELECT 1)"),
    ],
)
def test_what_changes_them(text: str) -> None:
    assert not keeps_found_rows(text, mariadb=True)
    assert not classified(text, MYSQL).keeps_found_rows
    assert not classified(text, MARIADB).keeps_found_rows


@pytest.mark.parametrize("text", ["CREATE TABLE t SELECT 1", "CREATE TABLE t AS TABLE u", "SET @a = (SELECT 1 FROM t)"])
def test_what_leaves_them_on_mysql_only(text: str) -> None:
    assert classified(text, MYSQL).keeps_found_rows
    assert not classified(text, MARIADB).keeps_found_rows


def test_what_is_set_for_one_statement_does_not_tell_what_that_finds() -> None:
    assert not classified("SET STATEMENT time_zone = '+09:00' FOR SELECT @@time_zone", MARIADB).keeps_found_rows


@pytest.mark.parametrize("text", ["DO 1", "DO f()", "UPDATE t SET a = 1", "update ignore `t` set a = 1"])
def test_what_leaves_them_on_mariadb_only(text: str) -> None:
    assert classified(text, MARIADB).keeps_found_rows
    assert not classified(text, MYSQL).keeps_found_rows
