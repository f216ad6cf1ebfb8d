"""Which statements may change what tables, triggers and views there are, and where writes may show."""

import pytest

from proxy.sql.changes import only_temporary
from proxy.sql.classify import Classifier
from proxy.sql.comments import ServerVersion
from proxy.sql.statement import touched
from topology.servers import Vendor


@pytest.mark.parametrize(
    ("text", "defines"),
    [
        ("CREATE TABLE t (a INT)", True),
        ("CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET @a = 1", True),
        ("CREATE VIEW v AS SELECT 1", True),
        ("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES p (a) ON DELETE CASCADE", True),
        ("RENAME TABLE t TO u", True),
        ("DROP TABLE t", True),
        ("DROP VIEW v", True),
        ("CALL p()", True),
        ("GIBBERISH", True),
        ("INSERT INTO t VALUES (1); DROP TABLE t", True),
        ("INSERT INTO t VALUES (1); DELETE FROM t", False),
        ("DROP TEMPORARY TABLE t", False),
        ("CREATE TEMPORARY TABLE t (a INT)", False),
        ("INSERT INTO t VALUES (1)", False),
        ("INSERT INTO t VALUES (f())", False),
        ("UPDATE t, u SET t.a = 1", False),
        ("LOAD DATA INFILE 'x' INTO TABLE t", False),
        ("LOCK TABLES t READ", False),
        ("SELECT a FROM t", False),
    ],
)
def test_defines(text: str, defines: bool) -> None:
    assert Classifier(ServerVersion(Vendor.MARIADB, 101100)).classify(text.encode()).statement.defines is defines


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("UPDATE t SET a = 1", "t"),
        ("TRUNCATE TABLE t", "t"),
        ("INSERT INTO t VALUES (1, 'SELECT')", "t"),
        ("INSERT INTO t SELECT a FROM u JOIN v USING (a), w WHERE b IN ('x', 'y') LIMIT 3", "t u v w"),
        ("REPLACE INTO t TABLE v", "t v"),
        ("DELETE FROM t WHERE a = (SELECT MAX(a) FROM v)", "t v"),
        ("INSERT INTO t WITH w AS (SELECT a FROM v) SELECT a FROM w", "t v w"),
        ("INSERT INTO t SELECT f() FROM v", None),
        ("INSERT INTO t SELECT a FROM information_schema.tables", None),
        ("INSERT INTO t SELECT FROM WHERE", None),
        ("LOAD DATA INFILE 'x' INTO TABLE t SET a = (SELECT 1 FROM v)", None),
        ("CREATE TEMPORARY TABLE t SELECT f()", None),
        ("CREATE TEMPORARY TABLE t (a INT)", "t"),
    ],
)
def test_touched(text: str, tables: str | None) -> None:
    expected = None if tables is None else frozenset(("", name) for name in tables.split())
    assert touched(Classifier(ServerVersion(Vendor.MARIADB, 101100)).classify(text.encode()).statement) == expected


@pytest.mark.parametrize(
    ("text", "only"),
    [
        ("CREATE TEMPORARY TABLE t (a INT)", True),
        ("CREATE TEMPORARY TABLE t LIKE u", True),
        ("CREATE TEMPORARY TABLE t SELECT a FROM v", False),
        ("CREATE TEMPORARY TABLE t TABLE v", False),
        ("DROP TEMPORARY TABLE t", True),
        ("DROP TEMPORARY TABLE `", False),
        ("INSERT INTO t VALUES (1)", False),
        ("UPDATE t SET a = GET_LOCK('a', 1)", False),
    ],
)
def test_only_temporary(text: str, only: bool) -> None:
    assert only_temporary(Classifier(ServerVersion(Vendor.MARIADB, 101100)).classify(text.encode()).statement) is only
