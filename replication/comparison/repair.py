"""Writing key ranges of a replica anew from its primary, while it is held at the position of the primary's snapshot."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import groupby

from replication.comparison.chunks import Chunk, condition, delete
from replication.comparison.findings import ChunkDifference
from replication.comparison.rows import checksum_of
from replication.copy.catalog import Table
from replication.copy.indexes import has_unique_key
from replication.copy.loading import loading_session
from replication.copy.snapshot import Snapshot
from replication.copy.stream import batches, send
from replication.errors import Diverged, Refused, SchemaChanged
from replication.perform import perform
from replication.statements import SYSTEM_SCHEMAS, dialect, text
from replication.survey import survey
from topology.servers import Server, Vendor
from topology.sqlclient import SqlClient, connected

REWRITING = (
    "SET SESSION sql_log_bin = 0",
    "DELETE FROM <table> WHERE <key in each range that differs>",
    "INSERT INTO <table> VALUES <the primary's rows of those ranges>",
)
"""What is run on the replica, in short."""
BATCH_ROWS = 5_000


@asynccontextmanager
async def repairing_session(server: Server) -> AsyncIterator[SqlClient]:
    """A loading session on a replica that is closed for writers; it is closed again afterwards if it was."""
    async with connected(server) as client:
        facts = await survey(client)
        words = dialect(facts.vendor)
        closed = facts.on("super_read_only")
        if closed:
            await perform(client, words.writable())
        try:
            async with loading_session(server, facts) as session:
                yield session
        finally:
            if closed:
                await perform(client, [*words.pause(), *words.read_only(), *words.resume()])


async def check_repairable(client: SqlClient, tables: Iterable[Table]) -> None:
    """Raise Refused for a table whose rows cannot be written as they are."""
    system = ", ".join(text(schema) for schema in sorted(SYSTEM_SCHEMAS))
    rows = await client.query(
        "SELECT DISTINCT EVENT_OBJECT_SCHEMA AS db, EVENT_OBJECT_TABLE AS tbl FROM information_schema.TRIGGERS "
        f"WHERE EVENT_OBJECT_SCHEMA NOT IN ({system})"
    )
    triggered = {(str(row["db"]), str(row["tbl"])) for row in rows}
    for table in tables:
        if table.versioned or (table.schema, table.name) in triggered:
            reason = "keeps its history" if table.versioned else "has triggers, which would change the rows"
            raise Refused(
                f"{table.full_name} on {client.server} {reason}, so that single ranges cannot be written anew",
                f"copy the replica again: resync {client.server.name} --full",
            )


def batched(different: Iterable[ChunkDifference], rows: int = BATCH_ROWS) -> list[list[ChunkDifference]]:
    """The ranges that are written while the replica is held once: about `rows` rows.

    All of a table with a unique key are in one batch, since a row in one range may be in the way of another one's.
    """
    batches: list[list[ChunkDifference]] = []
    room = 0
    for table, group in groupby(different, key=lambda each: each.chunk.table):
        for index, each in enumerate(group):
            stays = index > 0 and has_unique_key(table.create)
            size = max(each.primary_rows, each.replica_rows)
            if not stays and room < size:
                batches.append([])
                room = rows
            batches[-1].append(each)
            room -= size
    return batches


def check_unchanged(primary: Snapshot, tables: Iterable[Table]) -> None:
    """Raise SchemaChanged if a table is not defined any more as when it was compared."""
    now = {table.full_name: table.definition for table in primary.catalog.tables}
    for table in tables:
        if now.get(table.full_name) != table.definition:
            raise SchemaChanged(
                f"{table.full_name} was altered between comparing and writing it anew", "run this again"
            )


async def rewrite(source: SqlClient, target: SqlClient, vendor: Vendor, chunks: Sequence[Chunk]) -> int:
    """Make these ranges equal to the primary's, table by table in a transaction each; returns the number of rows.

    `target` is a loading session on the replica, which stands still; `source` is the session of the primary's snapshot.
    Raises Diverged, having changed nothing in that table, if the rows are not equal afterwards.
    """
    await source.execute("SET SESSION character_set_results = NULL")
    written = 0
    for table, group in groupby(chunks, key=lambda chunk: chunk.table):
        written += await _rewrite_table(source, target, vendor, table, list(group))
    return written


async def _rewrite_table(
    source: SqlClient, target: SqlClient, vendor: Vendor, table: Table, chunks: Sequence[Chunk]
) -> int:
    written = 0

    def count(rows: int, _: int) -> None:
        nonlocal written
        written += rows

    await target.execute("BEGIN")
    # All go before any is written, since a row in one range may be in the way of another one's in a unique key.
    for chunk in chunks:
        await target.execute(delete(chunk))
    for chunk in chunks:
        async for batch in batches(source, table, vendor, condition(chunk)):
            await send(target, table, batch, count)
    for chunk in chunks:
        if await checksum_of(source, chunk) != await checksum_of(target, chunk):
            await target.execute("ROLLBACK")
            raise Diverged(
                f"{table.full_name} on {target.server} is not equal after it was written anew",
                f"copy the replica again: resync {target.server.name} --full",
            )
    await target.execute("COMMIT")
    return written
