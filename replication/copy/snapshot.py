"""A consistent view of the primary: a session that sees one moment, that moment's GTID, and the catalog of then."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from replication.copy.catalog import Catalog, Table
from replication.copy.definitions import read_catalog
from replication.copy.sight import check_sees_all
from replication.errors import NotReady, SchemaChanged
from replication.survey import logged_gtid
from replication.together import together
from topology.errors import AccessDenied, StatementRefused
from topology.servers import Server, Vendor
from topology.sqlclient import SqlClient, connected

_TRIES = 5
_TRIES_FOR_ONE_POSITION = 50
_LOCK_WAIT_SECONDS = 5
_LOCK_WAIT_TIMEOUT = frozenset({1205, 1969, 3024})
START_SNAPSHOT = "START TRANSACTION WITH CONSISTENT SNAPSHOT"


async def _nothing() -> None:
    """Nothing is locked."""


async def _nothing_at(_: str) -> None:
    """Nothing is waited for."""


@dataclass(slots=True)
class Snapshot:
    """`session` and `more` read the moment `gtid`. `locked` tables stand still until `release` is called."""

    session: SqlClient
    gtid: str
    catalog: Catalog
    more: tuple[SqlClient, ...] = ()
    locked: tuple[Table, ...] = ()
    _let_go: Callable[[], Awaitable[None]] = field(default=_nothing, repr=False)

    async def release(self) -> None:
        """Let writers at the locked tables again; may be called twice."""
        await self._let_go()
        self.locked = ()


@asynccontextmanager
async def snapshot(
    primary: Server,
    vendor: Vendor,
    turn: asyncio.Lock,
    *,
    accounts: bool,
    before_it: Callable[[], Awaitable[None]] = _nothing,
    at_it: Callable[[str], Coroutine[Any, Any, None]] = _nothing_at,
    more: int = 0,
) -> AsyncIterator[Snapshot]:
    """Open a snapshot of the primary; nothing is written there. `before_it` is called once, just before it is taken,
    `at_it` with its GTID after each try to take it. So many `more` sessions see the same.

    `turn` is shared by all who copy from this primary: the short global lock of one would have to wait for the table
    locks of another. It is held as long as any lock is.

    Definitions are outside of any transaction. So they are read before and after the snapshot is taken, again until
    both readings agree: then they are the definitions of that moment too. Raises SchemaChanged when they never do, and
    AccessDenied for a login that might not see all.
    """
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(primary)) for _ in range(3 + more)]
        for client in clients:
            await make_patient(client, vendor)
        control, lock, *sessions = clients
        await check_sees_all(control)
        before = await read_catalog(control, vendor, accounts=accounts)
        held = await stack.enter_async_context(AsyncExitStack())
        await held.enter_async_context(turn)
        await before_it()
        for _ in range(_TRIES):
            locked = tuple(table for table in before.tables if table.needs_lock)
            gtid = await _take(sessions, control, lock, vendor, before.tables)
            async with together() as group:
                reading = group.create_task(read_catalog(control, vendor, accounts=accounts))
                group.create_task(at_it(gtid))
            after = reading.result()
            if after == before:
                held.push_async_callback(lock.execute, "UNLOCK TABLES")
                if not locked:
                    await held.aclose()
                yield Snapshot(sessions[0], gtid, after, tuple(sessions[1:]), locked, held.aclose)
                return
            await lock.execute("UNLOCK TABLES")
            before = after
        raise SchemaChanged(
            f"the definitions on {primary} changed {_TRIES} times while they were read",
            "run this again when no tables, views, routines or accounts are being changed",
        )


async def make_patient(client: SqlClient, vendor: Vendor) -> None:
    """Let a session read for hours, but wait for no lock longer than some seconds; its times are UTC."""
    limit = "max_statement_time = 0" if vendor is Vendor.MARIADB else "max_execution_time = 0"
    await client.execute(
        "SET SESSION wait_timeout = 604800, net_write_timeout = 86400, net_read_timeout = 86400, "
        f"time_zone = '+00:00', sql_mode = '', lock_wait_timeout = {_LOCK_WAIT_SECONDS}, {limit}"
    )
    await client.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")


async def _take(
    sessions: Sequence[SqlClient], control: SqlClient, lock: SqlClient, vendor: Vendor, tables: tuple[Table, ...]
) -> str:
    await _roll_back(sessions)
    locked = tuple(table for table in tables if table.needs_lock)
    if vendor is Vendor.MYSQL:
        return await _take_under_lock(sessions, control, lock, vendor, tables)
    await _lock_tables(lock, locked)
    gtid = await _take_without_lock(sessions)
    if gtid is not None:
        return gtid
    await lock.execute("UNLOCK TABLES")
    return await _take_under_lock(sessions, control, lock, vendor, tables)


async def _roll_back(sessions: Sequence[SqlClient]) -> None:
    for session in sessions:
        with suppress(StatementRefused):
            await session.execute("ROLLBACK")


async def _lock_tables(lock: SqlClient, tables: tuple[Table, ...]) -> None:
    if tables:
        await _bounded(lock, "LOCK TABLES " + ", ".join(f"{table.full_name} READ" for table in tables))


async def _take_without_lock(sessions: Sequence[SqlClient]) -> str | None:
    """MariaDB knows the binary log position of a snapshot; its GTID, or None where it cannot be worked out.

    Several sessions begin at once, again until all are at one position. BINLOG_GTID_POS reads the log up to there, and
    gives up at an event larger than max_allowed_packet (10.11).
    """
    for _ in range(_TRIES_FOR_ONE_POSITION):
        await asyncio.gather(*(session.execute(START_SNAPSHOT) for session in sessions))
        positions = set(await asyncio.gather(*(_position(session) for session in sessions)))
        if len(positions) == 1:
            gtid = await sessions[0].value(f"SELECT BINLOG_GTID_POS({positions.pop()})")
            if gtid is not None:
                return str(gtid)
            break
        await _roll_back(sessions)
    await _roll_back(sessions)
    return None


async def _position(session: SqlClient) -> str:
    """File and offset in the binary log of the session's snapshot, as arguments of a function."""
    rows = await session.query("SHOW STATUS LIKE 'Binlog_snapshot_%'")
    at = {str(row["Variable_name"]).lower(): str(row["Value"]) for row in rows}
    return f"{session.literal(at['binlog_snapshot_file'])}, {int(at['binlog_snapshot_position'])}"


async def _take_under_lock(
    sessions: Sequence[SqlClient], control: SqlClient, lock: SqlClient, vendor: Vendor, tables: tuple[Table, ...]
) -> str:
    """Nobody commits for the moment, normally milliseconds, in which snapshot and GTID are taken."""
    if vendor is Vendor.MYSQL:
        # Without the right to it the two readings of the catalog still find out about any change.
        with suppress(AccessDenied):
            await _bounded(control, "LOCK INSTANCE FOR BACKUP")
    try:
        await _keep_writers_out(control, tables)
        try:
            await _lock_tables(lock, tuple(table for table in tables if table.needs_lock))
            await asyncio.gather(*(session.execute(START_SNAPSHOT) for session in sessions))
            return await logged_gtid(control, vendor)
        finally:
            await control.execute("UNLOCK TABLES")
    finally:
        if vendor is Vendor.MYSQL:
            with suppress(AccessDenied):
                await control.execute("UNLOCK INSTANCE")


async def _keep_writers_out(control: SqlClient, tables: tuple[Table, ...]) -> None:
    """Until UNLOCK TABLES. A login that may not lock all at once locks each table, which waits for who writes to it."""
    try:
        await _bounded(control, "FLUSH TABLES WITH READ LOCK")
    except AccessDenied:
        held = tuple(table for table in tables if table.has_rows)
        if not held:
            raise
        await _lock_tables(control, held)


async def _bounded(client: SqlClient, sql: str) -> None:
    """Run a statement that waits for a lock a few times; in between, whoever queued up behind it gets through."""
    for attempt in range(_TRIES):
        try:
            await client.execute(sql)
        except StatementRefused as error:
            if error.errno not in _LOCK_WAIT_TIMEOUT:
                raise
            await asyncio.sleep(attempt + 1)
        else:
            return
    raise NotReady(
        f"{client.server} did not grant {sql.split(' READ')[0]!r} within {_TRIES} times {_LOCK_WAIT_SECONDS} seconds",
        "look for long-running statements with SHOW PROCESSLIST and run this again when they are over",
    )
