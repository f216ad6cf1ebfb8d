"""Making tables on a replica and filling them with the rows of a snapshot: in their own place, or beside that."""

from collections.abc import Sequence
from typing import Protocol

from replication.copy.catalog import Catalog, Table
from replication.copy.indexes import add_keys
from replication.copy.job import CopyJob, Tally
from replication.copy.layout import plan_tables
from replication.copy.loading import loading_sessions
from replication.copy.redolog import larger_log
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


class _Indexes:
    """The secondary indexes that are to be built, by the tables' full names on the replica."""

    def __init__(self, catalog: Catalog) -> None:
        self._plans = plan_tables(catalog)
        wanted = [table for table in catalog.tables if self._plans[table.full_name].keys]
        wanted.sort(key=lambda table: table.rows * table.row_length)
        self.waiting = {table.full_name: table for table in wanted}

    async def build(self, session: SqlClient, table: Table) -> None:
        """Those of one table, unless that was done before."""
        if self.waiting.pop(table.full_name, None):
            await session.execute(add_keys(table, self._plans[table.full_name].keys))


async def fill(job: CopyJob, view: Snapshot, place: Place) -> Tally:
    """Make all tables in their place, copy all rows, and build each table's indexes when its rows are there."""
    name = job.target.name
    job.reporter.say(name, f"copying {len(view.catalog.tables)} tables as of GTID {view.gtid or '(none yet)'}")
    if view.locked:
        job.reporter.warn(
            name, f"writes to {len(view.locked)} tables of non-transactional engines wait on the primary meanwhile"
        )
    of_rows = view.catalog.rows
    tally = Tally(lambda rows, size, seconds: job.reporter.copied(name, rows, of_rows, size, seconds))
    indexes = _Indexes(place.catalog(view.catalog))
    server = job.target.server
    async with (
        larger_log(server, job.target, view.catalog.bytes, job.begin),
        loading_sessions(server, job.target, job.parallel) as sessions,
    ):
        kept = await place.lay_out(view, sessions[0])
        await job.engine.move(view, sessions, job.target.vendor, tally.add, kept, place.table, indexes.build)
        job.reporter.say(name, f"copied {tally.rows:,} rows, {tally.bytes / 1e6:,.1f} MB")
        await _build_indexes(job, place, indexes, sessions)
    return tally


async def _build_indexes(job: CopyJob, place: Place, indexes: _Indexes, sessions: Sequence[SqlClient]) -> None:
    """Add the secondary indexes that are left, the largest table first, several tables at a time."""
    if not indexes.waiting:
        return
    await place.note(Phase.INDEXING)
    job.reporter.say(job.target.name, f"building the indexes of {len(indexes.waiting)} tables")

    async def build(session: SqlClient) -> None:
        while indexes.waiting:
            await indexes.build(session, next(reversed(indexes.waiting.values())))

    async with together() as group:
        for session in sessions:
            group.create_task(build(session))
