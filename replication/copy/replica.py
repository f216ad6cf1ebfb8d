"""One replica's copy from beginning to end: wipe, tables, rows, accounts, stored objects."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from replication.actions import Users
from replication.copy.catalog import Catalog, Table
from replication.copy.definitions import read_catalog
from replication.copy.filling import fill
from replication.copy.job import Copied, CopyJob
from replication.copy.layout import clear_away, create_tables
from replication.copy.loading import loading_session
from replication.copy.logins import adopt, current_account, find_login, grant_on_objects, install_login
from replication.copy.objects import create_objects, forget_shadows, wipe
from replication.copy.snapshot import Snapshot, snapshot
from replication.facts import Marker, Phase, ServerFacts
from replication.perform import perform, unlogged
from replication.statements import FORGET_MARKER, LIVE, account, dialect, write_marker
from replication.survey import channels, read_marker
from topology.errors import AccessDenied, ServerError
from topology.servers import Server, Vendor
from topology.sqlclient import SqlClient, connected


@dataclass(frozen=True, slots=True)
class InPlace:
    """The copy's tables are the replica's own."""

    job: CopyJob

    def catalog(self, catalog: Catalog) -> Catalog:
        return catalog

    def table(self, table: Table) -> Table:
        return table

    async def lay_out(self, view: Snapshot, session: SqlClient) -> frozenset[str]:
        kept: frozenset[str] = frozenset()
        if self.job.resumes:
            await forget_shadows(session)
            kept = await clear_away(session, await _definitions(self.job), view.catalog)
            self.job.reporter.say(self.job.target.name, f"going on with {len(kept)} tables of the run before")
        else:
            await wipe(session)
        await create_tables(view.session, session, view.catalog, view.catalog, kept)
        return kept

    async def note(self, phase: Phase) -> None:
        await mark(self.job.target.server, Marker(self.job.primary.identity, phase))


async def _definitions(job: CopyJob) -> Catalog:
    async with connected(job.target.server) as client:
        return await read_catalog(client, job.target.vendor, accounts=False)


async def copy_replica(job: CopyJob) -> Copied:
    """Make the target a complete copy of the primary as of the position that is returned.

    The target's marker says `copying` from before the first loss until everything is there, then `attaching`.
    """
    await take_over(job)
    copying_users = job.users is not Users.KEEP
    async with snapshot(
        job.primary.server, job.primary.vendor, job.turn, accounts=copying_users, more=job.parallel
    ) as view:
        login = await current_account(view.session) if copying_users else None
        tally = await fill(job, view, InPlace(job))
        catalog, gtid = view.catalog, view.gtid
    server = await install_service_login(job, catalog, login) if login else job.target.server
    await add_objects(job, server, catalog, login)
    await mark(server, Marker(job.primary.identity, Phase.ATTACHING, gtid))
    return Copied(gtid, len(catalog.tables), tally.rows, tally.bytes, server)


async def mark(server: Server, marker: Marker, about: int = LIVE) -> None:
    """Write the marker of a replica, outside of its binary log."""
    async with connected(server) as client:
        await unlogged(client)
        await perform(client, write_marker(marker, about))


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


async def close_for_writers(target: ServerFacts) -> None:
    """Refuse writes from clients again, as far as the server answers, whether it applies or not."""
    words = dialect(target.vendor)
    with suppress(ServerError):
        async with connected(target.server) as client:
            applies = any(channel.sql_running == "Yes" for channel in await channels(client, target.vendor))
            await perform(client, words.pause() if applies else ())
            try:
                await perform(client, words.read_only())
            finally:
                await perform(client, words.resume() if applies else ())


async def take_over(job: CopyJob) -> None:
    """Let the target follow nobody, and mark it as one whose data is not whole."""
    statements = dialect(job.target.vendor)
    async with connected(job.target.server) as client:
        await perform(client, statements.forget_source([channel.name for channel in job.target.channels]))
        await perform(client, statements.writable())
    await mark(job.target.server, Marker(job.primary.identity, Phase.COPYING))


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


async def spared(job: CopyJob) -> str:
    """The name of the replica's account that stays though the primary lacks it; empty if there is none."""
    if job.users is not Users.MERGE:
        return ""
    try:
        async with connected(job.target.server) as client:
            return account(*await current_account(client))
    except AccessDenied:
        # The primary has an account of that name, with another password.
        return ""


async def add_objects(job: CopyJob, server: Server, catalog: Catalog, login: tuple[str, str] | None) -> None:
    """Create the stored objects; with `login`, the primary's accounts too."""

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
    todo = await adopt(session, job.target.vendor, catalog.accounts, service, warn, await spared(job))
    await create_objects(session, catalog.objects, warn)
    await grant_on_objects(session, todo, warn)
    job.reporter.say(job.target.name, "its accounts are the primary's now")
