"""Transactions that are open on the old primary: waiting for them, and rolling back what is left."""

import asyncio
from time import monotonic

from replication.handover.run import Run
from topology.errors import StatementRefused
from topology.sqlclient import SqlClient

_PAUSE = 0.1
_NO_SUCH_THREAD = 1094
_WRITING = (
    "SELECT trx_id AS trx, trx_mysql_thread_id AS thread FROM information_schema.INNODB_TRX "
    "WHERE trx_mysql_thread_id NOT IN (0, CONNECTION_ID()) AND (trx_rows_modified > 0 OR trx_rows_locked > 0)"
)


async def drain(run: Run) -> None:
    """Give transactions that are open now some time to end; those that are left will be rolled back."""
    old = await _writing(run.control)
    deadline = monotonic() + run.options.drain
    if old:
        run.reporter.say(run.change.old.name, f"waiting for {len(old)} open transactions")
    while left := old & await _writing(run.control):
        if monotonic() >= deadline:
            run.reporter.warn(run.change.old.name, f"{len(left)} open transactions will be rolled back")
            return
        await asyncio.sleep(_PAUSE)


async def end_transactions(run: Run) -> int:
    """Roll back what nobody can commit any more: it would be in the way of what comes from the new primary."""
    ended: set[tuple[int, int]] = set()
    deadline = monotonic() + run.options.wait
    while (writing := await _writing(run.control)) and monotonic() < deadline:
        for _, thread in writing:
            # It may be gone by itself.
            await _kill(run.control, thread)
        ended |= writing
        await asyncio.sleep(_PAUSE)
    return len(ended)


async def _writing(client: SqlClient) -> set[tuple[int, int]]:
    return {(int(row["trx"]), int(row["thread"])) for row in await client.query(_WRITING)}


async def _kill(client: SqlClient, thread: int) -> None:
    try:
        await client.execute(f"KILL {thread}")
    except StatementRefused as error:
        if error.errno != _NO_SUCH_THREAD:
            raise
