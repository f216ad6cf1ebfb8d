"""Statements that change rows and tables, and what they leave to be asked for."""

from collections.abc import Iterator
from typing import Final

from tests.differential.draw import Draw, any_of
from tests.differential.steps import Step, query

_WRITES: Final = (
    "INSERT INTO item (value) VALUES ('one more')",
    "INSERT INTO item (value, n) VALUES ('a', 1), ('b', 2), ('c', NULL)",
    "INSERT INTO item SET value = @a, n = @b",
    "INSERT INTO item (value) SELECT value FROM item ORDER BY id LIMIT 2",
    "INSERT IGNORE INTO item (id, value) VALUES (1, 'twice'), (100, 'new')",
    "INSERT INTO item (id, value) VALUES (1, 'twice')",
    "INSERT INTO item (id, value) VALUES (2, 'x') ON DUPLICATE KEY UPDATE value = 'y', id = LAST_INSERT_ID(id)",
    "REPLACE INTO item (id, value) VALUES (3, 'replaced')",
    "UPDATE item SET value = 'changed' WHERE id <= 2",
    "UPDATE item SET value = value",
    "UPDATE item SET n = LAST_INSERT_ID(n + 1) WHERE id = 1",
    "UPDATE item SET n = @a",
    "DELETE FROM item WHERE id = 2",
    "DELETE FROM item ORDER BY id DESC LIMIT 1",
    "DELETE FROM noted",
    "INSERT INTO noted (note) VALUES ('much too long')",
    "INSERT IGNORE INTO noted (note) VALUES ('much too long')",
    "INSERT INTO noted (note) VALUES ('aaa'), ('aaa')",
    "INSERT INTO counted (n) VALUES (1), (2)",
    "INSERT INTO counted (n) SELECT @seen",
    "INSERT INTO shown (value) VALUES ('through a view')",
    "UPDATE item JOIN noted ON noted.id = item.id SET item.n = 5",
    "INSERT INTO no_such_table VALUES (1)",
    "INSERT INTO ~b.item (value) VALUES ('elsewhere')",
    "INSERT INTO item (value) VALUES (DATABASE())",
    "INSERT INTO item (n) VALUES (twice(4))",
)
_RETURNING: Final = (
    "INSERT INTO item (value) VALUES ('r') RETURNING id, value",
    "DELETE FROM item WHERE id = 3 RETURNING value",
    "REPLACE INTO item (id, value) VALUES (2, 'r') RETURNING id",
)
_LEFT: Final = (
    "SELECT LAST_INSERT_ID()",
    "SELECT ROW_COUNT()",
    "SELECT FOUND_ROWS()",
    "SELECT LAST_INSERT_ID(), ROW_COUNT()",
    "SELECT @@identity, @@last_insert_id",
    "SELECT LAST_INSERT_ID(77)",
    "SELECT LAST_INSERT_ID() + 1 AS x, id FROM item ORDER BY id",
    "SELECT * FROM item WHERE id = LAST_INSERT_ID()",
    "SHOW WARNINGS",
    "SHOW WARNINGS LIMIT 1",
    "SHOW ERRORS",
    "SHOW COUNT(*) WARNINGS",
    "SHOW COUNT(*) ERRORS",
    "SELECT @@warning_count, @@error_count",
    "SELECT @@warning_count FROM item",
    "DO LAST_INSERT_ID()",
    "SET @a = LAST_INSERT_ID()",
    "SELECT FOUND_ROWS() AS f, ROW_COUNT() AS r",
    "SELECT FOUND_ROWS(), LAST_INSERT_ID()",
    "SELECT ROW_COUNT() + 1, @@warning_count, id FROM item ORDER BY id",
    "SET @b = ROW_COUNT()",
    "SELECT FOUND_ROWS() INTO @b",
    "INSERT INTO noted (note) VALUES (ROW_COUNT())",
    "GET DIAGNOSTICS @a = ROW_COUNT, @b = NUMBER",
    "SHOW WARNINGS; SELECT 1",
)
# Reads that leave something to be asked for.
_NOTED_READS: Final = (
    "SELECT SQL_CALC_FOUND_ROWS id FROM item ORDER BY id LIMIT 1",
    "SELECT SQL_CALC_FOUND_ROWS id FROM item ORDER BY id LIMIT 1, 1",
    "SELECT 1/0, CAST('x' AS SIGNED) FROM item",
    "SELECT id FROM item ORDER BY id LIMIT 2",
    "SELECT id FROM item WHERE id > 1000",
    "SELECT no_such_column FROM item",
    "SELECT * FROM no_such_table",
    "SELECT DATE('2020-13-45'), id FROM item ORDER BY id",
    "SELECT SQL_CALC_FOUND_ROWS 1 UNION SELECT 2 UNION SELECT 3 LIMIT 1",
    "SELEC 1",
)


def write(draw: Draw) -> Iterator[Step]:
    """Rows changed, and mostly a question about it."""
    yield query(draw.one(_WRITES + _RETURNING if draw.mariadb else _WRITES))
    if draw.chance(0.4):
        yield query(draw.one(_LEFT))


def noted_read(draw: Draw) -> Iterator[Step]:
    """A read that leaves something, and the questions about it."""
    yield query(draw.one(_NOTED_READS))
    for _ in range(draw.one((0, 1, 1, 2))):
        yield query(draw.one(_LEFT))


left = any_of(*_LEFT)
diagnostics = any_of(
    "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'as wanted', MYSQL_ERRNO = 5001",
    "SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = 'a warning'",
    "DO 1/0",
    "RESIGNAL",
)


def get_diagnostics(draw: Draw) -> Iterator[Step]:
    """GET DIAGNOSTICS about a write or an error, and what it has found."""
    yield query(draw.one(("UPDATE item SET n = 3", "INSERT INTO noted (note) VALUES ('far too long')", "SELEC 1")))
    yield query("GET DIAGNOSTICS @a = ROW_COUNT, @b = NUMBER")
    yield query("GET DIAGNOSTICS CONDITION 1 @c = MESSAGE_TEXT")
    yield query("SELECT @a, @b, @c FROM item ORDER BY id")


tables = any_of(
    "CREATE TABLE made (a INT PRIMARY KEY)",
    "CREATE TABLE made AS SELECT id, value FROM item",
    "CREATE TABLE IF NOT EXISTS made LIKE item",
    "ALTER TABLE made ADD COLUMN z INT",
    "DROP TABLE made",
    "DROP TABLE IF EXISTS made",
    "TRUNCATE TABLE noted",
    "CREATE OR REPLACE VIEW seen AS SELECT id FROM item",
    "DROP VIEW IF EXISTS seen",
    "CREATE INDEX by_n ON made (a)",
    "RENAME TABLE made TO made2",
    "RENAME TABLE made2 TO made",
    "ANALYZE TABLE noted",
    "SELECT * FROM made",
    "SELECT COUNT(*) FROM seen",
    "SHOW TABLES",
    "SHOW CREATE TABLE made",
)
temporary = any_of(
    "CREATE TEMPORARY TABLE temp (a INT)",
    "CREATE TEMPORARY TABLE temp AS SELECT id AS a FROM item",
    "CREATE TEMPORARY TABLE IF NOT EXISTS temp (a INT)",
    # Hides the table of that name.
    "CREATE TEMPORARY TABLE item (id INT, value VARCHAR(20), n INT)",
    "INSERT INTO temp VALUES (1), (2)",
    "SELECT COUNT(*) FROM temp",
    "SELECT * FROM item",
    "ALTER TABLE temp ADD COLUMN b INT",
    "ALTER TABLE temp RENAME TO temp2",
    "SELECT * FROM temp2",
    "DROP TEMPORARY TABLE temp",
    "DROP TEMPORARY TABLE IF EXISTS temp, temp2",
    "DROP TABLE temp",
    "DROP TEMPORARY TABLE item",
    "CREATE TEMPORARY TABLE ~b.temp (a INT)",
    "DROP TEMPORARY TABLE ~b.temp",
)
sequences = any_of(
    *("SELECT NEXTVAL(sq)", "SELECT NEXT VALUE FOR sq", "SELECT LASTVAL(sq)", "SELECT PREVIOUS VALUE FOR sq"),
    *(
        "SELECT SETVAL(sq, 500)",
        "INSERT INTO item (n) VALUES (NEXTVAL(sq))",
        "SELECT LASTVAL(sq), id FROM item ORDER BY id",
    ),
)
