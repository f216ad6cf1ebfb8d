"""Bringing a replica to a standstill at exactly the position of a snapshot of its primary, for a short time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from replication.copy.snapshot import START_SNAPSHOT, Snapshot, make_patient, snapshot
from replication.errors import HeldTooLong, NotReady, ReplicationBroken
from replication.perform import perform
from replication.statements import dialect
from replication.survey import applied_gtid, channels, logged_gtid
from topology.errors import ManyreadsError, ServerError
from topology.gtid import beyond, covers
from topology.servers import Server, Vendor
from topology.sqlclient import SqlClient, connected

_PAUSE = 0.005
# A replica is near when it gets to the primary's position in this part of the longest pause; that is waited for so many
# times as long as the pause.
_NEAR = 0.25
_PATIENCE = 5


class Hold:
    """The applier of one replica, stopped and started again; `paused` is for how many seconds it was not running on."""

    def __init__(self, client: SqlClient, vendor: Vendor, limit: asyncio.Timeout, max_pause: float) -> None:
        self.client = client
        self.paused = 0.0
        self._vendor = vendor
        self._limit = limit
        self._max_pause = max_pause
        self._since: float | None = None

    async def is_near(self, primary: SqlClient) -> bool:
        """Wait until it is hardly behind, since all that it lacks is applied while it is held; False if it stays so."""
        until = monotonic() + self._max_pause * _PATIENCE
        while (asked := monotonic()) < until:
            target = await logged_gtid(primary, self._vendor)
            while not covers(self._vendor, await applied_gtid(self.client, self._vendor), target):
                if monotonic() > until:
                    return False
                await asyncio.sleep(_PAUSE)
            if monotonic() - asked <= self._max_pause * _NEAR:
                return True
        return False

    async def stop(self) -> None:
        """Stop applying; from here on the time runs."""
        self._limit.reschedule(asyncio.get_running_loop().time() + self._max_pause)
        self._since = monotonic()
        await perform(self.client, dialect(self._vendor).hold())

    async def reach(self, gtid: str) -> None:
        """Let it run up to `gtid`, a position of its primary that it cannot have passed."""
        before = await applied_gtid(self.client, self._vendor)
        has_own = beyond(self._vendor, before, gtid)
        if not covers(self._vendor, before, gtid):
            await perform(self.client, dialect(self._vendor).run_until(gtid))
            await self._wait_at(gtid)
        if not has_own and beyond(self._vendor, await applied_gtid(self.client, self._vendor), gtid):
            raise NotReady(f"{self.client.server} went beyond {gtid}, where it should have stopped", "run this again")

    async def _wait_at(self, gtid: str) -> None:
        while True:
            channel = next(iter(await channels(self.client, self._vendor)), None)
            if channel is None or channel.sql_errno:
                raise ReplicationBroken(
                    f"replication on {self.client.server} stopped with {channel.error if channel else 'no source'}",
                    f"look at it with status, or copy it again: resync {self.client.server.name} --full",
                )
            applied = await applied_gtid(self.client, self._vendor)
            if channel.sql_running == "No" and covers(self._vendor, applied, gtid):
                return
            await asyncio.sleep(_PAUSE)

    async def let_go(self) -> None:
        """Replicate on; may be called twice."""
        if self._since is None:
            return
        statements = dialect(self._vendor).go_on()
        try:
            await perform(self.client, statements)
        except ServerError:
            # Whatever broke this connection must not leave the replica behind.
            async with connected(self.client.server) as client:
                await perform(client, statements)
        self.paused += monotonic() - self._since
        self._since = None
        if not self._limit.expired():
            self._limit.reschedule(None)


@dataclass(frozen=True, slots=True)
class Aligned:
    """Sessions on both servers that see one position, `primary.gtid`; the replica is held until `hold.let_go`."""

    primary: Snapshot
    replica: SqlClient
    hold: Hold


@asynccontextmanager
async def aligned(
    primary: Server, replica: Server, vendor: Vendor, turn: asyncio.Lock, max_pause: float
) -> AsyncIterator[Aligned]:
    """Stop the replica, take a snapshot of the primary, let the replica run up to that, and take one there.

    It is stopped when it is hardly behind, or stays behind. It goes on in any case, at the latest when the block ends.
    Raises HeldTooLong when it would have to be held for more than `max_pause` seconds, NotReady if it also is behind,
    SchemaChanged as `snapshot` does.
    """
    near = False

    async def stop() -> None:
        nonlocal near
        near = await hold.is_near(asking)
        await hold.stop()

    async def align(gtid: str) -> None:
        await hold.reach(gtid)
        await session.execute(START_SNAPSHOT)

    async with connected(primary) as asking, connected(replica) as control, connected(replica) as session:
        await make_patient(session, vendor)
        try:
            async with asyncio.timeout(None) as limit:
                hold = Hold(control, vendor, limit, max_pause)
                try:
                    async with snapshot(primary, vendor, turn, accounts=False, before_it=stop, at_it=align) as view:
                        yield Aligned(view, session, hold)
                finally:
                    await hold.let_go()
        except (TimeoutError, ManyreadsError) as error:
            if not limit.expired():
                raise
            kind = HeldTooLong if near else NotReady
            raise kind(
                f"{replica} would have to be held for more than {max_pause:g} seconds",
                "run this again when it is not behind or less is done there, or allow more with --max-pause SECONDS",
            ) from error
