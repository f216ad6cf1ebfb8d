"""A session's first connection: opened during the login, which waits for it, so that the primary judges the account."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Final

from proxy.backend.connection import BackendConnection
from proxy.backend.login import server_lost
from proxy.backend.places import Holder
from proxy.errors import ServerLost, ServerRefused
from proxy.session.core.request import Prelude
from proxy.session.core.steps import Steps
from proxy.session.running.preludes import PreludeRun
from proxy.session.running.servers import Servers
from proxy.session.shared.absence import Absence
from proxy.session.shared.context import Context
from proxy.wire.exchange import Exchange
from topology.servers import Server

Query = Callable[[bytes], bytes]

# So much of the time that a client has for its login may be spent on waiting for the primary.
_OF_LOGIN: Final = 0.8

_Outcome = BackendConnection | ServerLost | ServerRefused


def login_patience(context: Context) -> float:
    """For how many seconds a login waits for a primary that is away."""
    return min(context.settings.primary_wait, _OF_LOGIN * context.settings.login_timeout)


async def reach_primary(
    context: Context, holder: Holder, servers: Servers, absence: Absence, steps: Steps
) -> BackendConnection:
    """A new connection to the primary, once there is one. Raises ServerLost, or ServerRefused with its own error."""
    settings = context.settings
    until = asyncio.get_running_loop().time() + login_patience(context)
    while True:
        primary = context.monitor.snapshot.primary.server
        try:
            return await _first_connection(holder, servers, primary, steps.query, settings.connect_timeout)
        except ServerLost:
            if not await absence.over(until):
                raise


async def _first_connection(
    holder: Holder, servers: Servers, server: Server, query: Query, within: float
) -> BackendConnection:
    """A new connection to the primary `server`. Raises ServerLost, or ServerRefused with the primary's own error.

    `query` makes a COM_QUERY as the connections of the session take it.
    """
    outcome: asyncio.Future[_Outcome] = asyncio.get_running_loop().create_future()

    def opened(result: _Outcome) -> None:
        if not outcome.done():
            outcome.set_result(result)

    servers.open(server, holder, opened, new=True)
    result = await outcome
    if not isinstance(result, BackendConnection):
        raise result
    if not result.alive:
        raise ServerLost(server_lost(server, "closed after the login"))
    if servers.sharing and (account := await _account(holder, result, query, within)):
        servers.know_account(result, account)
    return result


async def _account(holder: Holder, link: BackendConnection, query: Query, within: float) -> bytes:
    """What tells accounts and their rights apart; empty when the server does not say.

    A connection keeps what it may do from its login on, so only sessions that may do the same share any.
    """
    over: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def done(exchange: Exchange, reply: bytes) -> None:
        if not over.done():
            over.set_result(b"" if exchange.errno else hashlib.blake2b(reply).digest())

    # The trackers are asked for with the client's first command: that leaves a ROW_COUNT() as after a login.
    link.seen.tracked = True
    PreludeRun(_Loss(holder, over), done).start(link, Prelude(query(b"SHOW GRANTS")))
    try:
        async with asyncio.timeout(within):
            return await over
    except TimeoutError:
        reason = f"no answer within {within:g} s"
        link.abort(reason)
        raise ServerLost(server_lost(link.server, reason)) from None
    finally:
        link.seen.tracked = False


class _Loss:
    """Tells a waiting login, too, that its connection is lost."""

    def __init__(self, holder: Holder, over: asyncio.Future[bytes]) -> None:
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
