"""Compression on connections to servers (`server_compression`)."""

import asyncio
from typing import Final

from proxy.backend.connection import BackendConnection
from proxy.channel import Around
from proxy.transport.compressed import CompressedToServer
from proxy.wire.compression import COMPRESSION_FLAGS, Algorithm, FrameReader, FrameWriter
from proxy.wire.errors import MalformedPacket
from topology.servers import Server, ServerCompression

_FLAGS: Final = {
    ServerCompression.OFF: 0,
    ServerCompression.ZLIB: COMPRESSION_FLAGS[Algorithm.ZLIB],
    ServerCompression.ZSTD: COMPRESSION_FLAGS[Algorithm.ZSTD],
}


def compression_flag(server: Server, greeted: int) -> int:
    """The flag to ask a server with the greeted flags for compression, 0 if it is not wanted or not offered."""
    return _FLAGS[server.compression] & greeted


def compressing(connection: BackendConnection) -> Around | None:
    """The layer for a connection that is logged in, None without compression."""
    agreed = next((name for name, flag in COMPRESSION_FLAGS.items() if connection.capabilities & flag), None)
    if agreed is None:
        return None
    algorithm = agreed

    def refuse(error: MalformedPacket) -> None:
        connection.abort(f"malformed frame: {error}")

    def around(below: asyncio.Transport, above: asyncio.Protocol) -> CompressedToServer:
        return CompressedToServer(below, above, FrameReader(algorithm), FrameWriter(algorithm), refuse)

    return around
