"""A raw client that goes on in the compressed protocol."""

from typing import Final

from proxy.wire import constants as c
from proxy.wire.compression import Algorithm, FrameReader, FrameWriter
from tests.support.wireclient import WireClient

FLAGS: Final = {Algorithm.ZLIB: c.CLIENT_COMPRESS, Algorithm.ZSTD: c.CLIENT_ZSTD_COMPRESSION}


class CompressedSocket:
    """A socket of `WireClient` once the compressed protocol has begun. `frames` are the numbers of those received."""

    def __init__(self, client: WireClient, algorithm: Algorithm) -> None:
        self._below = client.socket
        self._reader, self.writer = FrameReader(algorithm), FrameWriter(algorithm)
        self.frames: list[int] = []
        self.received = 0

    def sendall(self, data: bytes) -> None:
        if data[3] == 0:
            self.writer.number = 0
        self._below.sendall(self.writer.frames(data))

    def recv(self, size: int) -> bytes:
        while not (content := self._reader.next()):
            data = self._below.recv(65536)
            if not data:
                return b""
            self.received += len(data)
            self._reader.feed(data)
        self.frames.append(self._reader.number)
        return content

    def __getattr__(self, name: str) -> object:
        return getattr(self._below, name)


def compress(client: WireClient, algorithm: Algorithm) -> None:
    """Compress from now on; the client has just logged in with the flag of `algorithm`."""
    assert client.capabilities & FLAGS[algorithm]
    client.socket = CompressedSocket(client, algorithm)  # type: ignore[assignment]  # it has what WireClient uses
