"""What servers say before anybody logs in: version, character set and capabilities, which the proxy says after them.

The control plane's driver sees only a part of it, so the data plane asks by itself.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from proxy.backend.compression import compression_flag
from proxy.backend.origin import introduction
from proxy.channel import PacketChannel
from proxy.errors import ServerLost, refusal
from proxy.wire.constants import CR_CONN_HOST, ERR_HEADER
from proxy.wire.errors import MalformedPacket
from proxy.wire.handshake import Greeting, parse_greeting
from proxy.wire.replies import Err, parse_err
from topology.servers import Server, ServerCompression

log = logging.getLogger(__name__)


class Greetings:
    """The newest greeting of each server that was greeted by."""

    def __init__(self, within: float) -> None:
        self.within = within
        self._newest: dict[str, Greeting] = {}
        self._versions: dict[str, str] = {}
        self._uncompressed: set[str] = set()
        self._asking = asyncio.Lock()

    def learn(self, server: Server, greeting: Greeting) -> None:
        """A login has begun with `greeting`."""
        self._newest[server.name] = greeting
        if server.compression is not ServerCompression.OFF and not compression_flag(server, greeting.capabilities):
            self._tell_uncompressed(server)

    def _tell_uncompressed(self, server: Server) -> None:
        """Once for each server."""
        if server.name not in self._uncompressed:
            self._uncompressed.add(server.name)
            kind = server.compression
            log.warning(
                "%s offers no %s: not compressed there, in spite of server_compression = %s", server, kind, kind
            )

    async def of(self, server: Server, version: str) -> Greeting:
        """The server's greeting; it is asked for if no login had one of `version`, which is what probes see.

        Raises ServerLost, or ServerRefused when the server has an error in the greeting's place.
        """
        async with self._asking:
            newest = self._newest.get(server.name)
            if newest is None or version not in (newest.server_version, self._versions.get(server.name)):
                newest = self._newest[server.name] = await self._ask(server)
                self._versions[server.name] = version
            return newest

    async def _ask(self, server: Server) -> Greeting:
        async with reached(server, self.within, introduction(server, None)) as (channel, greeting):
            channel.transport.close()
            return greeting


@asynccontextmanager
async def reached(server: Server, within: float, before: bytes) -> AsyncIterator[tuple[PacketChannel, Greeting]]:
    """A connection on which the server was sent `before` and has introduced itself; cut off when the block fails.

    Raises ServerLost when the server cannot be reached, or the block is not over, within `within` seconds, and
    ServerRefused when it says no.
    """
    channel = None
    try:
        async with asyncio.timeout(within):
            transport, channel = await asyncio.get_running_loop().create_connection(
                PacketChannel, server.host, server.port
            )
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if before:
                transport.write(before)
            yield channel, _read(await channel.receive())
    except BaseException as error:
        if channel is not None:
            channel.transport.abort()
        if (cause := _cause(error, within)) is None:
            raise
        raise ServerLost(Err(CR_CONN_HOST, f"Can't connect to MySQL server {server}: {cause}")) from None


def _read(payload: bytes) -> Greeting:
    if payload[:1] == bytes((ERR_HEADER,)):
        raise refusal(parse_err(payload))
    return parse_greeting(payload)


def _cause(error: BaseException, within: float) -> str | None:
    if isinstance(error, TimeoutError):
        return f"no answer within {within:g} s"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, MalformedPacket):
        return f"malformed login packet: {error}"
    return None
