"""Which compression a client and the proxy have agreed on."""

import asyncio
from collections.abc import Callable

from proxy.channel import Around
from proxy.transport.compressed import CompressedToClient
from proxy.wire.compression import COMPRESSION_FLAGS, FrameReader, FrameWriter
from proxy.wire.errors import MalformedPacket
from proxy.wire.handshake import HandshakeResponse


def compressing(response: HandshakeResponse, on_malformed: Callable[[MalformedPacket], None]) -> Around | None:
    """The layer for a client with this response, None without compression."""
    agreed = next((name for name, flag in COMPRESSION_FLAGS.items() if response.capabilities & flag), None)
    if agreed is None:
        return None
    algorithm, level = agreed, response.zstd_level

    def around(below: asyncio.Transport, above: asyncio.Protocol) -> CompressedToClient:
        return CompressedToClient(below, above, FrameReader(algorithm), FrameWriter(algorithm, level), on_malformed)

    return around
