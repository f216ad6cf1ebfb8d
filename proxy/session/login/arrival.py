"""The first steps of a client's connection: is there room for it, the greeting, and what it answers."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from proxy.accounts.table import is_local
from proxy.backend.origin import Origin
from proxy.channel import PacketChannel
from proxy.errors import ClientFault, ServerLost
from proxy.session.login.admission import admit, admit_address, admit_client, admit_host, covered
from proxy.session.login.greeted import makeshift, when_served
from proxy.session.running.settling import login_patience
from proxy.session.shared.context import Context
from proxy.sql.cache import StatementCache
from proxy.wire import constants as c
from proxy.wire.errors import MalformedPacket
from proxy.wire.handshake import NONCE_SIZE, Greeting, asks_for_tls, greeting_payload, parse_response
from proxy.wire.proxyprotocol import Endpoint
from proxy.wire.replies import Err
from topology.servers import Observation, Vendor

# Servers avoid the NUL, which ends the nonce, and `$`, which their own storage format uses.
_INSECURE: Final = "Connections using insecure transport are prohibited while --require_secure_transport=ON."
_NONCE_BYTES: Final = bytes(byte for byte in range(1, 128) if byte != ord("$"))


class ClientChannel(PacketChannel):
    """A client that has just connected. `name` is what the log calls it; `since` the event loop's time.

    `serve` has the client logged in, in a task of its own. A `stranger` has not proved yet who it is. `attributes` are
    its connection attributes, once it has told them.
    """

    name = ""
    attributes = b""
    origin: Origin
    since = 0.0
    stranger = True

    def __init__(
        self, context: Context, serve: "Callable[[Context, ClientChannel], Coroutine[None, None, None]]"
    ) -> None:
        super().__init__()
        self._context = context
        self._serve = serve
        self._counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        super().connection_made(transport)
        # There is none when the client was gone before it was accepted.
        peer = transport.get_extra_info("peername") or ("", 0)
        own = transport.get_extra_info("sockname") or ("", 0)
        self._peer: str = peer[0]
        self.origin = Origin((peer[0], peer[1]), (own[0], own[1]))
        self.name = f"client {peer[0]}:{peer[1]}"
        self.since = asyncio.get_running_loop().time()
        self._task = self._context.spawn(self._serve(self._context, self))
        self._context.logins[self._task] = self
        self._context.count_clients()
        self._task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        del self._context.logins[task]
        self._context.count_clients()
        if self._counted and not self.handed_over:
            self._context.leave_address(self.origin.address)

    def cut_off(self) -> None:
        """End the login."""
        self._task.cancel()

    async def count(self) -> None:
        """Count the connection for its client's address. Raises ClientFault for one too many, or not allowed."""
        admit_client(self._context, self.origin.address, asyncio.get_running_loop().time())
        await admit_address(self._context, self.origin.address)
        self._counted = True

    @property
    def private(self) -> bool:
        """Whether nobody can listen to the connection."""
        return self.tls is not None or (is_local(self._peer) and is_local(self.origin.address))

    @property
    def balanced(self) -> bool:
        """Whether the peer is a load balancer, which may say where the client comes from."""
        networks = self._context.settings.proxy_protocol_networks
        return bool(networks and self._peer) and covered(networks, self._peer)

    def comes_from(self, client: Endpoint) -> None:
        """Take the client's address from a load balancer.

        An address of loopback means the balancer's own machine, which need not be ours.
        """
        if is_local(client[0]) and not is_local(self._peer):
            return
        self.name = f"client {client[0]}:{client[1]} via {self.name.removeprefix('client ')}"
        self.origin = replace(self.origin, client=client)


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
    admit(context, asyncio.get_running_loop().time())
    if not channel.balanced:
        await channel.count()
    nonce = bytes(secrets.choice(_NONCE_BYTES) for _ in range(NONCE_SIZE))
    try:
        primary, cache, greeting = await when_served(context, nonce, channel.since + login_patience(context))
        if not channel.balanced:
            await admit_host(context, channel.origin.address, primary.vendor)
    except ServerLost:
        response = await _met(context, channel, makeshift(context, nonce))
        with suppress(MalformedPacket):
            channel.attributes = parse_response(response).attributes
        raise
    response = await _met(context, channel, greeting, primary.vendor)
    return Arrival(greeting.connection_id, nonce, response, channel.private, greeting.capabilities, primary, cache)


async def _met(context: Context, channel: ClientChannel, greeting: Greeting, vendor: Vendor | None = None) -> bytes:
    """Greet the client; its response. `vendor` is the primary's, if it is known."""
    channel.send(greeting_payload(greeting))
    if channel.balanced:
        await _introduced(channel)
    payload = await channel.receive()
    if channel.balanced and vendor is not None:
        await admit_host(context, channel.origin.address, vendor)
    return await _encrypted(context, channel, payload)


async def _introduced(channel: ClientChannel) -> None:
    """Read the PROXY header, which MariaDB, too, waits for behind its greeting, and lets be missing."""
    header = await channel.proxy_header()
    if header.source is not None:
        channel.comes_from(header.source)
    await channel.count()


async def _encrypted(context: Context, channel: ClientChannel, payload: bytes) -> bytes:
    """The client's response, behind the TLS handshake if `payload` asked for one."""
    if context.tls is not None and asks_for_tls(payload):
        await channel.start_tls(context.tls.current(), server_side=True)
        return await channel.receive()
    if context.settings.tls == "required":
        raise ClientFault(Err(c.ER_SECURE_TRANSPORT_REQUIRED, _INSECURE))
    return payload
