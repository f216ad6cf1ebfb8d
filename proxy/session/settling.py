"""A session's first connection: got during the login, which waits for it, and brought to what that has asked for."""

import asyncio

from proxy.backend.connection import BackendConnection
from proxy.backend.login import server_lost
from proxy.backend.places import Holder
from proxy.errors import ServerLost, ServerRefused
from proxy.session.machine import Machine
from proxy.session.preludes import PreludeRun
from proxy.session.request import Prelude
from proxy.session.servers import Servers
from proxy.wire import constants as c
from proxy.wire.exchange import Exchange
from proxy.wire.framing import frame
from proxy.wire.replies import parse_err
from topology.servers import Server

_Outcome = BackendConnection | ServerLost | ServerRefused


class FirstConnection:
    """Gets one session its connection to the primary."""

    def __init__(self, holder: Holder, servers: Servers, machine: Machine) -> None:
        self._holder = holder
        self._servers = servers
        self._machine = machine

    async def reach(self, server: Server) -> BackendConnection:
        """A connection in step with the session. Raises ServerLost or ServerRefused, as a login there would.

        A server has the last word on the schema, also where it is asked for it on a connection that was there before.
        """
        link = await self._get(server)
        if self._servers.fresh:
            return link
        if schema := self._machine.state.schema:
            await self._run(link, Prelude(frame(bytes((c.COM_INIT_DB,)) + schema.encode(), 0)))
        while (prelude := self._machine.steps.next_setting(link.seen)) is not None:
            exchange = await self._run(link, prelude)
            self._machine.steps.prelude_done(prelude, link.seen, exchange)
        return link

    async def _get(self, server: Server) -> BackendConnection:
        outcome: asyncio.Future[_Outcome] = asyncio.get_running_loop().create_future()

        def opened(result: _Outcome) -> None:
            if not outcome.done():
                outcome.set_result(result)

        self._servers.open(server, self._holder, opened)
        result = await outcome
        if not isinstance(result, BackendConnection):
            raise result
        if not result.alive:
            raise ServerLost(server_lost(server, "closed after the login"))
        return result

    async def _run(self, link: BackendConnection, prelude: Prelude) -> Exchange:
        over: asyncio.Future[tuple[Exchange, bytes]] = asyncio.get_running_loop().create_future()

        def done(exchange: Exchange, reply: bytes) -> None:
            if not over.done():
                over.set_result((exchange, reply))

        PreludeRun(_Loss(self._holder, over), done).start(link, prelude)
        exchange, reply = await over
        if exchange.errno:
            raise ServerRefused(parse_err(reply[c.HEADER_SIZE :]))
        return exchange


class _Loss:
    """Tells a waiting login, too, that its connection is lost."""

    def __init__(self, holder: Holder, over: asyncio.Future[tuple[Exchange, bytes]]) -> None:
        self._holder = holder
        self._over = over

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        """Called by the connection."""
        self._holder.connection_broken(connection, reason)
        if not self._over.done():
            self._over.set_exception(ServerLost(server_lost(connection.server, reason)))

    def pause_client(self) -> None:
        """Called by the connection; the client waits anyway."""

    def resume_client(self) -> None:
        """Called by the connection."""
