"""The way that does for every table, with SELECT and INSERT: rows are streamed as raw bytes and sent on as literals.

Memory stays bounded: at most two batches exist, one being filled while the other is on its way.
"""

import asyncio
import re
from collections.abc import AsyncIterator

from replication.copy import rows
from replication.copy.catalog import Table
from replication.copy.engine import Placed, Progress, in_place
from replication.errors import SchemaChanged
from topology.errors import ManyreadsError, ServerError, StatementRefused
from topology.servers import Vendor
from topology.sqlclient import SqlClient

_BATCH_BYTES = 1_000_000
# ER_BAD_FIELD_ERROR, ER_NO_SUCH_TABLE, ER_TABLE_DEF_CHANGED, ER_BAD_DB_ERROR
_ALTERED = frozenset({1054, 1146, 1412, 1049})
_DATA_TRUNCATED = 1265
_TRUNCATED_COLUMN = re.compile(r"Data truncated for column '(.*)' at row")


async def move_table(
    source: SqlClient, target: SqlClient, table: Table, vendor: Vendor, progress: Progress, place: Placed = in_place
) -> None:
    """Copy all rows of one table into an empty one. The session must not convert character sets, as for `batches`."""
    # Rolling back to a savepoint gives up the metadata lock on the table but not the snapshot, so that nobody on the
    # primary waits for the whole copy with an ALTER TABLE.
    await source.execute("SAVEPOINT table_read")
    sending: asyncio.Task[None] | None = None
    try:
        async for batch in batches(source, table, vendor, place=place):
            if sending is not None:
                await sending
            sending = asyncio.create_task(send(target, place(table), batch, progress))
        if sending is not None:
            await sending
    except StatementRefused as error:
        raise explained(error, table, source) from error
    finally:
        if sending is not None and not sending.done():
            # If it is the source that failed, the other session can go on with something else.
            if (task := asyncio.current_task()) and task.cancelling():
                sending.cancel()
            await asyncio.wait([sending])
    await source.execute("ROLLBACK TO SAVEPOINT table_read")


def explained(error: StatementRefused, table: Table, source: SqlClient) -> ManyreadsError:
    """The error with the table's name; SchemaChanged if the table was altered."""
    if error.errno in _ALTERED:
        return SchemaChanged(
            f"{table.full_name} was altered on {source.server} while it was copied ({error.problem})",
            "run this again when no tables are being altered",
        )
    return StatementRefused(
        f"copying {table.full_name}: {error.problem}", error.remedy, errno=error.errno, sqlstate=error.sqlstate
    )


async def batches(
    source: SqlClient, table: Table, vendor: Vendor, condition: str = "", place: Placed = in_place
) -> AsyncIterator[rows.Batch]:
    """The rows of a table as INSERT statements; `condition` is a WHERE clause with a space before it.

    The session must not convert character sets: character_set_results = NULL.
    """
    head = rows.insert_head(place(table), table.columns)
    forms = rows.formatters(vendor, table.columns)
    batch = rows.Batch(head, _BATCH_BYTES)
    async for row in source.stream(rows.select(table, table.columns) + condition):
        literal = rows.row_literal(forms, row)
        if not batch.fits(literal):
            yield batch
            batch = rows.Batch(head, _BATCH_BYTES)
        batch.add(literal)
    if len(batch):
        yield batch


async def send(target: SqlClient, table: Table, batch: rows.Batch, progress: Progress) -> None:
    """Store one batch in a loading session, exactly; raises ServerError if a row did not arrive."""
    try:
        stored = await target.execute(batch.statement())
    except StatementRefused as error:
        if error.errno != _DATA_TRUNCATED or not _enums(table):
            raise
        stored = await _send_leniently(target, table, batch, error)
    if stored != len(batch):
        raise ServerError(f"{target.server} stored {stored} of {len(batch)} rows of {table.full_name}")
    progress(len(batch), batch.size)


def _enums(table: Table) -> frozenset[str]:
    return frozenset(column.name for column in table.columns if column.data_type == "enum")


async def _send_leniently(target: SqlClient, table: Table, batch: rows.Batch, error: StatementRefused) -> int:
    """Store the empty value that an ENUM holds after an invalid assignment: strict mode refuses its index 0."""
    await target.execute("SET SESSION sql_mode = @lenient_sql_mode")
    try:
        stored = await target.execute(batch.statement())
        warnings = await target.query("SHOW WARNINGS")
    finally:
        await target.execute("SET SESSION sql_mode = @strict_sql_mode")
    for warning in warnings:
        match = _TRUNCATED_COLUMN.search(str(warning["Message"]))
        if match is None or match[1] not in _enums(table):
            raise error
    return stored
