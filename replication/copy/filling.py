"""Making tables on a replica and filling them with the rows of a snapshot: in their own place, or beside that."""

from collections.abc import Sequence
from typing import Protocol

from replication.copy.catalog import Catalog, Table
from replication.copy.indexes import add_keys
from replication.copy.job import CopyJob, Tally
from replication.copy.layout import plan_tables
from replication.copy.loading import loading_sessions
from replication.copy.snapshot import Snapshot
from replication.facts import Phase
from replication.together import together
from topology.sqlclient import SqlClient


class Place(Protocol):
    """Where on the replica a copy is made."""

    def catalog(self, catalog: Catalog) -> Catalog:
        """What the primary's definitions are called there."""
        ...

    def table(self, table: Table) -> Table:
        """The table that gets the rows of `table`."""
        ...

    async def lay_out(self, view: Snapshot, session: SqlClient) -> frozenset[str]:
        """Make all tables; returns the full names of those that have rows of a run before."""
        ...

    async def note(self, phase: Phase) -> None:
        """Write down how far the copy has come."""
        ...


async def fill(job: CopyJob, view: Snapshot, place: Place) -> Tally:
    """Make all tables in their place, copy all rows, then build the indexes."""
    name = job.target.name
    job.reporter.say(name, f"copying {len(view.catalog.tables)} tables as of GTID {view.gtid or '(none yet)'}")
    if view.locked:
        job.reporter.warn(
            name, f"writes to {len(view.locked)} tables of non-transactional engines wait on the primary meanwhile"
        )
    of_rows = view.catalog.rows
    tally = Tally(lambda rows, size, seconds: job.reporter.copied(name, rows, of_rows, size, seconds))
    async with loading_sessions(job.target.server, job.target, job.parallel) as sessions:
        kept = await place.lay_out(view, sessions[0])
        await job.engine.move(view, sessions, job.target.vendor, tally.add, kept, place.table)
        job.reporter.say(name, f"copied {tally.rows:,} rows, {tally.bytes / 1e6:,.1f} MB")
        await _build_indexes(job, place, place.catalog(view.catalog), sessions)
    return tally


async def _build_indexes(job: CopyJob, place: Place, catalog: Catalog, sessions: Sequence[SqlClient]) -> None:
    """Add the secondary indexes, the largest table first, several tables at a time."""
    plans = plan_tables(catalog)
    waiting = [table for table in catalog.tables if plans[table.full_name].keys]
    if not waiting:
        return
    await place.note(Phase.INDEXING)
    job.reporter.say(job.target.name, f"building the indexes of {len(waiting)} tables")
    waiting.sort(key=lambda table: table.rows * table.row_length)

    async def build(session: SqlClient) -> None:
        while waiting:
            table = waiting.pop()
            await session.execute(add_keys(table, plans[table.full_name].keys))

    async with together() as group:
        for session in sessions:
            group.create_task(build(session))
