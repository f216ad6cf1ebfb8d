"""The first steps of a client's connection: is there room for it, the greeting, and what it answers."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Final

from proxy.accounts.table import LOCALHOST, host_names
from proxy.channel import PacketChannel
from proxy.errors import ClientFault, ServerLost
from proxy.session.context import Context
from proxy.session.judge import default_plugin
from proxy.sql.cache import StatementCache
from proxy.wire import constants as c
from proxy.wire.capabilities import offered
from proxy.wire.handshake import NONCE_SIZE, Greeting, asks_for_tls, greeting_payload
from proxy.wire.replies import Err
from topology.servers import Observation

# Servers avoid the NUL, which ends the nonce, and `$`, which their own storage format uses.
_INSECURE: Final = "Connections using insecure transport are prohibited while --require_secure_transport=ON."
_NONCE_BYTES: Final = bytes(byte for byte in range(1, 128) if byte != ord("$"))


class ClientChannel(PacketChannel):
    """A client that has just connected. `address` is where it comes from, `name` what the log calls it.

    `serve` has the client logged in, in a task of its own.
    """

    address = ""
    name = ""

    def __init__(
        self, context: Context, serve: "Callable[[Context, ClientChannel], Coroutine[None, None, None]]"
    ) -> None:
        super().__init__()
        self._context = context
        self._serve = serve

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        super().connection_made(transport)
        # There is none when the client was gone before it was accepted.
        peer = transport.get_extra_info("peername") or ("", 0)
        self.address, self.name = peer[0], f"client {peer[0]}:{peer[1]}"
        task = self._context.spawn(self._serve(self._context, self))
        self._context.logins.add(task)
        task.add_done_callback(self._context.logins.discard)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A client that was greeted and has answered with its handshake response, whose payload is `response`.

    `connection_id` is the one that the client was given. `private` says that nobody can listen to its connection.
    `offered` are the greeting's capability flags. `primary` is what is known of the server that the client shall
    believe it is connected to.
    """

    connection_id: int
    nonce: bytes
    response: bytes = field(repr=False)
    private: bool
    offered: int
    primary: Observation
    cache: StatementCache


async def arrive(context: Context, channel: ClientChannel) -> Arrival:
    """Greet a client and wait for its response.

    Raises SessionError when there is no room for it or nothing to serve it with, MalformedPacket, ConnectionError.
    """
    primary, cache = _admit(context)
    nonce = bytes(secrets.choice(_NONCE_BYTES) for _ in range(NONCE_SIZE))
    greeting = await _greeting(context, primary, nonce)
    channel.send(greeting_payload(greeting))
    response = await _encrypted(context, channel, await channel.receive())
    private = channel.tls is not None or host_names(channel.address)[0] == LOCALHOST
    return Arrival(greeting.connection_id, nonce, response, private, greeting.capabilities, primary, cache)


async def _encrypted(context: Context, channel: ClientChannel, payload: bytes) -> bytes:
    """The client's response, behind the TLS handshake if `payload` asked for one."""
    if context.tls is not None and asks_for_tls(payload):
        await channel.start_tls(context.tls.current(), server_side=True)
        return await channel.receive()
    if context.settings.tls == "required":
        raise ClientFault(Err(c.ER_SECURE_TRANSPORT_REQUIRED, _INSECURE))
    return payload


def _admit(context: Context) -> tuple[Observation, StatementCache]:
    if context.draining:
        raise ClientFault(Err(c.ER_SERVER_SHUTDOWN, "The proxy is shutting down", "08S01"))
    if len(context.sessions) + len(context.logins) > context.settings.max_connections:
        raise ClientFault(Err(c.ER_CON_COUNT, "Too many connections", "08004"))
    state = context.monitor.snapshot.primary
    if state.observation is None or context.cache is None:
        message = f"Can't connect to MySQL server {state.server}: {state.reason}"
        raise ServerLost(Err(c.CR_CONN_HOST, message))
    return state.observation, context.cache


async def _greeting(context: Context, primary: Observation, nonce: bytes) -> Greeting:
    """The primary's own greeting, as far as it is not about one connection."""
    greeting = await context.greetings.of(context.monitor.snapshot.primary.server, primary.version)
    return replace(
        greeting,
        connection_id=next(context.connection_ids),
        nonce=nonce,
        capabilities=offered(greeting.capabilities, c.CLIENT_SSL if context.tls else 0),
        plugin=default_plugin(primary),
    )
