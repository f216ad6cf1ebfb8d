"""One replica's copy from beginning to end: wipe, tables, rows, accounts, stored objects."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from replication.actions import Users
from replication.copy.catalog import Catalog
from replication.copy.engine import Engine
from replication.copy.indexes import add_keys
from replication.copy.layout import clear_away, create_tables, plan_tables
from replication.copy.loading import loading_session, loading_sessions
from replication.copy.logins import adopt, current_account, find_login, grant_on_objects, install_login
from replication.copy.objects import create_objects, wipe
from replication.copy.snapshot import Snapshot, snapshot
from replication.facts import UNFINISHED, Marker, Phase, ServerFacts
from replication.perform import perform, unlogged
from replication.report import Reporter
from replication.statements import FORGET_MARKER, dialect, write_marker
from replication.survey import read_marker
from replication.together import together
from topology.errors import AccessDenied
from topology.servers import Server, Vendor
from topology.sqlclient import SqlClient, connected


@dataclass(frozen=True, slots=True)
class CopyJob:
    """What is copied from where to where, and how; all copies from one primary share `turn`."""

    primary: ServerFacts
    target: ServerFacts
    users: Users
    engine: Engine
    reporter: Reporter
    turn: asyncio.Lock
    parallel: int = 4

    @property
    def resumes(self) -> bool:
        """Whether a run before ended while it copied this primary's rows."""
        marker = self.target.marker
        unfinished = marker is not None and marker.phase in UNFINISHED
        return marker is not None and unfinished and marker.primary == self.primary.identity


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy ended with: its position, its size, and the replica with the credentials that are valid now."""

    gtid: str
    tables: int
    rows: int
    bytes: int
    server: Server


class _Tally:
    """Adds up what arrived and passes it on."""

    def __init__(self, notify: Callable[[int, int], None]) -> None:
        self.rows = 0
        self.bytes = 0
        self._notify = notify

    def add(self, rows: int, size: int) -> None:
        self.rows += rows
        self.bytes += size
        self._notify(self.rows, self.bytes)


async def copy_replica(job: CopyJob) -> Copied:
    """Make the target a complete copy of the primary as of the position that is returned.

    The target's marker says `copying` from before the first loss until everything is there, then `attaching`.
    """
    await take_over(job)
    copying_users = job.users is Users.COPY
    async with snapshot(
        job.primary.server, job.primary.vendor, job.turn, accounts=copying_users, more=job.parallel
    ) as view:
        login = await current_account(view.session) if copying_users else None
        tally = await _move(job, view)
        catalog, gtid = view.catalog, view.gtid
    server = await install_service_login(job, catalog, login) if login else job.target.server
    await _finish(job, server, catalog, login)
    await mark(server, Marker(job.primary.identity, Phase.ATTACHING, gtid))
    return Copied(gtid, len(catalog.tables), tally.rows, tally.bytes, server)


async def mark(server: Server, marker: Marker) -> None:
    """Write the marker of a replica, outside of its binary log."""
    async with connected(server) as client:
        await unlogged(client)
        await perform(client, write_marker(marker))


async def forget_mark(client: SqlClient) -> None:
    """Take the marker away, if there is one; nothing else that runs on this connection is logged either."""
    await unlogged(client)
    if await read_marker(client) is not None:
        await client.execute(FORGET_MARKER)


async def finish(server: Server, vendor: Vendor, marker: Marker) -> None:
    """Write the last marker of a replica that applies, and close it for writers."""
    words = dialect(vendor)
    async with connected(server) as client:
        await perform(client, words.pause())
        try:
            await perform(client, words.writable())
            await mark(server, marker)
            await perform(client, words.read_only())
        finally:
            await perform(client, words.resume())


async def take_over(job: CopyJob) -> None:
    """Let the target follow nobody, and mark it as one whose data is not whole."""
    statements = dialect(job.target.vendor)
    async with connected(job.target.server) as client:
        await perform(client, statements.forget_source([channel.name for channel in job.target.channels]))
        await perform(client, statements.writable())
    await mark(job.target.server, Marker(job.primary.identity, Phase.COPYING))


async def _move(job: CopyJob, view: Snapshot) -> _Tally:
    name = job.target.name
    job.reporter.say(name, f"copying {len(view.catalog.tables)} tables as of GTID {view.gtid or '(none yet)'}")
    if view.locked:
        job.reporter.warn(
            name, f"writes to {len(view.locked)} tables of non-transactional engines wait on the primary meanwhile"
        )
    of_rows = view.catalog.rows
    tally = _Tally(lambda rows, size: job.reporter.copied(name, rows, of_rows, size))
    async with loading_sessions(job.target.server, job.target, job.parallel) as sessions:
        kept = await _lay_out(job, view, sessions[0])
        await job.engine.move(view, sessions, job.target.vendor, tally.add, kept)
        job.reporter.say(name, f"copied {tally.rows:,} rows, {tally.bytes / 1e6:,.1f} MB")
        await _build_indexes(job, view.catalog, sessions)
    return tally


async def _lay_out(job: CopyJob, view: Snapshot, session: SqlClient) -> frozenset[str]:
    """Make all tables; returns which of them have rows of a run before."""
    kept: frozenset[str] = frozenset()
    if job.resumes:
        kept = await clear_away(session, job.target.vendor, view.catalog)
        job.reporter.say(job.target.name, f"going on with {len(kept)} tables of the run before")
    else:
        await wipe(session)
    await create_tables(view.session, session, view.catalog, kept)
    return kept


async def _build_indexes(job: CopyJob, catalog: Catalog, sessions: Sequence[SqlClient]) -> None:
    """Add the secondary indexes, the largest table first, several tables at a time."""
    plans = plan_tables(catalog)
    waiting = [table for table in catalog.tables if plans[table.full_name].keys]
    if not waiting:
        return
    await mark(job.target.server, Marker(job.primary.identity, Phase.INDEXING))
    job.reporter.say(job.target.name, f"building the indexes of {len(waiting)} tables")
    waiting.sort(key=lambda table: table.rows * table.row_length)

    async def build(session: SqlClient) -> None:
        while waiting:
            table = waiting.pop()
            await session.execute(add_keys(table, plans[table.full_name].keys))

    async with together() as group:
        for session in sessions:
            group.create_task(build(session))


async def install_service_login(job: CopyJob, catalog: Catalog, login: tuple[str, str]) -> Server:
    """Make the primary's service account valid on the replica and return the replica with those credentials."""
    service = job.primary.server
    server = replace(job.target.server, user=service.user, password=service.password)
    async with connected(job.target.server) as client:
        await unlogged(client)
        await install_login(client, find_login(catalog.accounts, *login))
    try:
        async with connected(server):
            return server
    except AccessDenied as error:
        raise AccessDenied(
            f"{server} has the primary's account {login[0]}@{login[1]} now but does not let it in: {error.problem}",
            "let that account log in from this host on the primary too, then run this again",
        ) from error


async def _finish(job: CopyJob, server: Server, catalog: Catalog, login: tuple[str, str] | None) -> None:
    def warn(message: str) -> None:
        job.reporter.warn(job.target.name, message)

    async with loading_session(server, job.target) as session:
        if login is None:
            await create_objects(session, catalog.objects, warn)
            return
        await _adopt_and_create(session, job, catalog, login, warn)


async def _adopt_and_create(
    session: SqlClient, job: CopyJob, catalog: Catalog, login: tuple[str, str], warn: Callable[[str], None]
) -> None:
    service = find_login(catalog.accounts, *login)
    todo = await adopt(session, job.target.vendor, catalog.accounts, service, warn)
    await create_objects(session, catalog.objects, warn)
    await grant_on_objects(session, todo, warn)
    job.reporter.say(job.target.name, "its accounts are the primary's now")
