"""Which compression a client and the proxy have agreed on."""

import asyncio
from collections.abc import Callable
from typing import Final

from proxy.channel import Around
from proxy.transport.compressed import CompressedLayer
from proxy.wire.compression import Algorithm, FrameReader, FrameWriter
from proxy.wire.constants import CLIENT_COMPRESS, CLIENT_ZSTD_COMPRESSION
from proxy.wire.errors import MalformedPacket
from proxy.wire.handshake import HandshakeResponse

# A client that has both flags means the first, as with servers.
COMPRESSION_FLAGS: Final = {Algorithm.ZLIB: CLIENT_COMPRESS, Algorithm.ZSTD: CLIENT_ZSTD_COMPRESSION}


def compressing(response: HandshakeResponse, on_malformed: Callable[[MalformedPacket], None]) -> Around | None:
    """The layer for a client with this response, None without compression."""
    agreed = next((name for name, flag in COMPRESSION_FLAGS.items() if response.capabilities & flag), None)
    if agreed is None:
        return None
    algorithm, level = agreed, response.zstd_level

    def around(below: asyncio.Transport, above: asyncio.Protocol) -> CompressedLayer:
        return CompressedLayer(below, above, FrameReader(algorithm), FrameWriter(algorithm, level), on_malformed)

    return around
