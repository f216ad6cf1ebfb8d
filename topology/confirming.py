"""Keeps the replicas confirmed: after each write, which of them have applied it?

The primary is asked for its position, each replica is waited for until that is applied, and then confirmed. One
answer of the primary serves all replicas, and all writes that were acknowledged before it was asked.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Protocol

from topology.errors import ServerError
from topology.events import happens
from topology.freshness import Freshness
from topology.health import Limits
from topology.probe import Prober, Probers
from topology.servers import Server

log = logging.getLogger(__name__)

# So long at once a replica is waited for.
_WAIT_SECONDS = 1.0
# Under a steady write load one confirmation covers all writes of such a time; it bounds what the asking costs.
_PAUSE_SECONDS = 0.005
# The same while a read waits for it.
_SHORT_PAUSE_SECONDS = 0.001


class Watched(Protocol):
    """What the monitor knows of the servers, as far as it matters here."""

    interval: float
    limits: Limits
    freshness: Freshness

    @property
    def primary(self) -> Server:
        """The server that is the primary now."""

    def server(self, name: str) -> Server:
        """The server that goes by `name` now."""

    def usable(self, server: Server) -> bool:
        """Whether `server` is still what it was, and fit for use."""


class Confirming:
    """Keeps replicas confirmed up to the last write. `within`: so long a server is waited for, in seconds."""

    def __init__(self, watched: Watched, within: float) -> None:
        self._watched = watched
        self._within = within
        self._freshness = watched.freshness
        self._written = asyncio.Event()
        self._hurry = asyncio.Event()
        self._lock = asyncio.Lock()
        self._asked = Prober(watched.primary, within)
        self._warned = False
        self._since: dict[str, float] = {}
        self._pace: dict[str, float] = {}

    async def keep(self, name: str) -> None:
        """Keep a server confirmed, whenever it is a replica, until cancelled."""
        clock = asyncio.get_running_loop().time
        with contextlib.closing(Probers(self._watched.server(name), self._within)) as probers:
            while True:
                await self._until_behind(name)
                server = self._watched.server(name)
                prober = probers.of(server)
                began = self._since.setdefault(name, clock())
                if await self._confirm_once(server, prober):
                    self._since.pop(name, None)
                    self._pace[name] = clock() - began
                else:
                    await asyncio.sleep(self._watched.interval / 4)
                await self._pause()

    def written(self) -> None:
        """There is something to confirm."""
        self._written.set()

    def wanted(self) -> None:
        """The same, and perhaps a read waits for it."""
        self._written.set()
        if self._freshness.waiters:
            self._hurry.set()

    def forget(self, name: str) -> None:
        """Another server answers for `name`, or none."""
        self._freshness.forget(name)
        self._since.pop(name, None)
        self._pace.pop(name, None)

    def restart(self) -> None:
        """Another server is the primary."""
        self._asked.close()
        self._asked = Prober(self._watched.primary, self._within)
        self._freshness.restart()

    def close(self) -> None:
        """Drop the connection on which the primary is asked."""
        self._asked.close()

    async def locate(self) -> None:
        """Have a position of the primary that holds all acknowledged writes, unless the primary is silent."""
        try:
            async with asyncio.timeout(self._within):
                await self._primary_position(self._freshness.written)
        except (ServerError, TimeoutError) as error:
            log.debug("cannot ask %s for its position: %s", self._asked.server, error)

    def hopeful(self, replicas: Iterable[Server], seconds: float) -> bool:
        """Whether one of them may be confirmed in so many seconds, judging by how long that took and takes."""
        now = asyncio.get_running_loop().time()
        return any(
            self._pace.get(server.name, 0.0) < seconds and now - self._since.get(server.name, now) < seconds
            for server in replicas
        )

    async def _pause(self) -> None:
        await asyncio.sleep(_SHORT_PAUSE_SECONDS)
        if not self._freshness.waiters:
            self._hurry.clear()
            await happens(self._hurry, _PAUSE_SECONDS - _SHORT_PAUSE_SECONDS)

    async def _until_behind(self, name: str) -> None:
        while name == self._watched.primary.name or self._freshness.has(name, self._freshness.number):
            self._written.clear()
            await happens(self._written, self._watched.interval)

    async def _confirm_once(self, server: Server, prober: Prober) -> bool:
        if not self._watched.usable(server):
            return False
        number = self._freshness.number
        try:
            async with asyncio.timeout(self._within):
                position = await self._primary_position(number)
            if not position or not await self._reaches(server, prober, position):
                return False
        except (ServerError, TimeoutError) as error:
            log.debug("cannot confirm %s: %s", server, error)
            return False
        if self._watched.usable(server):
            self._freshness.confirm(server.name, number)
        return True

    async def _reaches(self, server: Server, prober: Prober, position: str) -> bool:
        """Whether `server` applies `position` before it would lag too much.

        It is waited for again: under a steady load a newer one is no nearer.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + self._watched.limits.max_lag + _WAIT_SECONDS
        while self._watched.usable(server) and clock() < until:
            async with asyncio.timeout(self._within + _WAIT_SECONDS):
                if await prober.wait_for(position, _WAIT_SECONDS):
                    return True
            await asyncio.sleep(_PAUSE_SECONDS)
        return False

    async def _primary_position(self, number: int) -> str:
        """A position of the primary that covers write number `number`, asked once for all replicas."""
        async with self._lock:
            position = self._freshness.position_after(number)
            if position is None:
                asked_after = self._freshness.number
                asked = self._asked
                position = await asked.position()
                if asked is not self._asked:
                    raise ServerError(f"{asked.server} is not the primary any more")
                self._freshness.locate(asked_after, position)
                self._warn_without_position(position)
            return position

    def _warn_without_position(self, position: str) -> None:
        if not position and not self._warned:
            self._warned = True
            log.warning(
                "%s tells no position, so no replica can be known to be up to date and all reads go to it; switch on "
                "log_bin, or (MySQL) gtid_mode; without GTIDs the account needs REPLICATION CLIENT",
                self._asked.server,
            )
