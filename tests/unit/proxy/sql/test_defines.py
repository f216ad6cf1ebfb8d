"""Which statements may change what tables, triggers and views there are."""

import pytest

from proxy.sql.classify import Classifier
from proxy.sql.comments import ServerVersion
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
