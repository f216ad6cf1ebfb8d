"""TLS on a connection to a server, before the login says anything that is secret."""

from proxy.channel import PacketChannel
from proxy.errors import ServerLost
from proxy.wire.constants import CLIENT_SSL, CR_SSL_CONNECTION
from proxy.wire.handshake import HandshakeResponse, tls_request
from proxy.wire.replies import Err
from topology.servers import Server, ServerTls
from topology.servertls import server_context


def tls_flag(server: Server, greeted: int) -> int:
    """CLIENT_SSL if the connection to a server with the greeted flags is to be encrypted, else 0.

    Raises ServerLost when the server has no TLS and must have it.
    """
    if server.tls.mode is ServerTls.OFF:
        return 0
    if not greeted & CLIENT_SSL and server.tls.required:
        problem = f"{server} offers no TLS, which server_tls = {server.tls.mode} requires"
        raise ServerLost(Err(CR_SSL_CONNECTION, f"SSL connection error: {problem}"))
    return greeted & CLIENT_SSL


async def start_tls(channel: PacketChannel, server: Server, response: HandshakeResponse) -> None:
    """Go on in TLS if the flags of `response`, which is going to be sent, say so.

    Raises ConnectionError, TlsFailed for a server that is not who it should be.
    """
    if response.capabilities & CLIENT_SSL:
        channel.send(tls_request(response))
        context = server_context(server.tls).current()
        await channel.start_tls(context, server_side=False, server_hostname=server.host)
