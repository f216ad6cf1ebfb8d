"""The exchange of a replica's live tables for those that were copied beside them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from replication.comparison.definitions import comparable
from replication.copy.catalog import Catalog, StoredObject
from replication.copy.definitions import read_catalog
from replication.copy.job import CopyJob
from replication.copy.loading import loading_session
from replication.copy.objects import create_objects, drop_objects, in_drop_order
from replication.copy.replica import forget_mark, mark
from replication.copy.shadow import aside, exchange
from replication.errors import NotReady
from replication.facts import MARKER_SCHEMA, Marker, Phase
from replication.perform import perform
from replication.statements import SHADOW, dialect, name
from replication.survey import applied_gtid
from topology.errors import StatementRefused
from topology.gtid import covers
from topology.sqlclient import SqlClient, connected

# Proxies and others that watch replicas look once in a second.
_NOTICE_SECONDS = 3.0
_LOCK_WAIT_SECONDS = 2
_TRIES = 5
_UNDO_SECONDS = 60
_LOCK_WAIT_TIMEOUT = 1205
# They have to go before a table leaves its schema, or must not run meanwhile.
_ALWAYS_ANEW = frozenset({"TRIGGER", "EVENT"})


async def change_places(job: CopyJob, catalog: Catalog, gtid: str) -> tuple[StoredObject, ...]:
    """Stop replication and put the copy in the place of the live tables, all at once; the old data is dropped.

    Returns the stored objects that are left to be created. Raises NotReady, with everything as it was, when readers do
    not let go of the tables.
    """
    async with connected(job.target.server) as client:
        live = await read_catalog(client, job.target.vendor, accounts=False)
    async with loading_session(job.target.server, job.target) as session:
        await _stand_still(job, session, gtid)
        await mark(job.target.server, Marker(job.primary.identity, Phase.COPYING))
        gone = _to_drop(live, catalog)
        dropped: list[StoredObject] = []
        await session.execute(f"SET SESSION lock_wait_timeout = {_LOCK_WAIT_SECONDS}")
        try:
            await _make_schemas(session, live, catalog)
            for each in gone:
                await _patiently(partial(drop_objects, session, [each]))
                dropped.append(each)
            if statement := exchange(live, catalog):
                await _patiently(partial(session.execute, statement))
        except StatementRefused as error:
            await _undo(job, session, [each for each in live.objects if each in dropped])
            raise _explained(job, error) from error
        job.reporter.say(job.target.name, "its tables are the new ones now")
        await perform(
            session, dialect(job.target.vendor).forget_source([channel.name for channel in job.target.channels])
        )
        await _tidy(session, live, catalog)
    stayed = {str(each) for each in live.objects} - {str(each) for each in gone}
    return tuple(each for each in catalog.objects if str(each) not in stayed)


async def _stand_still(job: CopyJob, session: SqlClient, gtid: str) -> None:
    if not job.target.channels:
        return
    await perform(session, dialect(job.target.vendor).stop())
    if not covers(job.target.vendor, gtid, await applied_gtid(session, job.target.vendor)):
        # Its rows become older than they were: whoever reads the newest ones has to see first that it stopped.
        await asyncio.sleep(_NOTICE_SECONDS)


def _to_drop(live: Catalog, catalog: Catalog) -> list[StoredObject]:
    wanted = {str(each): comparable(each) for each in catalog.objects}
    gone = [each for each in live.objects if each.kind in _ALWAYS_ANEW or wanted.get(str(each)) != comparable(each)]
    return in_drop_order(gone)


async def _make_schemas(session: SqlClient, live: Catalog, catalog: Catalog) -> None:
    there = {schema for schema, _ in live.schemas}
    for schema, create in catalog.schemas:
        if schema not in there:
            await session.execute(create)
    for schema in there:
        await session.execute(f"CREATE DATABASE IF NOT EXISTS {name(aside(schema))}")


async def _patiently(work: Callable[[], Awaitable[object]]) -> None:
    """Try it a few times; in between, whoever queued up behind it gets through."""
    for attempt in range(1, _TRIES + 1):
        try:
            await work()
        except StatementRefused as error:
            if error.errno != _LOCK_WAIT_TIMEOUT or attempt == _TRIES:
                raise
            await asyncio.sleep(1)
        else:
            return


async def _undo(job: CopyJob, session: SqlClient, gone: Sequence[StoredObject]) -> None:
    """All as it was; if that fails, any later run of startsync makes the replica whole."""
    await session.execute(f"SET SESSION lock_wait_timeout = {_UNDO_SECONDS}")
    await create_objects(session, gone, lambda message: job.reporter.warn(job.target.name, message))
    if job.target.marker is None:
        await forget_mark(session)
        await mark(job.target.server, Marker(job.primary.identity, Phase.INDEXING), SHADOW)
    else:
        await mark(job.target.server, job.target.marker)
    if any(channel.running for channel in job.target.channels):
        await perform(session, dialect(job.target.vendor).start())


def _explained(job: CopyJob, error: StatementRefused) -> StatementRefused | NotReady:
    if error.errno != _LOCK_WAIT_TIMEOUT:
        return error
    return NotReady(
        f"readers on {job.target.server} did not let go of its tables in {_TRIES} times {_LOCK_WAIT_SECONDS} seconds",
        "look for long transactions with SHOW PROCESSLIST there, and run this again: the copy stays",
    )


async def _tidy(session: SqlClient, live: Catalog, catalog: Catalog) -> None:
    """Drop what was live, and make the rest equal."""
    wanted = dict(catalog.schemas)
    for schema, create in live.schemas:
        await session.execute(f"DROP DATABASE {name(aside(schema))}")
        if schema == MARKER_SCHEMA:
            continue
        if schema not in wanted:
            await session.execute(f"DROP DATABASE {name(schema)}")
        elif wanted[schema] != create:
            await session.execute(wanted[schema].replace("CREATE DATABASE", "ALTER DATABASE", 1))
    for table in catalog.tables:
        if not table.has_rows:
            await session.execute(f"USE {name(table.schema)}")
            await session.execute(table.create)
