"""Keeps known which tables are ordinary: such that a write to one shows in no other."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from topology.errors import ServerError
from topology.events import happens
from topology.freshness import Freshness, Table
from topology.probe import Prober, Probers
from topology.servers import Server

log = logging.getLogger(__name__)

# Tables may be defined past the proxy.
_SECONDS = 30.0
# Of its time, asking takes a twentieth at most, and it pauses so long at least.
_SHARE = 20
_PAUSE = 0.05


class Learning:
    """Tells `freshness` which tables are ordinary on the server that `primary()` gives at the time."""

    def __init__(self, primary: Callable[[], Server], freshness: Freshness, within: float) -> None:
        self._primary = primary
        self._freshness = freshness
        self._within = within
        self._defined = asyncio.Event()
        self._warned = False

    def defined(self) -> None:
        """The tables may be others now."""
        self._defined.set()

    async def keep(self) -> None:
        """Ask after each DDL, and regularly, until cancelled."""
        clock = asyncio.get_running_loop().time
        with contextlib.closing(Probers(self._primary(), self._within)) as probers:
            while True:
                prober = probers.of(self._primary())
                self._defined.clear()
                began = clock()
                definitions = self._freshness.definitions
                self._freshness.learn(await self._ordinary_tables(prober), definitions)
                await asyncio.sleep(max(_PAUSE, _SHARE * (clock() - began)))
                await happens(self._defined, _SECONDS)

    async def _ordinary_tables(self, prober: Prober) -> frozenset[Table] | None:
        try:
            async with asyncio.timeout(_SECONDS):
                found = await prober.ordinary_tables()
        except (ServerError, TimeoutError) as error:
            log.debug("cannot ask %s for its tables: %s", prober.server, error)
            return None
        if found is None and not self._warned:
            self._warned = True
            log.warning(
                "%s: the account %r has no global TRIGGER privilege, or there are too many tables; "
                "so each write counts for all tables",
                prober.server,
                prober.server.user,
            )
        return found
