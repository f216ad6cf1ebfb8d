"""Opening a connection to a server in the name of a client that has proved who it is."""

import asyncio
import socket
from dataclasses import dataclass

from proxy.backend.connection import BackendConnection, Sink
from proxy.channel import PacketChannel
from proxy.errors import ServerLost, ServerRefused
from proxy.wire.clientlogin import ClientLogin
from proxy.wire.constants import (
    CLIENT_CONNECT_ATTRS,
    CLIENT_CONNECT_WITH_DB,
    CLIENT_DEPRECATE_EOF,
    CLIENT_MULTI_RESULTS,
    CLIENT_PLUGIN_AUTH,
    CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA,
    CLIENT_SESSION_TRACK,
    CR_CONN_HOST,
    CR_SERVER_LOST,
    ER_HANDSHAKE,
    ERR_HEADER,
)
from proxy.wire.errors import MalformedPacket
from proxy.wire.handshake import Greeting, HandshakeResponse, parse_greeting, response_payload
from proxy.wire.replies import Err, Ok, parse_err
from proxy.wire.secret import Secret
from topology.servers import Server

# These change how replies are written, so a server that lacks one that the client uses cannot serve that client.
_LAYOUT = CLIENT_DEPRECATE_EOF | CLIENT_SESSION_TRACK | CLIENT_MULTI_RESULTS
# Only about the login itself, which client and server each do in their own way.
_LOGIN_ONLY = CLIENT_PLUGIN_AUTH | CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA


@dataclass(frozen=True, slots=True)
class Identity:
    """In whose name a server connection is opened, and with which of the client's properties."""

    user: str
    secret: Secret
    capabilities: int
    max_packet_size: int
    collation_id: int
    database: str
    attributes: bytes


async def open_connection(server: Server, identity: Identity, sink: Sink, within: float) -> BackendConnection:
    """Connect and log in within `within` seconds.

    Raises ServerLost when the server cannot be reached, ServerRefused with the server's own error when it says no.
    """
    try:
        async with asyncio.timeout(within):
            return await _open(server, identity, sink)
    except TimeoutError:
        raise _lost(server, f"no answer within {within:g} s") from None
    except OSError as error:
        raise _lost(server, error.strerror or str(error)) from None
    except MalformedPacket as error:
        raise _lost(server, f"malformed login packet: {error}") from None


async def _open(server: Server, identity: Identity, sink: Sink) -> BackendConnection:
    loop = asyncio.get_running_loop()
    transport, channel = await loop.create_connection(PacketChannel, server.host, server.port)
    try:
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        greeting = await _greeting(channel)
        capabilities = _capabilities(server, greeting, identity)
        ok = await _log_in(channel, greeting, identity, capabilities)
        connection = BackendConnection(server, bool(capabilities & CLIENT_DEPRECATE_EOF), ok.status, sink)
        channel.hand_over(connection)
    except BaseException:
        transport.abort()
        raise
    return connection


async def _greeting(channel: PacketChannel) -> Greeting:
    payload = await channel.receive()
    if payload[:1] == bytes((ERR_HEADER,)):
        raise ServerRefused(parse_err(payload))
    return parse_greeting(payload)


def _capabilities(server: Server, greeting: Greeting, identity: Identity) -> int:
    wanted = identity.capabilities | _LOGIN_ONLY
    if not identity.database:
        wanted &= ~CLIENT_CONNECT_WITH_DB
    if wanted & _LAYOUT & ~greeting.capabilities:
        raise ServerRefused(Err(ER_HANDSHAKE, f"{server} lacks capabilities that the primary has", "08S01"))
    return wanted & greeting.capabilities


async def _log_in(channel: PacketChannel, greeting: Greeting, identity: Identity, capabilities: int) -> Ok:
    login = ClientLogin(identity.secret, greeting.nonce, greeting.plugin)
    response = HandshakeResponse(
        capabilities=capabilities,
        max_packet_size=identity.max_packet_size,
        collation_id=identity.collation_id,
        user=identity.user,
        auth=login.first_answer(),
        database=identity.database,
        plugin=login.plugin,
        attributes=identity.attributes if capabilities & CLIENT_CONNECT_ATTRS else b"",
    )
    channel.send(response_payload(response))
    while True:
        match login.answer(await channel.receive()):
            case Ok() as ok:
                return ok
            case Err() as err:
                raise ServerRefused(err)
            case bytes(payload):
                channel.send(payload)
            case None:
                continue


def _lost(server: Server, cause: str) -> ServerLost:
    return ServerLost(Err(CR_CONN_HOST, f"Can't connect to MySQL server {server}: {cause}"))


def server_lost(server: Server, reason: str) -> Err:
    """What a client is told when its statement's server went away and the statement may or may not have run."""
    message = f"Lost connection to MySQL server {server} during query ({reason}); whether the statement ran is unknown"
    return Err(CR_SERVER_LOST, message)
