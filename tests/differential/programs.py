"""Stored programs, and commands about the whole connection."""

from collections.abc import Iterator
from typing import Final

from tests.differential.draw import Draw, any_of
from tests.differential.steps import Kind, Step, query

call = any_of(
    *(
        "CALL several()",
        "CALL breaks()",
        "CALL answers(1, @a, @b)",
        "CALL answers(2, @c, @a)",
        "CALL sets()",
        "CALL makes()",
    ),
    *("CALL begins()", "CALL ends()", "CALL no_such_procedure()", "CALL several", "CALL ~a.several()", "CALL shows()"),
    *("SELECT COUNT(*) FROM of_procedure", "SELECT @in_procedure, id FROM item ORDER BY id", "CALL writes()"),
)
function = any_of(
    *(
        "SELECT twice(3)",
        "SELECT ~a.twice(id) FROM item ORDER BY id",
        "SELECT notes(5)",
        "DO notes(6)",
        "SELECT no_such(1)",
    ),
    *("SELECT @in_function, id FROM item ORDER BY id", "SET @a = notes(7)", "SELECT id FROM item WHERE id = twice(1)"),
    "SELECT notes(id) FROM item ORDER BY id",
)
trigger = any_of(
    *("INSERT INTO counted (n) VALUES (5)", "SELECT @seen", "SELECT @seen, id FROM item ORDER BY id", "SET @seen = 3"),
    "SELECT id, n FROM counted ORDER BY id",
)


def create_program(draw: Draw) -> Iterator[Step]:
    """A program of the sequence's own, run and dropped."""
    yield query(
        draw.one(
            (
                "CREATE PROCEDURE own() BEGIN SELECT 1; SELECT id FROM item ORDER BY id; END",
                "CREATE PROCEDURE own() SET @a = 12",
                "CREATE PROCEDURE own() BEGIN DECLARE x INT DEFAULT 1; IF x THEN SELECT 'yes'; END IF; END",
            )
        )
    )
    yield query("CALL own()")
    yield query("DROP PROCEDURE own")


def connection(draw: Draw) -> Iterator[Step]:
    """Back to the beginning, as this or another user would begin."""
    kind = draw.one((Kind.RESET_CONNECTION, Kind.RESET_CONNECTION, Kind.CHANGE_USER))
    draw.parameters.clear()
    yield Step(kind, draw.one(("~a", "~b")) if kind is Kind.CHANGE_USER else "")
    if draw.chance(0.8):
        yield query("USE ~a")


_WITHOUT_SEMICOLON: Final = (
    "SELECT id FROM item ORDER BY id",
    "SET @a = 1",
    "SET time_zone = '+01:00'",
    "INSERT INTO item (value) VALUES ('of several')",
    "SELECT @a, @@time_zone",
    "BEGIN",
    "COMMIT",
    "SELECT * FROM no_such_table",
    "USE ~b",
    "DO 1/0",
    "SELECT LAST_INSERT_ID()",
    "SELECT ROW_COUNT()",
    "SHOW WARNINGS",
    "CREATE TEMPORARY TABLE temp (a INT)",
    "SELECT GET_LOCK('~#one', 0)",
    "CALL several()",
    "SET NAMES latin1",
    "SET sql_mode = 'ANSI_QUOTES'",
    'SELECT "a"',
    "PREPARE p1 FROM 'SELECT 4'",
    "EXECUTE p1",
    "",
)


def several(draw: Draw) -> Iterator[Step]:
    """Several statements in one text."""
    yield query("; ".join(draw.one(_WITHOUT_SEMICOLON) for _ in range(draw.one((2, 2, 3)))))


def option(draw: Draw) -> Iterator[Step]:
    """Several statements in one text forbidden, and mostly allowed again. A reply repeats the warning count before."""
    yield query("DO 1")
    yield Step(Kind.OPTION, number=1)
    yield query("SELECT 1; SELECT 2")
    if draw.chance(0.7):
        yield query("DO 1")
        yield Step(Kind.OPTION, number=0)


def small(draw: Draw) -> Iterator[Step]:
    """Commands that change nothing."""
    yield draw.one((Step(Kind.PING), Step(Kind.FIELD_LIST, "item"), Step(Kind.FIELD_LIST, "temp")))
