"""The compressed protocol: packets travel in frames of their own numbering, deflated by zlib or zstd.

A frame is 3 bytes of length, a number, 3 bytes of the length before compression, and the content; a second length of 0
says that the content is not compressed. Frames and packets need not begin or end together.
Source: "Compression" in MySQL's internals documentation, and what servers of both vendors were seen to do.
"""

import sys
import zlib
from enum import StrEnum
from typing import Final

from proxy.wire.constants import CLIENT_COMPRESS, CLIENT_ZSTD_COMPRESSION
from proxy.wire.errors import MalformedPacket

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FRAME_HEADER: Final = 7
# Less is not worth it; servers have the same threshold.
_WORTHWHILE: Final = 50
# Content of one frame that is written. Frames may have up to 16 MiB, but the other side would have to hold it all.
_LARGEST: Final = 2 * 1024 * 1024
# Content is handed on in pieces of about this size, however much a frame turns out to hold.
_PIECE: Final = 128 * 1024
# Levels 4 to 9 take ten times as long for a few per cent, on the thread that serves everybody.
_ZLIB_LEVEL: Final = 3
# Clients may ask for more (up to 22): it is a wish, and this is where it gets slow.
_HIGHEST_ZSTD_LEVEL: Final = 6
DEFAULT_ZSTD_LEVEL: Final = 3
# The largest window that a frame of 16 MiB can need; a larger one would only take memory.
_WINDOW_LOG: Final = 24


class Algorithm(StrEnum):
    """How frames are deflated."""

    ZLIB = "zlib"
    ZSTD = "zstd"


# A client that has both flags means the first, as with servers.
COMPRESSION_FLAGS: Final = {Algorithm.ZLIB: CLIENT_COMPRESS, Algorithm.ZSTD: CLIENT_ZSTD_COMPRESSION}


class _ZlibInflater:
    def __init__(self) -> None:
        self._inflater = zlib.decompressobj()
        self._left = b""

    def inflate(self, data: bytes, limit: int) -> bytes:
        """The next at most `limit` bytes of content. Raises MalformedPacket."""
        try:
            content = self._inflater.decompress(data or self._left, limit)
        except zlib.error as error:
            raise MalformedPacket(f"a frame is not zlib's: {error}") from None
        self._left = self._inflater.unconsumed_tail
        return content

    @property
    def hungry(self) -> bool:
        """Whether it has used up what it was given."""
        return not self._left

    @property
    def over(self) -> bool:
        """Whether the content is complete."""
        return self._inflater.eof

    @property
    def excess(self) -> bool:
        """Whether it was given more than the content."""
        return bool(self._inflater.unused_data)


class _ZstdInflater:
    def __init__(self) -> None:
        self._inflater = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})

    def inflate(self, data: bytes, limit: int) -> bytes:
        """The next at most `limit` bytes of content. Raises MalformedPacket."""
        try:
            return self._inflater.decompress(data, limit)
        except zstd.ZstdError as error:
            raise MalformedPacket(f"a frame is not zstd's: {error}") from None

    @property
    def hungry(self) -> bool:
        """Whether it has used up what it was given."""
        return self._inflater.needs_input

    @property
    def over(self) -> bool:
        """Whether the content is complete."""
        return self._inflater.eof

    @property
    def excess(self) -> bool:
        """Whether it was given more than the content."""
        return bool(self._inflater.unused_data)


class FrameReader:
    """Takes frames apart, in whatever pieces they come.

    `number` is that of the last frame that began, -1 before the first. Content is produced on demand and piece by
    piece, so that a small frame with much in it fills no memory; raises MalformedPacket.
    """

    def __init__(self, algorithm: Algorithm) -> None:
        self._inflater_of = _ZlibInflater if algorithm is Algorithm.ZLIB else _ZstdInflater
        self._data = b""
        self._at = 0
        self._left = 0  # bytes of the frame that did not arrive yet, or were not looked at
        self._owed = 0  # bytes of content that a compressed frame still has to give
        self._inflater: _ZlibInflater | _ZstdInflater | None = None
        self.number = -1

    def feed(self, data: bytes) -> None:
        """Add bytes as they arrived."""
        self._data = self._data[self._at :] + data if self._at < len(self._data) else data
        self._at = 0

    def next(self) -> bytes:
        """The next content, empty until more bytes arrive."""
        while True:
            if self._inflater is not None:
                content = self._inflated(self._inflater)
            elif self._left:
                content = self._take(self._left)
            elif self._begin():
                continue
            else:
                return b""
            if content or self._at >= len(self._data):
                return content

    def _begin(self) -> bool:
        """Whether the next frame's header is here."""
        data, at = self._data, self._at
        if len(data) - at < FRAME_HEADER:
            return False
        self._left = int.from_bytes(data[at : at + 3], "little")
        self.number = data[at + 3]
        self._owed = int.from_bytes(data[at + 4 : at + FRAME_HEADER], "little")
        self._at = at + FRAME_HEADER
        if self._owed:
            self._inflater = self._inflater_of()
        return True

    def _inflated(self, inflater: _ZlibInflater | _ZstdInflater) -> bytes:
        data = self._take(min(self._left, _PIECE)) if inflater.hungry else b""
        # One byte more than is owed is asked for, so that a frame with more than it says is noticed.
        content = inflater.inflate(data, min(self._owed + 1, _PIECE))
        if len(content) > self._owed:
            raise MalformedPacket("a frame holds more than it says")
        self._owed -= len(content)
        if inflater.over:
            self._end(inflater)
        elif not content and not self._left:
            raise MalformedPacket("a frame holds less than it says")
        return content

    def _end(self, inflater: _ZlibInflater | _ZstdInflater) -> None:
        if self._owed or self._left or inflater.excess:
            raise MalformedPacket("a frame and what it says of itself are not equally long")
        self._inflater = None

    def _take(self, size: int) -> bytes:
        piece = self._data[self._at : self._at + size]
        self._at += len(piece)
        self._left -= len(piece)
        return piece


class FrameWriter:
    """Puts bytes into frames. `level` is zstd's. `number` is that of the next frame."""

    def __init__(self, algorithm: Algorithm, level: int = DEFAULT_ZSTD_LEVEL) -> None:
        self._zstd = None
        if algorithm is Algorithm.ZSTD:
            self._zstd = zstd.ZstdCompressor(level=max(1, min(level, _HIGHEST_ZSTD_LEVEL)))
        self.number = 0

    def frames(self, data: bytes) -> bytes:
        """All of `data` in frames; compressed where that makes them smaller."""
        if len(data) <= _LARGEST:
            return self._frame(data)
        return b"".join(self._frame(data[at : at + _LARGEST]) for at in range(0, len(data), _LARGEST))

    def _frame(self, data: bytes) -> bytes:
        size, content = 0, data
        if len(data) >= _WORTHWHILE:
            deflated = self._deflated(data)
            if len(deflated) < len(data):
                size, content = len(data), deflated
        number = self.number & 0xFF
        self.number = number + 1
        return len(content).to_bytes(3, "little") + bytes((number,)) + size.to_bytes(3, "little") + content

    def _deflated(self, data: bytes) -> bytes:
        if self._zstd is None:
            return zlib.compress(data, _ZLIB_LEVEL)
        return self._zstd.compress(data, zstd.ZstdCompressor.FLUSH_FRAME)
