"""What is said about a range that is not the same."""

from collections import Counter

from replication.comparison.chunks import Chunk
from replication.comparison.findings import SHOWN_KEYS, DefinitionDifference, difference
from replication.copy.catalog import Column, Table

Rows = Counter[tuple[str | None, bytes]]
ID = Column("id", "int")
TABLE = Table("s", "t", "InnoDB", (ID,), "")


def chunk(after: bytes | None = None) -> Chunk:
    return Chunk(TABLE, (ID,), (after,) if after else None)


def test_missing_extra_and_changed_rows_are_told_apart() -> None:
    ours: Rows = Counter({("1", b"a"): 1, ("2", b"b"): 1, ("3", b"c"): 1})
    theirs: Rows = Counter({("1", b"a"): 1, ("2", b"x"): 1, ("4", b"d"): 1})
    found = difference(chunk(b"0"), ours, theirs)
    assert (found.missing, found.extra, found.changed) == (1, 1, 1)
    assert found.keys == ("2", "3", "4")
    assert str(found) == (
        "table `s`.`t` (0, +inf): 3 rows on the primary, 3 here; 1 missing, 1 extra, 1 changed: 2, 3, 4"
    )


def test_rows_without_a_key_are_counted_with_their_duplicates() -> None:
    found = difference(chunk(), Counter({(None, b"a"): 3}), Counter({(None, b"a"): 1, (None, b"b"): 1}))
    assert (found.missing, found.extra, found.changed, found.keys) == (2, 1, 0, ())


def test_only_the_first_keys_are_named() -> None:
    found = difference(chunk(), Counter({(f"{n:03}", b"a"): 1 for n in range(50)}), Counter())
    assert found.missing == 50
    assert found.keys == tuple(f"{n:03}" for n in range(SHOWN_KEYS))
    assert str(found).endswith("009, ...")


def test_a_definition_is_named_with_what_is_wrong() -> None:
    assert str(DefinitionDifference("table", "`s`.`t`", "missing")) == "table `s`.`t`: is not on the replica"
