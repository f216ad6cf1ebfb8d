"""Copying a replica anew while it serves: into shadow schemas beside its tables, which then change places with them.

Until the exchange the replica is what it was, and replicates on if it did. A run that is broken off before is gone on
with by the next one. From the exchange on the replica's marker says `copying`, so that any later run makes it whole.
"""

from dataclasses import dataclass, replace

from replication.actions import Users
from replication.copy.catalog import Catalog, Table
from replication.copy.definitions import read_shadows
from replication.copy.filling import fill
from replication.copy.job import Copied, CopyJob
from replication.copy.layout import clear_away, create_tables
from replication.copy.logins import current_account
from replication.copy.objects import forget_shadows
from replication.copy.replica import add_objects, close_for_writers, install_service_login, mark
from replication.copy.shadow import dangling, shadow_catalog, shadow_table
from replication.copy.snapshot import Snapshot, snapshot
from replication.copy.swap import change_places
from replication.errors import Refused
from replication.facts import UNFINISHED, Marker, Phase
from replication.perform import perform, unlogged
from replication.statements import SHADOW, dialect
from replication.together import uninterrupted
from topology.errors import StatementRefused
from topology.servers import Server
from topology.sqlclient import SqlClient, connected

# Errors of a server whose disk is full: EE_WRITE, EE_DISKFULL, ER_DISK_FULL, ER_RECORD_FILE_FULL, ENOSPC.
_DISK_FULL = frozenset({3, 20, 1021, 1114, 28})


@dataclass(frozen=True, slots=True)
class Beside:
    """The copy's tables are in shadow schemas."""

    job: CopyJob

    def catalog(self, catalog: Catalog) -> Catalog:
        return shadow_catalog(catalog)

    def table(self, table: Table) -> Table:
        return shadow_table(table)

    async def lay_out(self, view: Snapshot, session: SqlClient) -> frozenset[str]:
        wanted = shadow_catalog(view.catalog)
        kept: frozenset[str] = frozenset()
        if self._resumes:
            async with connected(self.job.target.server) as client:
                found = await read_shadows(client)
            kept = await clear_away(session, found, wanted)
            self.job.reporter.say(self.job.target.name, f"going on with {len(kept)} tables of the run before")
        else:
            await forget_shadows(session)
            await self.note(Phase.COPYING)
        await create_tables(view.session, session, view.catalog, wanted, kept)
        return kept

    async def note(self, phase: Phase) -> None:
        await mark(self.job.target.server, Marker(self.job.primary.identity, phase), SHADOW)

    @property
    def _resumes(self) -> bool:
        noted = self.job.target.shadow
        return noted is not None and noted.primary == self.job.primary.identity and noted.phase in UNFINISHED


async def copy_beside(job: CopyJob) -> Copied:
    """Make the target a complete copy of the primary as of the position that is returned; its old data is gone then.

    Raises a ManyreadsError with the target as it was; what is copied by then stays for the next run, unless the disk
    was full.
    """
    copying_users = job.users is not Users.KEEP
    try:
        async with connected(job.target.server) as client:
            await perform(client, dialect(job.target.vendor).writable())
        async with snapshot(
            job.primary.server, job.primary.vendor, job.turn, accounts=copying_users, more=job.parallel
        ) as view:
            _check_references(job, view.catalog)
            login = await current_account(view.session) if copying_users else None
            tally = await fill(job, view, Beside(job))
        left = await uninterrupted(change_places(job, view.catalog, view.gtid))
    except StatementRefused as error:
        if error.errno in _DISK_FULL:
            await _make_room(job)
        await uninterrupted(close_for_writers(job.target))
        raise
    except BaseException:
        await uninterrupted(close_for_writers(job.target))
        raise
    server = await _complete(job, replace(view.catalog, objects=left), login)
    await mark(server, Marker(job.primary.identity, Phase.ATTACHING, view.gtid))
    return Copied(view.gtid, len(view.catalog.tables), tally.rows, tally.bytes, server)


def _check_references(job: CopyJob, catalog: Catalog) -> None:
    if tables := dangling(catalog):
        raise Refused(
            f"{', '.join(tables)} on {job.primary.server} has a foreign key to a table that does not exist",
            f"copy in place: resync {job.target.name} --full",
        )


async def _make_room(job: CopyJob) -> None:
    job.reporter.warn(job.target.name, "its disk is full, so the copy beside its tables is dropped again")
    async with connected(job.target.server) as client:
        await unlogged(client)
        await forget_shadows(client)


async def _complete(job: CopyJob, catalog: Catalog, login: tuple[str, str] | None) -> Server:
    """Give it the stored objects and accounts that it lacks; the replica with the credentials that are valid now."""
    server = await install_service_login(job, catalog, login) if login else job.target.server
    await add_objects(job, server, catalog, login)
    async with connected(server) as client:
        await unlogged(client)
        await forget_shadows(client)
    return server
