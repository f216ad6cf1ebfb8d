"""MySQL's clone plugin: the replica fetches the primary's files, drops all that it had, and starts anew as a copy.

It is the fastest way, and the only one that needs more than SQL: a server that nobody restarts by itself is down when
it is through (error 3707), until somebody starts it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from time import monotonic

from replication.actions import Users
from replication.copy.definitions import read_catalog
from replication.copy.job import Copied, CopyJob
from replication.copy.loading import loading_session
from replication.copy.objects import create_objects, drop_objects, forget_shadows
from replication.copy.replica import mark, take_over
from replication.errors import NotReady, Refused
from replication.facts import Marker, Phase
from replication.perform import perform, unlogged
from replication.statements import SYSTEM_SCHEMAS, Statement, account, clone_from, dialect, text
from replication.survey import channels
from replication.together import together
from topology.errors import ServerError, ServerUnreachable, StatementRefused
from topology.servers import Server, Vendor
from topology.sqlclient import SqlClient, connected

PLUGIN = Statement("INSTALL PLUGIN clone SONAME 'mysql_clone.so'")
_RESTART_FAILED = 3707
_PLUGIN = "SELECT PLUGIN_STATUS FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'clone'"
_STATUS = "SELECT STATE AS state, GTID_EXECUTED AS gtid, ERROR_MESSAGE AS error FROM performance_schema.clone_status"
_PROGRESS = "SELECT COALESCE(SUM(DATA), 0) FROM performance_schema.clone_progress"
_PAUSE = 0.5
_SYSTEM = ", ".join(text(schema) for schema in sorted(SYSTEM_SCHEMAS))
_LEFT_BEHIND = (
    "SELECT TABLE_SCHEMA AS db, TABLE_NAME AS name, ENGINE AS engine FROM information_schema.TABLES WHERE TABLE_TYPE = "
    f"'BASE TABLE' AND ENGINE <> 'InnoDB' AND TABLE_SCHEMA NOT IN ({_SYSTEM}) LIMIT 1"
)


async def check_clonable(client: SqlClient, vendor: Vendor, users: Users) -> None:
    """Raise Refused, with the remedy, where a clone of this primary cannot be had or would not be all of it."""
    primary = client.server
    if vendor is Vendor.MARIADB:
        raise Refused(
            f"{primary} is MariaDB, which cannot be cloned over SQL",
            "use --method stream; mariadb-backup copies files, and has to be installed and run on the hosts themselves",
        )
    if users is not Users.COPY:
        raise Refused("a clone has the primary's accounts and no others", "use --users copy, or --method stream")
    if await client.value(_PLUGIN) != "ACTIVE":
        raise Refused(
            f"{primary} does not have the clone plugin, and nothing is installed on a primary", f"run there: {PLUGIN}"
        )
    if left := await client.one(_LEFT_BEHIND):
        raise Refused(
            f"{left['db']}.{left['name']} on {primary} is of {left['engine']}, and a clone has rows of InnoDB alone",
            "use --method stream",
        )


async def clone_replica(job: CopyJob) -> Copied:
    """Make the target a clone of the primary as of the position that is returned.

    Raises NotReady when its server has not come back `job.wait` seconds after it went down.
    """
    service = job.primary.server
    async with connected(job.target.server) as client:
        await unlogged(client)
        if await client.value(_PLUGIN) != "ACTIVE":
            await perform(client, [PLUGIN])
    await take_over(job)
    job.reporter.say(job.target.name, f"cloning {job.primary.name}; its server starts anew at the end")
    async with _showing_progress(job):
        await _clone(job)
    server = replace(job.target.server, user=service.user, password=service.password)
    gtid = await _wait_for_clone(job, server)
    size, tables = await _make_a_replica(job, server)
    await mark(server, Marker(job.primary.identity, Phase.ATTACHING, gtid))
    return Copied(gtid, tables, 0, size, server)


async def _clone(job: CopyJob) -> None:
    service, (host, port) = job.primary.server, job.address
    donors = Statement(f"SET GLOBAL clone_valid_donor_list = {text(f'{host}:{port}')}")
    try:
        async with connected(job.target.server) as client:
            await client.execute("SET SESSION wait_timeout = 604800")
            clone = clone_from(account(service.user, host), port, service.password, tls=job.primary.has_tls)
            await perform(client, [donors, clone])
    except ServerUnreachable:
        # It restarts by itself.
        return
    except StatementRefused as error:
        if error.errno != _RESTART_FAILED:
            raise
        job.reporter.warn(job.target.name, "it has all data and is down now, since nobody restarts it: start it")


@asynccontextmanager
async def _showing_progress(job: CopyJob) -> AsyncIterator[None]:
    of_rows = sum(schema.rows for schema in job.primary.user_schemas)
    of_bytes = max(1, sum(schema.bytes for schema in job.primary.user_schemas))
    since = monotonic()

    async def show() -> None:
        with suppress(ServerError):
            async with connected(job.target.server) as client:
                while True:
                    size = int(await client.value(_PROGRESS))
                    rows = min(of_rows, of_rows * size // of_bytes)
                    job.reporter.copied(job.target.name, rows, of_rows, size, monotonic() - since)
                    await asyncio.sleep(_PAUSE)

    async with together() as group:
        showing = group.create_task(show())
        yield
        showing.cancel()


async def _wait_for_clone(job: CopyJob, server: Server) -> str:
    """The clone's position, once the server runs with it."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + job.wait
    while loop.time() < deadline:
        # As long as it is not through it refuses the primary's login, or says so.
        with suppress(ServerError):
            async with connected(server) as client:
                status = await client.one(_STATUS)
                if status.get("state") == "Completed":
                    return "".join(str(status["gtid"]).split())
        await asyncio.sleep(_PAUSE)
    raise NotReady(
        f"{server} did not come back as a clone within {job.wait:g} seconds",
        f"start its server, and look at its error log; then run this again with --force {server.name}",
    )


async def _make_a_replica(job: CopyJob, server: Server) -> tuple[int, int]:
    """Take away what makes a clone a primary; returns its bytes and how many tables it has."""
    words = dialect(job.target.vendor)
    async with connected(server) as client:
        await perform(client, words.writable())
        await unlogged(client)
        await _let_events_sleep(job, server)
        await perform(client, words.forget_source([each.name for each in await channels(client, job.target.vendor)]))
        await forget_shadows(client)
        tables = await client.value(
            "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' "
            f"AND TABLE_SCHEMA NOT IN ({_SYSTEM})"
        )
        return int(await client.value(_PROGRESS)), int(tables)


async def _let_events_sleep(job: CopyJob, server: Server) -> None:
    """Make events anew: an ALTER EVENT would change more of them than their status."""
    async with connected(server) as client:
        catalog = await read_catalog(client, job.target.vendor, accounts=False)
    events = [each for each in catalog.objects if each.kind == "EVENT"]
    async with loading_session(server, job.target) as session:
        await drop_objects(session, events)
        await create_objects(session, events, lambda message: job.reporter.warn(server.name, message))
