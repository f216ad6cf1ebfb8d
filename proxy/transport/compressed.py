"""The compressed protocol on a connection whose login is over."""

import asyncio
from abc import abstractmethod
from collections.abc import Callable

from proxy.transport.layer import Layer
from proxy.wire.commands import DUMPS
from proxy.wire.compression import FrameReader, FrameWriter
from proxy.wire.errors import MalformedPacket
from proxy.wire.serverframes import CommandPackets, ReplyNumbers
from proxy.wire.stream import WholePackets

_LAST_NUMBER = 0xFF


class CompressedLayer(Layer):
    """Frames what is written and takes apart what arrives.

    Content that frames hold is given to the protocol above piece by piece, and none while reading is paused. Frames
    that are malformed are told with `on_malformed`.
    """

    def __init__(
        self,
        below: asyncio.Transport,
        above: asyncio.Protocol,
        reader: FrameReader,
        writer: FrameWriter,
        on_malformed: Callable[[MalformedPacket], None],
    ) -> None:
        super().__init__(below, above)
        self._reader = reader
        self._writer = writer
        self._on_malformed = on_malformed
        self._paused = False
        self._over = False

    @abstractmethod
    def _received(self, content: bytes, number: int) -> bytes:
        """What the protocol above gets of the content of a frame with this number."""

    def data_received(self, data: bytes) -> None:
        """Called by the transport below."""
        self._reader.feed(data)
        self._hand_on()

    def _hand_on(self) -> None:
        # A transport below that closes by itself may still have something to be read; see `BackendConnection`.
        while not self._paused and not self._over:
            try:
                content = self._reader.next()
            except MalformedPacket as error:
                self._on_malformed(error)
                return
            if not content:
                return
            if content := self._received(content, self._reader.number):
                self._above.data_received(content)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the transport below."""
        super().connection_lost(exc)
        self._over = True

    def close(self) -> None:
        """Close once everything is sent."""
        self._over = True
        super().close()

    def abort(self) -> None:
        """Close now."""
        self._over = True
        super().abort()

    def pause_reading(self) -> None:
        """Hand nothing on until reading is resumed."""
        self._paused = True
        self._below.pause_reading()

    def resume_reading(self) -> None:
        """Hand on what is here, then read on. Not at once: the protocol above may be in the middle of something."""
        if self._paused:
            self._paused = False
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        self._hand_on()
        if not self._paused and not self._below.is_closing():
            self._below.resume_reading()


class CompressedToClient(CompressedLayer):
    """Towards a client. A reply's frames are numbered on from those of its command."""

    def __init__(
        self,
        below: asyncio.Transport,
        above: asyncio.Protocol,
        reader: FrameReader,
        writer: FrameWriter,
        on_malformed: Callable[[MalformedPacket], None],
    ) -> None:
        super().__init__(below, above, reader, writer, on_malformed)
        self._packets = WholePackets()
        self._replying = False
        self._last_number = -1
        self._first_of_next = 0

    def _received(self, content: bytes, number: int) -> bytes:
        """Number what is written next after the received frame `number`.

        A 0 begins a command; if the reply to the one before is still being written, its reply has to wait for its own.
        """
        pipelined = self._first_of_next or (number == 0 and self._last_number != _LAST_NUMBER)
        if self._replying and pipelined:
            self._first_of_next = number + 1
        else:
            self._writer.number = number + 1
        self._last_number = number
        return content

    def reply_over(self) -> None:
        """The reply to a command was written: the next one's numbers do not go on from its own."""
        self._replying = False
        self._writer.number, self._first_of_next = self._first_of_next or 1, 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data` in frames."""
        self._replying = True
        if whole := self._packets.ready(bytes(data)):
            self._below.write(self._writer.frames(whole))


class CompressedToServer(CompressedLayer):
    """Towards a server. A command's frames are numbered from 0, a file's on from those of the request for it."""

    def __init__(
        self,
        below: asyncio.Transport,
        above: asyncio.Protocol,
        reader: FrameReader,
        writer: FrameWriter,
        on_malformed: Callable[[MalformedPacket], None],
    ) -> None:
        super().__init__(below, above, reader, writer, on_malformed)
        self._commands = CommandPackets()
        self._replies = ReplyNumbers()

    def _received(self, content: bytes, number: int) -> bytes:
        self._writer.number = number + 1
        self._commands.answered = True
        return self._replies.renumbered(content)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data` in frames."""
        frames = []
        for begins, piece in self._commands.cut(bytes(data)):
            if begins:
                self._writer.number = 0
            frames.append(self._writer.frames(piece))
        if frames:
            self._replies.follow(self._commands.last, self._commands.code in DUMPS)
            self._below.write(b"".join(frames))
