"""Transactions, savepoints and locks."""

from collections.abc import Iterator
from typing import Final

from tests.differential.draw import Draw, any_of
from tests.differential.steps import Step, query

_BEGIN: Final = (
    *(
        "BEGIN",
        "BEGIN",
        "BEGIN WORK",
        "START TRANSACTION",
        "START TRANSACTION READ ONLY",
        "START TRANSACTION READ WRITE",
    ),
    *("START TRANSACTION WITH CONSISTENT SNAPSHOT", "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"),
)
_END: Final = (
    *("COMMIT", "COMMIT", "ROLLBACK", "ROLLBACK", "COMMIT WORK", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN"),
    *("COMMIT AND NO CHAIN NO RELEASE",),
)

begin = any_of(*_BEGIN)
end = any_of(*_END)
release = any_of("COMMIT RELEASE", "ROLLBACK RELEASE")


def autocommit(draw: Draw) -> Iterator[Step]:
    """Switched off, and mostly on again."""
    yield query(draw.one(("SET autocommit = 0", "SET SESSION autocommit = OFF", "SET @@autocommit := 0")))
    if draw.chance(0.5):
        yield query(draw.one(("COMMIT", "ROLLBACK", "SELECT id FROM item ORDER BY id")))
    if draw.chance(0.6):
        yield query(draw.one(("SET autocommit = 1", "SET autocommit = DEFAULT", "SET autocommit = ON, @a = 4")))


characteristics = any_of(
    "SET TRANSACTION READ ONLY",
    "SET TRANSACTION READ WRITE",
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY",
    "SET SESSION TRANSACTION READ ONLY",
    "SET SESSION TRANSACTION READ WRITE",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
    "SET @@transaction_isolation = 'READ-COMMITTED'",
    "SET transaction_read_only = 1",
    "SET @@transaction_read_only = 1",
    "SET TRANSACTION NOTHING",
)
savepoint = any_of(
    *("SAVEPOINT s1", "SAVEPOINT s1", "SAVEPOINT s2", "ROLLBACK TO s1", "ROLLBACK TO SAVEPOINT s2"),
    *("RELEASE SAVEPOINT s1", "ROLLBACK WORK TO SAVEPOINT s1"),
)


def whole(draw: Draw) -> Iterator[Step]:
    """A transaction with something in it."""
    yield query(draw.one(_BEGIN))
    for _ in range(draw.one((1, 2))):
        yield query(
            draw.one(
                (
                    "INSERT INTO item (value) VALUES ('in transaction')",
                    "UPDATE item SET n = n + 1 WHERE id = 2",
                    "SELECT id, n FROM item ORDER BY id FOR UPDATE",
                    "SELECT id, n FROM item ORDER BY id",
                    "INSERT INTO noted (note) VALUES ('aaa')",
                    "CREATE TABLE IF NOT EXISTS made (a INT)",
                )
            )
        )
    if draw.chance(0.8):
        yield query(draw.one(_END))


def xa(draw: Draw) -> Iterator[Step]:
    """Never prepared: what is would outlive its connection."""
    yield query("XA START '~#x'")
    if draw.chance(0.5):
        yield query("INSERT INTO item (value) VALUES ('xa')")
    if draw.chance(0.8):
        yield query("XA END '~#x'")
        yield query(draw.one(("XA ROLLBACK '~#x'", "XA COMMIT '~#x' ONE PHASE")))


named_lock = any_of(
    *(
        "SELECT GET_LOCK('~#one', 0)",
        "SELECT GET_LOCK('~#two', 0)",
        "DO GET_LOCK('~#one', 0)",
        "SELECT RELEASE_LOCK('~#one')",
    ),
    *("DO RELEASE_LOCK('~#two')", "SELECT RELEASE_ALL_LOCKS()", "SELECT IS_FREE_LOCK('~#one'), IS_FREE_LOCK('~#two')"),
    *("SELECT GET_LOCK(CONCAT('~#', 'one'), 0), id FROM item ORDER BY id", "SELECT IS_USED_LOCK('~#one') IS NULL"),
    "SELECT GET_LOCK('~#one', 0) FROM item",
)


def table_locks(draw: Draw) -> Iterator[Step]:
    """Locked, used, and mostly unlocked."""
    yield query(
        draw.one(
            (
                "LOCK TABLES item READ",
                "LOCK TABLES item WRITE",
                "LOCK TABLES item AS i READ, noted WRITE",
                "LOCK TABLE no_such_table READ",
                "LOCK TABLES item READ LOCAL",
            )
        )
    )
    yield query(
        draw.one(
            (
                "SELECT id FROM item ORDER BY id",
                "SELECT COUNT(*) FROM noted",
                "INSERT INTO item (value) VALUES ('locked')",
                "BEGIN",
                "COMMIT",
            )
        )
    )
    if draw.chance(0.7):
        yield query("UNLOCK TABLES")


def handler(draw: Draw) -> Iterator[Step]:
    """HANDLER, which reads a table row by row."""
    alias = draw.one(("", " AS h"))
    yield query(f"HANDLER item OPEN{alias}")
    name = "h" if alias else "item"
    for _ in range(draw.one((1, 2))):
        yield query(f"HANDLER {name} READ {draw.one(('FIRST', 'NEXT', '`PRIMARY` = (2)', '`PRIMARY` LAST'))}")
    if draw.chance(0.7):
        yield query(f"HANDLER {name} CLOSE")
