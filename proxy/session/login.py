"""Logging one client in: greets it, has it verified, has its session begun, and tells it why when that fails."""

import asyncio
import logging
import secrets
from typing import Final

from proxy.accounts.table import LOCALHOST, host_names
from proxy.channel import PacketChannel
from proxy.errors import ClientFault, ServerLost, SessionError
from proxy.session.begin import Beginning
from proxy.session.context import Context
from proxy.session.judge import Judge, default_plugin
from proxy.sql.cache import StatementCache
from proxy.wire import constants as c
from proxy.wire.errors import MalformedPacket
from proxy.wire.handshake import NONCE_SIZE, Greeting, greeting_payload
from proxy.wire.replies import Err, err_payload
from proxy.wire.serverlogin import ServerLogin
from topology.servers import Observation

log = logging.getLogger(__name__)

# Servers avoid the NUL, which ends the nonce, and `$`, which their own storage format uses.
_NONCE_BYTES: Final = bytes(byte for byte in range(1, 128) if byte != ord("$"))


class ClientChannel(PacketChannel):
    """A client that has just connected."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        super().connection_made(transport)
        task = self._context.spawn(serve_login(self._context, self))
        self._context.logins.add(task)
        task.add_done_callback(self._context.logins.discard)


async def serve_login(context: Context, channel: PacketChannel) -> None:
    """Log the client in, or tell it why not and close."""
    peer = channel.transport.get_extra_info("peername")
    address, port = (peer[0], peer[1]) if peer else ("", 0)
    name = f"client {address}:{port}"
    try:
        await _Login(context, channel, address, name).run()
    except SessionError as error:
        log.info("%s: refused: %s", name, error)
        channel.send(err_payload(error.err))
        channel.transport.close()
    except MalformedPacket as error:
        log.warning("%s: malformed packet during login: %s; connection closed", name, error)
        channel.send(err_payload(Err(c.ER_HANDSHAKE, "Bad handshake", "08S01")))
        channel.transport.close()
    except ConnectionError as error:
        log.debug("%s: gone during login: %s", name, error)
        channel.transport.abort()
    except BaseException:
        channel.transport.abort()
        raise


class _Login:
    """The steps of one login."""

    def __init__(self, context: Context, channel: PacketChannel, address: str, name: str) -> None:
        self._context = context
        self._channel = channel
        self._address = address
        self._name = name

    async def run(self) -> None:
        primary, cache = self._admit()
        login = ServerLogin(_nonce(), self._context.key, private=host_names(self._address)[0] == LOCALHOST)
        judge = Judge(self._context, self._channel, self._address)
        self._channel.send(greeting_payload(self._greeting(primary, login.nonce)))
        try:
            async with asyncio.timeout(self._context.settings.login_timeout):
                response = login.response(await self._channel.receive())
                accept = await judge.verify(login, response, primary)
        except TimeoutError:
            raise ClientFault(Err(c.ER_HANDSHAKE, "The login took too long", "08S01")) from None
        await Beginning(self._context, self._channel, judge, self._name).begin(response, accept, primary, cache)

    def _admit(self) -> tuple[Observation, StatementCache]:
        context = self._context
        if context.draining:
            raise ClientFault(Err(c.ER_SERVER_SHUTDOWN, "The proxy is shutting down", "08S01"))
        if len(context.sessions) + len(context.logins) > context.settings.max_connections:
            raise ClientFault(Err(c.ER_CON_COUNT, "Too many connections", "08004"))
        state = context.monitor.snapshot.primary
        if state.observation is None or context.cache is None:
            message = f"Can't connect to MySQL server {state.server}: {state.reason}"
            raise ServerLost(Err(c.CR_CONN_HOST, message))
        return state.observation, context.cache

    def _greeting(self, primary: Observation, nonce: bytes) -> Greeting:
        return Greeting(
            server_version=primary.version,
            connection_id=next(self._context.connection_ids),
            nonce=nonce,
            capabilities=c.OFFERED,
            collation_id=primary.collation_id,
            status=c.SERVER_STATUS_AUTOCOMMIT,
            plugin=default_plugin(primary),
        )


def _nonce() -> bytes:
    return bytes(secrets.choice(_NONCE_BYTES) for _ in range(NONCE_SIZE))
