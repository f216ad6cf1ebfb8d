"""Opening a connection to a server in the name of a client that has proved who it is."""

import asyncio
import secrets
from dataclasses import dataclass, replace
from ipaddress import ip_address

from proxy.backend.compression import compressing, compression_flag
from proxy.backend.connection import BackendConnection, Owner
from proxy.backend.encryption import start_tls, tls_flag
from proxy.backend.greetings import Greetings, reached
from proxy.backend.origin import Origin, introduced, introduction
from proxy.backend.tracked import TrackedConnection
from proxy.backend.translated import TranslatedConnection
from proxy.channel import PacketChannel
from proxy.errors import ServerLost, ServerRefused, refusal
from proxy.routing.state import Seen
from proxy.wire.capabilities import lacking, layout_of, towards_server
from proxy.wire.changeuser import ChangeUser, change_user_payload
from proxy.wire.clientlogin import ClientLogin, Safety
from proxy.wire.constants import (
    CLIENT_CONNECT_ATTRS,
    CLIENT_CONNECT_WITH_DB,
    CLIENT_LOCAL_FILES,
    CLIENT_QUERY_ATTRIBUTES,
    CLIENT_SESSION_TRACK,
    CR_SERVER_LOST,
    ER_HANDSHAKE,
    SERVER_SESSION_STATE_CHANGED,
)
from proxy.wire.errors import MalformedPacket
from proxy.wire.handshake import Greeting, HandshakeResponse, response_payload
from proxy.wire.replies import Err, Ok
from proxy.wire.secret import Secret
from proxy.wire.sessiontrack import state_in
from proxy.wire.signatures import CHALLENGE_SIZE
from proxy.wire.translator import differs
from proxy.wire.unattributed import Unattributed
from topology.servers import Role, Server


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
    origin: Origin


def identity_of(response: HandshakeResponse, secret: Secret, origin: Origin) -> Identity:
    """That of a client, from its handshake response, what its login has proved, and where it comes from."""
    return Identity(
        user=response.user,
        secret=secret,
        capabilities=response.capabilities,
        max_packet_size=response.max_packet_size,
        collation_id=response.collation_id,
        database=response.database,
        attributes=response.attributes,
        origin=origin,
    )


async def open_connection(
    server: Server, identity: Identity, owner: Owner, within: float, greetings: Greetings
) -> BackendConnection:
    """Connect and log in within `within` seconds; the greeting is left with `greetings`.

    Raises ServerLost when the server cannot be reached, or closes at once, ServerRefused with the server's own error
    when it says no.
    """
    async with reached(server, within, introduction(server, identity.origin)) as (channel, greeting):
        greetings.learn(server, greeting)
        capabilities = _capabilities(server, greeting, identity)
        ok = await _log_in(channel, server, greeting, identity, capabilities)
        safety = _safety(channel)
        kind = _kind(identity.capabilities, capabilities)
        connection = kind(server, greeting.connection_id, capabilities, safety, ok.status, owner)
        connection.opened = asyncio.get_running_loop().time()
        if isinstance(connection, TranslatedConnection):
            connection.client = layout_of(identity.capabilities)
            connection.commands = Unattributed() if _loses_attributes(identity.capabilities, capabilities) else None
        _welcome(connection, ok, identity)
        channel.hand_over(connection, compressing(connection))
        if not connection.alive:
            raise ServerLost(server_lost(server, "closed after the login"))
        return connection


def _welcome(link: BackendConnection, ok: Ok, identity: Identity) -> None:
    """Keep what the end of a login says to the client; what it did not ask for is left out."""
    if identity.capabilities & CLIENT_SESSION_TRACK:
        link.status, link.welcome = ok.status, state_in(ok)
    else:
        link.status, link.welcome = ok.status & ~SERVER_SESSION_STATE_CHANGED, b""


def _kind(session: int, server: int) -> type[BackendConnection]:
    ours, theirs = layout_of(server), layout_of(session)
    if differs(ours, theirs) or _loses_attributes(session, server):
        return TranslatedConnection
    return TrackedConnection if ours.session_track and not theirs.session_track else BackendConnection


def _loses_attributes(session: int, server: int) -> bool:
    return bool(session & ~server & CLIENT_QUERY_ATTRIBUTES)


def _capabilities(server: Server, greeting: Greeting, identity: Identity) -> int:
    wanted = identity.capabilities
    if not identity.database:
        wanted &= ~CLIENT_CONNECT_WITH_DB
    if server.role is not Role.PRIMARY:
        # Files are loaded at the primary; no other server has a reason to ask for one.
        wanted &= ~CLIENT_LOCAL_FILES
    if lacking(wanted, greeting.capabilities, primary=server.role is Role.PRIMARY):
        raise ServerRefused(Err(ER_HANDSHAKE, f"{server} lacks capabilities that the primary has", "08S01"))
    transport = tls_flag(server, greeting.capabilities) | compression_flag(server, greeting.capabilities)
    # Only there is state changed by anything that its text does not tell.
    tracked = server.role is Role.PRIMARY
    return towards_server(wanted, greeting.capabilities, tracked) | transport


async def _log_in(
    channel: PacketChannel, server: Server, greeting: Greeting, identity: Identity, capabilities: int
) -> Ok:
    response = HandshakeResponse(
        capabilities=capabilities,
        max_packet_size=identity.max_packet_size,
        collation_id=identity.collation_id,
        user=identity.user,
        auth=b"",
        database=identity.database,
        attributes=introduced(identity.attributes, identity.origin) if capabilities & CLIENT_CONNECT_ATTRS else b"",
    )
    await start_tls(channel, server, response)
    login = _client_login(identity.secret, greeting.nonce, greeting.plugin, _safety(channel))
    channel.send(response_payload(replace(response, auth=login.first_answer(), plugin=login.plugin)))
    return await _converse(channel, login)


def _client_login(secret: Secret, nonce: bytes, plugin: str, safety: Safety) -> ClientLogin:
    return ClientLogin(secret, nonce, plugin, secrets.token_bytes(CHALLENGE_SIZE), safety)


async def _converse(channel: PacketChannel, login: ClientLogin) -> Ok:
    while True:
        match login.answer(await channel.receive()):
            case Ok() as ok:
                return ok
            case Err() as err:
                raise refusal(err)
            case bytes(payload):
                channel.send(payload)
            case None:
                continue


def _safety(channel: PacketChannel) -> Safety:
    """What may be said on a connection to a server."""
    encrypted = channel.tls is not None
    peer = channel.transport.get_extra_info("peername")
    return Safety(encrypted=encrypted, private=encrypted or ip_address(peer[0]).is_loopback)


async def change_user(link: BackendConnection, identity: Identity, within: float) -> Ok:
    """Make `link` a connection of another client, as COM_CHANGE_USER does.

    Raises ServerRefused with the server's error, ServerLost when the server is gone or does not answer.
    """
    attributes = introduced(identity.attributes, identity.origin)
    change = ChangeUser(identity.user, identity.database, identity.collation_id, attributes)
    try:
        async with asyncio.timeout(within):
            channel = link.converse()
            channel.send(change_user_payload(change, link.capabilities))
            ok = await _converse(channel, _client_login(identity.secret, b"", "", link.safety))
    except (OSError, MalformedPacket, TimeoutError) as error:
        reason = str(error) or f"no answer within {within:g} s"
        link.abort(reason)
        raise ServerLost(server_lost(link.server, reason)) from None
    finally:
        link.conversed()
    link.seen = Seen()
    _welcome(link, ok, identity)
    return ok


async def refusal_by(server: Server, identity: Identity, within: float, greetings: Greetings) -> Err | None:
    """What `server` says to a login that is expected to fail; None when it succeeds or the server is not reached."""
    try:
        async with reached(server, within, introduction(server, identity.origin)) as (channel, greeting):
            await _log_in(channel, server, greeting, identity, _capabilities(server, greeting, identity))
            channel.transport.close()
    except ServerRefused as error:
        return error.err
    except ServerLost:
        return None
    return None


def server_lost(server: Server, reason: str) -> Err:
    """What a client is told when its statement's server went away and the statement may or may not have run."""
    message = f"Lost connection to MySQL server {server} during query ({reason}); whether the statement ran is unknown"
    return Err(CR_SERVER_LOST, message)
