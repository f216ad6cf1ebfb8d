"""Cutting a table into ranges of its primary key that hold so many rows at most."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

from replication.comparison.chunks import Chunk
from replication.comparison.rows import chunks
from replication.copy.catalog import WHOLE_NUMBERS, Column, Table
from replication.statements import name
from topology.sqlclient import SqlClient


async def ranges(session: SqlClient, table: Table, keys: tuple[Column, ...], size: int) -> AsyncIterator[Chunk]:
    """Ranges that together are the whole table, as this session sees it.

    Finding a range's end costs a look at each of its rows, a quarter of the primary's work in a copy. Numbers without
    many gaps are counted instead.
    """
    extent = await _extent(session, table, keys)
    if extent is not None:
        for chunk in counted(Chunk(table, keys), *extent, size):
            yield chunk
        return
    async for chunk in chunks(session, table, keys, size):
        yield chunk


def counted(whole: Chunk, first: int, last: int, size: int) -> Iterator[Chunk]:
    """Ranges of `size` numbers each from `first` to `last`; the outer ones are open."""
    rest = whole
    for end in range(first + size - 1, last, size):
        upto = (str(end).encode(),)
        yield replace(rest, upto=upto)
        rest = replace(rest, after=upto)
    yield rest


def has_few_gaps(first: int, last: int, rows: int) -> bool:
    """Whether so many rows, by estimate, fill the numbers from `first` to `last` by half, none of them twice."""
    return rows <= 2 * (last - first + 1) <= 4 * rows


async def _extent(session: SqlClient, table: Table, keys: Sequence[Column]) -> tuple[int, int] | None:
    """The first and the last key, if they can be counted on from the one to the other."""
    if len(keys) != 1 or keys[0].data_type not in WHOLE_NUMBERS:
        return None
    key = name(keys[0].name)
    first, last = (await session.raw(f"SELECT MIN({key}), MAX({key}) FROM {table.full_name}"))[0]
    if first is None or last is None or not has_few_gaps(int(first), int(last), table.rows):
        return None
    return int(first), int(last)
