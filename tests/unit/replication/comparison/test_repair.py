"""Which ranges are written anew while a replica is held once."""

from collections import Counter
from collections.abc import Sequence

from replication.comparison.chunks import Chunk
from replication.comparison.findings import ChunkDifference, difference
from replication.comparison.repair import BATCH_ROWS, batched
from replication.copy.catalog import Column, Table

ID = Column("id", "int")
UNIQUE = "CREATE TABLE `u` (\n  `id` int,\n  PRIMARY KEY (`id`),\n  UNIQUE KEY `k` (`k`)\n)"


def found(name: str, sizes: Sequence[int], create: str = "") -> list[ChunkDifference]:
    """Ranges of a table in which all rows are missing on the replica, so many in each."""
    table = Table("s", name, "InnoDB", (ID,), create)
    return [
        difference(
            Chunk(table, (ID,), (b"%d" % number,)),
            Counter({(str(key), b"h"): 1 for key in range(size)}),
            Counter(),
        )
        for number, size in enumerate(sizes)
    ]


def shape(different: Sequence[ChunkDifference], rows: int = BATCH_ROWS) -> list[list[str]]:
    return [[each.chunk.table.name for each in batch] for batch in batched(different, rows)]


def test_small_ranges_of_all_tables_are_written_at_once() -> None:
    assert shape([*found("a", [1, 500]), *found("b", [10])]) == [["a", "a", "b"]]


def test_many_rows_are_spread_over_several_batches() -> None:
    assert shape(found("a", [BATCH_ROWS - 1, 1, 1, BATCH_ROWS])) == [["a", "a"], ["a"], ["a"]]


def test_fewer_rows_at_a_time_are_more_batches() -> None:
    assert shape([*found("a", [300, 300]), *found("u", [300, 300], UNIQUE)], rows=300) == [["a"], ["a"], ["u", "u"]]


def test_a_range_without_rows_on_the_primary_counts_too() -> None:
    extra = difference(Chunk(Table("s", "a", "InnoDB", (ID,), ""), (ID,)), Counter(), Counter({("1", b"h"): 1}))
    assert shape([extra]) == [["a"]]


def test_all_of_a_table_with_a_unique_key_are_written_at_once() -> None:
    sizes = [BATCH_ROWS, BATCH_ROWS, 1]
    assert shape([*found("a", [1]), *found("u", sizes, UNIQUE), *found("b", [1])]) == [["a"], ["u", "u", "u"], ["b"]]
