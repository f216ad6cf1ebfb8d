"""Which statements leave the warnings of the one before."""

import pytest

from tests.support.statements import MARIADB, MYSQL, classified


@pytest.mark.parametrize(
    "text",
    [
        *("SELECT 1", "SELECT (SELECT MAX(a) FROM t), LAST_INSERT_ID()", "SET @a = 1", "USE d", "COMMIT", "DO 1"),
        *("SHOW WARNINGS", "GET DIAGNOSTICS @a = ROW_COUNT", "SELECT GET_LOCK('a', 0)", "XA START 'a'"),
        *("CREATE DATABASE d", "DROP SCHEMA IF EXISTS d", "ALTER DATABASE d CHARACTER SET latin1", "DROP TRIGGER t"),
        *(
            "CREATE DEFINER = 'a'@'%' PROCEDURE p() UPDATE t SET a = 1",
            "CREATE OR REPLACE FUNCTION f() RETURNS INT RETURN 1",
        ),
        *(
            "DROP EVENT e",
            "CREATE USER u",
            "DROP ROLE r",
            "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST '')",
        ),
        *("PREPARE p FROM 'SELECT DATABASE()'", "PREPARE p FROM 'COMMIT'", "SELECT 1; SET @a = 1; SHOW WARNINGS"),
        *("SELECT 1; SELECT 2", "DEALLOCATE PREPARE p", "HELP 'a'"),
    ],
)
def test_what_uses_no_table_leaves_them_on_mariadb(text: str) -> None:
    assert classified(text, MARIADB).keeps_warnings is True


@pytest.mark.parametrize(
    "text",
    [
        *(
            "SELECT a FROM t",
            "SHOW TABLES",
            "INSERT INTO t VALUES (1)",
            "SELECT a FROM t FOR UPDATE",
            "HANDLER t CLOSE",
        ),
        *(
            "LOCK TABLES t READ",
            "UPDATE t JOIN u USING (a) SET t.b = 1",
            "DELETE t FROM t JOIN u",
            "RENAME TABLE a TO b",
        ),
        *("CREATE TABLE t SELECT 1", "CREATE OR REPLACE VIEW v AS SELECT 1", "CREATE UNIQUE INDEX i ON t (a)"),
        *("CREATE TEMPORARY TABLE t SELECT 1", "CREATE TEMPORARY TABLE t VALUES (1)"),
        *("CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET @a = 1", "ANALYZE TABLE t", "CREATE SEQUENCE s"),
        *("PREPARE p FROM 'SELECT a FROM t'", "PREPARE p FROM 'INSERT INTO t VALUES (1)'", "DO NEXTVAL(s)"),
        *(
            "SELECT unknown(1) FROM t",
            "SELECT a INTO @a FROM t",
            "SELECT 1; SELECT a FROM t",
            "SELECT a FROM t; COMMIT",
        ),
        f"SELECT GET_LOCK('a', 0), {'(' * 40}1{')' * 40} FROM t",
    ],
)
def test_what_uses_one_begins_a_new_list_on_mariadb(text: str) -> None:
    assert classified(text, MARIADB).keeps_warnings is False


@pytest.mark.parametrize(
    "text",
    [
        *("CALL p()", "EXECUTE p", "SELECT unknown()", "SHOW STATUS", "FLUSH STATUS", "GRANT SELECT ON a.b TO c"),
        *("PREPARE p FROM 'SHOW TABLES'", "PREPARE p FROM @a", "PREPARE p FROM 'CALL q()'", "SELECT 1; CALL p()"),
    ],
)
def test_of_others_it_is_not_known_on_mariadb(text: str) -> None:
    assert classified(text, MARIADB).keeps_warnings is None


def test_only_what_tells_them_leaves_them_on_mysql() -> None:
    kept = {text: classified(text, MYSQL).keeps_warnings for text in ("SHOW WARNINGS", "SHOW COUNT(*) ERRORS")}
    assert set(kept.values()) == {True}
    assert classified("GET DIAGNOSTICS @a = ROW_COUNT", MYSQL).keeps_warnings is True
    for text in ("SELECT 1", "SELECT @@warning_count", "SET @a = 1", "CREATE DATABASE d", "CALL p()"):
        assert classified(text, MYSQL).keeps_warnings is False
