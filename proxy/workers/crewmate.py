"""A worker's colleagues, whom it knows through its parent, and the sessions of theirs that its own may kill."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from proxy.admin.figures import Figures, Parts
from proxy.admin.views import SessionView
from proxy.session.core.wording import session_over
from proxy.session.shared.colleagues import Gone, Held
from proxy.session.shared.context import Context
from proxy.session.shared.kills import Target
from proxy.session.shared.overview import figures
from proxy.sql.own import Order
from proxy.wire.replies import Err
from proxy.workers.peer import Peer, PeerGone
from proxy.workers.words import Found, Hit
from topology.servers import Server

log = logging.getLogger(__name__)

# How often it is looked whether somebody still waits for writes to be held, in seconds.
_LOOK: Final = 0.05
_GRACE: Final = 10.0


class Crewmate:
    """Asks the parent through `peer`; `slot` is the worker's own. Without a parent there is soon no worker either."""

    def __init__(self, peer: Peer, slot: int, context: Context) -> None:
        self._peer = peer
        self._slot = slot
        self._context = context

    async def figures(self, parts: Parts) -> Figures:
        """What all have counted, and the parts that are wanted."""
        try:
            found: Figures = await self._peer.ask("figures", parts)
        except PeerGone:
            return figures(self._context, parts)
        return found

    async def order(self, order: Order) -> bool:
        """Drain a replica, put it back into use, or give it a weight."""
        try:
            known: bool = await self._peer.ask("order", order)
        except PeerGone:
            return False
        return known

    async def hold(self, seconds: float, gone: Gone) -> Held:
        """Hold writes everywhere, as long as somebody waits for that."""
        asked = asyncio.ensure_future(self._peer.ask("hold", seconds, seconds + _GRACE))
        while not (await asyncio.wait((asked,), timeout=_LOOK))[0]:
            if gone():
                await self.resume()
        try:
            held: Held = await asked
        except PeerGone:
            return Held(0, False)
        return held

    async def resume(self) -> None:
        """Hold them no longer."""
        with contextlib.suppress(PeerGone):
            await self._peer.ask("resume")

    async def find(self, number: int, *, connection: bool) -> Target | None:
        """The session of another worker that goes by `number`."""
        try:
            found: Found | None = await self._peer.ask("find", (number, connection))
        except PeerGone as error:
            log.warning("cannot look for session %d in other workers: %s", number, error)
            return None
        return None if found is None else RemoteTarget(found, self, connection)

    async def end_session(self, number: int) -> SessionView | None:
        """Close the session with that number, whichever worker has it."""
        try:
            ended: SessionView | None = await self._peer.ask("end_session", number)
        except PeerGone:
            return None
        return ended

    async def from_address(self, address: str) -> int:
        """How many connections from a client's address the other workers have."""
        try:
            count: int = await self._peer.ask("from_address", address)
        except PeerGone:
            return 0
        return count

    def hit(self, found: Found, verb: str, *, connection: bool = False, struck: bool = False) -> None:
        """Have something happen to a session of another worker."""
        self._context.spawn(self._hit(Hit(found.slot, self._slot, found.number, verb, connection, struck)))

    async def _hit(self, hit: Hit) -> None:
        # A worker that has ended has no session any more that could be hit.
        with contextlib.suppress(PeerGone):
            await self._peer.ask("hit", hit)

    def summon(self, found: Found, done: Callable[[Found | Err | None], None], *, connection: bool) -> None:
        """Get a session of another worker a thread; `done` is called with the session as it is then."""
        self._context.spawn(self._summon(found, done, connection))

    async def _summon(self, found: Found, done: Callable[[Found | Err | None], None], connection: bool) -> None:
        try:
            done(await self._peer.ask("hit", Hit(found.slot, self._slot, found.number, "summon", connection)))
        except PeerGone:
            done(None)

    def thread(self, found: Found) -> tuple[Server, int] | None:
        """Where a session of another worker is at work, among the servers of this one."""
        if found.thread is None:
            return None
        name, number = found.thread
        states = self._context.monitor.snapshot.states()
        server = next((state.server for state in states if state.server.name == name), None)
        return None if server is None else (server, number)


class RemoteTarget:
    """A session of another worker that may be killed: its thread is condemned as long as it is not pardoned.

    `connection` tells that its connection is to be killed, and not only its statement.
    """

    def __init__(self, found: Found, crewmate: Crewmate, connection: bool) -> None:
        self._connection = connection
        self._found = found
        self._crewmate = crewmate

    @property
    def user(self) -> str:
        """Whose session it is."""
        return self._found.user

    def thread(self) -> tuple[Server, int] | None:
        """Where it is at work, or at rest."""
        return self._crewmate.thread(self._found)

    def summon(self, done: Callable[[Err | None], None]) -> None:
        """Get it a thread on the primary."""

        def summoned(outcome: Found | Err | None) -> None:
            if isinstance(outcome, Found):
                self._found = outcome
            done(session_over() if outcome is None else outcome if isinstance(outcome, Err) else None)

        self._crewmate.summon(self._found, summoned, connection=self._connection)

    def condemn(self, *, connection: bool) -> None:
        """That was done when it was found."""

    def pardon(self, *, struck: bool, connection: bool) -> None:
        """The KILL is over, and has not closed it."""
        self._crewmate.hit(self._found, "pardon", connection=connection, struck=struck)

    def interrupt(self) -> None:
        """End the statement that waits for a connection."""
        self._crewmate.hit(self._found, "interrupt")

    def close(self) -> None:
        """End it."""
        self._crewmate.hit(self._found, "close")
