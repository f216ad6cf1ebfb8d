"""Comparing the rows of tables, key range by key range, on two sessions that see one position."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from time import monotonic

from replication.comparison.chunks import Chunk, boundary, checksum, key_text, row_hashes, usable_keys
from replication.comparison.findings import ChunkDifference, difference
from replication.copy.catalog import Column, Table
from replication.errors import SchemaChanged
from replication.statements import SYSTEM_SCHEMAS, text
from topology.errors import StatementRefused
from topology.sqlclient import SqlClient

CHUNK_ROWS = 20_000
NARROW_ROWS = 500
# ER_BAD_FIELD_ERROR, ER_NO_SUCH_TABLE, ER_TABLE_DEF_CHANGED, ER_BAD_DB_ERROR
_ALTERED = frozenset({1054, 1146, 1412, 1049})


@dataclass(frozen=True, slots=True)
class Pair:
    """Sessions on both servers, each of which sees one and the same state as long as it is used."""

    primary: SqlClient
    replica: SqlClient


Progress = Callable[[int], None]
"""Called with the rows that were compared since the last call."""


class Pace:
    """Keeps to so many rows a second, counted from the first on; 0 is no limit."""

    def __init__(self, rows_per_second: float) -> None:
        self._rate = rows_per_second
        self._rows = 0
        self._started = monotonic()

    async def keep(self, rows: int) -> None:
        """Wait until `rows` more are due."""
        self._rows += rows
        if self._rate:
            await asyncio.sleep(self._started + self._rows / self._rate - monotonic())


async def primary_keys(client: SqlClient, tables: Sequence[Table]) -> Mapping[str, tuple[Column, ...]]:
    """By full name of the table, the columns of its primary key that can bound a range; a prefix of a column cannot."""
    system = ", ".join(text(schema) for schema in sorted(SYSTEM_SCHEMAS))
    rows = await client.query(
        "SELECT TABLE_SCHEMA AS db, TABLE_NAME AS tbl, COLUMN_NAME AS name, SUB_PART AS part "
        f"FROM information_schema.STATISTICS WHERE INDEX_NAME = 'PRIMARY' AND TABLE_SCHEMA NOT IN ({system}) "
        "ORDER BY TABLE_SCHEMA, TABLE_NAME, SEQ_IN_INDEX"
    )
    names: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        column = str(row["name"]) if row["part"] is None else ""
        names.setdefault((str(row["db"]), str(row["tbl"])), []).append(column)
    return {table.full_name: _keys(table, names.get((table.schema, table.name), [])) for table in tables}


def _keys(table: Table, names: Sequence[str]) -> tuple[Column, ...]:
    columns = {column.name: column for column in table.columns}
    # Some columns have no value that is stored, and cannot be read as others can.
    return usable_keys([columns.get(each, Column(each, "")) for each in names])


async def compare_table(
    both: Pair, table: Table, keys: tuple[Column, ...], pace: Pace, progress: Progress
) -> list[ChunkDifference]:
    """Every key range of `table` that is not the same on both sides. Raises SchemaChanged if it was altered."""
    async with _reading(both, table):
        return [each async for each in _differences(both, table, keys, pace, progress)]


@asynccontextmanager
async def _reading(both: Pair, table: Table) -> AsyncIterator[None]:
    """Give up the metadata lock on the table afterwards, but not the snapshot: an ALTER TABLE waits for no more."""
    sessions = (both.primary, both.replica)
    for session in sessions:
        await session.execute("SAVEPOINT table_read")
    try:
        yield
    except StatementRefused as error:
        if error.errno in _ALTERED:
            raise SchemaChanged(
                f"{table.full_name} was altered while it was compared ({error.problem})",
                "run this again when no tables are being altered",
            ) from error
        raise
    for session in sessions:
        await session.execute("ROLLBACK TO SAVEPOINT table_read")


async def _differences(
    both: Pair, table: Table, keys: tuple[Column, ...], pace: Pace, progress: Progress
) -> AsyncIterator[ChunkDifference]:
    async for chunk in chunks(both.primary, table, keys):
        rows, equal = await _compared(both, chunk)
        if not equal:
            yield await _look_closer(both, chunk)
        progress(rows)
        await pace.keep(rows)


async def _compared(both: Pair, chunk: Chunk) -> tuple[int, bool]:
    """How many rows the primary has in the range, and whether they are equal."""
    (rows, ours), (_, theirs) = await asyncio.gather(checksum_of(both.primary, chunk), checksum_of(both.replica, chunk))
    return rows, ours == theirs


async def chunks(
    session: SqlClient, table: Table, keys: tuple[Column, ...], size: int = CHUNK_ROWS
) -> AsyncIterator[Chunk]:
    """The ranges of `size` rows that a table falls into, as this session sees them; first and last one are open."""
    async for chunk in parts(session, Chunk(table, keys), size):
        yield chunk


async def parts(session: SqlClient, whole: Chunk, size: int) -> AsyncIterator[Chunk]:
    """The ranges of `size` rows that a range falls into, as this session sees them; together they are all of it."""
    rest = whole
    while rest.keys:
        found = await session.raw(boundary(rest, size))
        upto = tuple(value or b"" for value in found[0]) if found else None
        # Where only the first columns of a key are used, one range may hold any number of rows.
        if upto is None or upto == rest.after:
            break
        yield replace(rest, upto=upto)
        rest = replace(rest, after=upto)
    yield rest


async def narrowed(both: Pair, found: ChunkDifference) -> list[ChunkDifference]:
    """The ranges of a few hundred rows in which all of a difference is: what has to be written anew."""
    closer: list[ChunkDifference] = []
    async with _reading(both, found.chunk.table):
        async for part in parts(both.primary, found.chunk, NARROW_ROWS):
            _, equal = await _compared(both, part)
            if not equal:
                closer.append(await _look_closer(both, part))
    return closer


async def checksum_of(session: SqlClient, chunk: Chunk) -> tuple[int, tuple[bytes | None, ...]]:
    """How many rows there are in the range, and what has to be the same on both sides."""
    row = (await session.raw(checksum(chunk)))[0]
    return int(row[0] or 0), row


async def _look_closer(both: Pair, chunk: Chunk) -> ChunkDifference:
    ours, theirs = await asyncio.gather(_hashes(both.primary, chunk), _hashes(both.replica, chunk))
    return difference(chunk, ours, theirs)


async def _hashes(session: SqlClient, chunk: Chunk) -> Counter[tuple[str | None, bytes]]:
    counted: Counter[tuple[str | None, bytes]] = Counter()
    async for row in session.stream(row_hashes(chunk)):
        *values, hashed = (value or b"" for value in row)
        counted[key_text(chunk.keys, tuple(values)) if values else None, hashed] += 1
    return counted
