"""Making a replica equal to its primary without copying it: only the key ranges that differ are written anew.

It takes the place of `copy_replica` where the definitions are the same on both sides, whatever became of the rows and
of the replica's position.
"""

from collections.abc import Sequence

from replication.actions import Users
from replication.comparison.definitions import comparable_tables, differing
from replication.comparison.findings import ChunkDifference
from replication.comparison.repair import check_repairable, rewrite
from replication.comparison.rows import Pace, Pair, compare_table, primary_keys
from replication.copy.catalog import Catalog, Table
from replication.copy.definitions import read_catalog
from replication.copy.job import Copied, CopyJob
from replication.copy.loading import loading_session
from replication.copy.logins import adopt, current_account, find_login, grant_on_objects
from replication.copy.objects import advance
from replication.copy.replica import install_service_login, mark, spared, take_over
from replication.copy.snapshot import START_SNAPSHOT, Snapshot, make_patient, snapshot
from replication.errors import Refused
from replication.facts import Marker, Phase
from replication.perform import perform
from replication.statements import dialect
from topology.servers import Server
from topology.sqlclient import SqlClient, connected


async def renew_replica(job: CopyJob) -> Copied:
    """Make the target's rows those of the primary as of the position that is returned; its accounts too if wanted.

    The target stands still where it is meanwhile and can be read. Raises Refused, and lets it go on if it ran, when
    definitions differ or a table's rows cannot be written as they are; up to then nothing has been written.
    """
    vendor, copying_users = job.primary.vendor, job.users is not Users.KEEP
    async with (
        snapshot(job.primary.server, vendor, job.turn, accounts=copying_users) as view,
        connected(job.target.server) as client,
    ):
        await make_patient(client, vendor)
        await perform(client, dialect(vendor).stop() if job.target.channels else ())
        try:
            different = await _compare(job, view, client)
        except BaseException:
            if any(channel.running for channel in job.target.channels):
                await perform(client, dialect(vendor).start())
            raise
        login = await current_account(view.session) if copying_users else None
        rows = await _rewrite(job, view, different)
        catalog, gtid = view.catalog, view.gtid
    server = await install_service_login(job, catalog, login) if login else job.target.server
    if login:
        await _adopt_accounts(job, server, catalog, login)
    await mark(server, Marker(job.primary.identity, Phase.ATTACHING, gtid))
    return Copied(gtid, len(catalog.tables), rows, 0, server)


async def _compare(job: CopyJob, view: Snapshot, client: SqlClient) -> list[ChunkDifference]:
    found = await read_catalog(client, job.target.vendor, accounts=False)
    if problems := differing(view.catalog, found):
        raise Refused(
            f"{job.target.server} does not have the definitions of {job.primary.name}: {'; '.join(map(str, problems))}",
            f"copy it again: resync {job.target.name} --full",
        )
    tables = comparable_tables(view.catalog, found)
    await client.execute(START_SNAPSHOT)
    locked = {table.full_name for table in view.locked}
    different = await _differences(job, view, client, [table for table in tables if table.full_name in locked])
    if not different:
        await view.release()
    different += await _differences(job, view, client, [table for table in tables if table.full_name not in locked])
    await client.execute("ROLLBACK")
    await check_repairable(client, [each.chunk.table for each in different])
    return different


async def _differences(
    job: CopyJob, view: Snapshot, client: SqlClient, tables: Sequence[Table]
) -> list[ChunkDifference]:
    keys = await primary_keys(client, tables)
    compared = 0

    def progress(rows: int) -> None:
        nonlocal compared
        compared += rows
        job.reporter.compared(job.target.name, compared, view.catalog.rows)

    pair = Pair(view.session, client)
    found = [await compare_table(pair, table, keys[table.full_name], Pace(0), progress) for table in tables]
    return [each for differences in found for each in differences]


async def _rewrite(job: CopyJob, view: Snapshot, different: Sequence[ChunkDifference]) -> int:
    for each in different:
        # Keys may be personal, and what is said here ends up in logs.
        job.reporter.say(job.target.name, f"writing anew a range of {each.table}: {each.counts}")
    await take_over(job)
    async with loading_session(job.target.server, job.target) as session:
        for sequence in view.catalog.sequences:
            await advance(view.session, session, sequence.full_name, sequence.full_name)
        return await rewrite(view.session, session, job.target.vendor, [each.chunk for each in different])


async def _adopt_accounts(job: CopyJob, server: Server, catalog: Catalog, login: tuple[str, str]) -> None:
    def warn(message: str) -> None:
        job.reporter.warn(job.target.name, message)

    service = find_login(catalog.accounts, *login)
    async with loading_session(server, job.target) as session:
        todo = await adopt(session, job.target.vendor, catalog.accounts, service, warn, await spared(job))
        await grant_on_objects(session, todo, warn)
