"""Ranges of numbers that are counted, not looked for."""

import pytest

from replication.comparison.chunks import Chunk, condition
from replication.copy.catalog import Column, Table
from replication.copy.ranges import counted, has_few_gaps

ID = Column("id", "int", False)
WHOLE = Chunk(Table("app", "t", "InnoDB", (ID,), ""), (ID,))


@pytest.mark.parametrize(
    ("first", "last", "conditions"),
    [
        (1, 25, [" WHERE `id` <= 10", " WHERE `id` > 10 AND `id` <= 20", " WHERE `id` > 20"]),
        (-5, 10, [" WHERE `id` <= 4", " WHERE `id` > 4"]),
        (1, 20, [" WHERE `id` <= 10", " WHERE `id` > 10"]),
        (1, 10, [""]),
        (7, 7, [""]),
    ],
)
def test_ranges_hold_so_many_numbers_and_are_the_whole_table(first: int, last: int, conditions: list[str]) -> None:
    assert [condition(chunk) for chunk in counted(WHOLE, first, last, 10)] == conditions


@pytest.mark.parametrize(
    ("first", "last", "rows", "few"),
    [
        (1, 100, 100, True),
        (1, 100, 50, True),
        (1, 100, 49, False),
        # An estimate may be wrong.
        (1, 100, 200, True),
        # The key's first column alone: many rows have each number.
        (1, 100, 201, False),
        (1, 1, 0, False),
    ],
)
def test_numbers_are_counted_where_rows_fill_them(first: int, last: int, rows: int, few: bool) -> None:
    assert has_few_gaps(first, last, rows) is few
