"""Reads, by which state shows, user variables, and the default schema."""

from collections.abc import Iterator
from typing import Final

from tests.differential.draw import Draw, any_of
from tests.differential.settings import SHOWN
from tests.differential.steps import Kind, Step, query

_READS: Final = (
    "SELECT id, value, n FROM item ORDER BY id",
    "SELECT id FROM item ORDER BY id",
    "SELECT COUNT(*), GROUP_CONCAT(value ORDER BY id) FROM item",
    "SELECT id, note FROM noted ORDER BY id",
    "SELECT * FROM shown ORDER BY id",
    "SELECT DATABASE(), id FROM item ORDER BY id",
    "SELECT twice(id) FROM item ORDER BY id",
    "SELECT item.id FROM ~a.item ORDER BY id",
    "SELECT id FROM ~b.item ORDER BY id",
    "SELECT DAYNAME('2024-01-01'), WEEK('2024-01-01'), 1/3, FROM_UNIXTIME(0), id FROM item ORDER BY id",
    "SELECT 1",
    "(SELECT id FROM item) UNION (SELECT id + 1000 FROM item) ORDER BY 1",
    "WITH c AS (SELECT id FROM item) SELECT * FROM c ORDER BY id",
    "SELECT CURRENT_USER(), SESSION_USER() IS NULL, SCHEMA()",
    "SELECT id FROM item WHERE id = (SELECT MAX(id) FROM item)",
    "SELECT id FROM item WHERE id IS NULL",
    "SELECT 'it''s', \"x\", N'y', _latin1'z', 0x41, b'1' FROM item",
    "TABLE noted ORDER BY id",
    "VALUES ROW(1, 2), ROW(3, 4)",
    "SELECT id FROM item ORDER BY id LOCK IN SHARE MODE",
    "SELECT id FROM item ORDER BY id FOR UPDATE",
    "SELECT n FROM counted ORDER BY id",
)
# MariaDB has no TABLE, and behind its VALUES FOUND_ROWS() is what it was before (docs/routing.md).
_OF_MARIADB: Final = {
    "TABLE noted ORDER BY id": "SELECT * FROM noted ORDER BY id",
    "VALUES ROW(1, 2), ROW(3, 4)": "SELECT 1, 2 UNION SELECT 3, 4",
}
_SHOWS: Final = (
    "SHOW TABLES",
    "SHOW FULL TABLES",
    "SHOW COLUMNS FROM item",
    "SHOW CREATE TABLE noted",
    "SHOW VARIABLES LIKE 'sql_select_limit'",
    "SHOW SESSION VARIABLES LIKE 'character\\_set\\_%'",
    "SHOW VARIABLES LIKE 'time_zone'",
    "SHOW DATABASES LIKE '~%'",
    "DESCRIBE item",
    "DESC noted note",
    "SELECT table_name FROM information_schema.tables WHERE table_schema = '~a' ORDER BY 1",
    "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1",
    "SHOW CREATE VIEW shown",
    "HELP 'no such thing'",
)


def read(draw: Draw) -> Iterator[Step]:
    """A read; sometimes with a comment, or several times, so that each of the servers answers one."""
    text = draw.one(_READS)
    if draw.mariadb:
        text = _OF_MARIADB.get(text, text)
    if draw.chance(0.1):
        text = draw.one(
            (
                "/* a comment */ {}",
                "{} -- behind",
                "{};",
                "/*!40000 {} */",
                "# one\n{}",
                "{} /*! */",
                "\t ({})",
                "-- \n{}",
            )
        ).format(text)
    for _ in range(draw.one((1, 1, 1, 2))):
        yield query(text)


show = any_of(*_SHOWS)


def settings(draw: Draw) -> Iterator[Step]:
    """Variables, by name."""
    shown = ", ".join(f"@@{draw.one(('', 'session.'))}{name}" for name in draw.some(SHOWN, 5))
    yield query(f"SELECT {shown}, @@sql_mode{draw.one(('', ' FROM item ORDER BY id LIMIT 1'))}")


_SET: Final = (
    *(
        "1",
        "'text'",
        "NULL",
        "-5",
        "1.50",
        "2e3",
        "0x41",
        "TRUE",
        "b'101'",
        "''",
        '"double"',
        "@b",
        "@a + 1",
        "DATABASE()",
    ),
    *("(SELECT MAX(id) FROM item)", "LAST_INSERT_ID()", "CONCAT('x', @c)", "@@time_zone", "'é'", "_latin1'x'", "1 + 1"),
    *(
        "'it\\'s'",
        "twice(2)",
        "DATE '2020-01-01'",
        "18446744073709551615",
        "-9223372036854775808",
        "'1e5'",
        "0b1",
        "N'n'",
    ),
)
_ASSIGN: Final = (
    "SELECT @a := 1",
    "SELECT @a := id FROM item ORDER BY id",
    "SELECT @b := @a, @a := 'new'",
    "SELECT id INTO @a FROM item ORDER BY id LIMIT 1",
    "SELECT id, value INTO @a, @b FROM item WHERE id = 2",
    "SELECT id FROM item INTO @c",
    "UPDATE item SET n = (@a := IFNULL(@a, 0) + 1) ORDER BY id",
    "SELECT @a := @a + 1 FROM item",
    "DO @b := 7",
    "SET @a = @b := 3",
    "INSERT INTO item (value) VALUES (@c := 'assigned')",
    "SELECT COUNT(*) INTO @a FROM item",
)
_OF_VARIABLES: Final = (
    "SELECT @a, @b, @c",
    "SELECT @a, @b, @c FROM item ORDER BY id",
    "SELECT id FROM item WHERE id = @a",
    "SELECT id, @A FROM item ORDER BY id",
    "SELECT CHARSET(@a), COLLATION(@b), COERCIBILITY(@c) FROM item LIMIT 1",
    "SELECT @`a`, @'b', @\"c\" FROM item ORDER BY id",
    "SELECT @never, id FROM item ORDER BY id",
    "SELECT @a + 1, CONCAT(@b, 'x'), @c IS NULL FROM item LIMIT 1",
    "SELECT @seen, id FROM item ORDER BY id LIMIT 1",
)


def user_variables(draw: Draw) -> Iterator[Step]:
    """Given a value in one of many ways, and read."""
    drawn = draw.random.random()
    if drawn < 0.7:
        items = [f"@{draw.one('abc')} {draw.one(('=', ':='))} {draw.one(_SET)}" for _ in range(draw.one((1, 1, 2, 3)))]
        yield query(f"SET {', '.join(items)}")
    else:
        yield query(draw.one(_ASSIGN))
    if draw.chance(0.6):
        yield query(draw.one(_OF_VARIABLES))


of_variables = any_of(*_OF_VARIABLES)


def schema(draw: Draw) -> Iterator[Step]:
    """Another default schema, by text or by command; or none at all."""
    name = draw.one(("~a", "~b", "~b", "~none", "information_schema", "of_role_~"))
    yield Step(Kind.INIT_DB, name) if draw.chance(0.5) else query(f"USE {draw.one((name, f'`{name}`'))}")


def dropped_schema(draw: Draw) -> Iterator[Step]:
    """The default schema, dropped and mostly left."""
    yield query("CREATE DATABASE IF NOT EXISTS ~c")
    yield query("CREATE TABLE ~c.item AS SELECT 7 AS id, 'c' AS value, 1 AS n")
    if draw.chance(0.8):
        yield query("USE ~c")
    yield query(draw.one(("DROP DATABASE ~c", "DROP SCHEMA IF EXISTS `~c`")))
    if draw.chance(0.5):
        yield query(draw.one(("USE ~a", "USE ~c", "SELECT DATABASE()")))
