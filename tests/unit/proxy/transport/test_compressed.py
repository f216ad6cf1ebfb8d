"""The compressed layer between a transport and a protocol: content in pieces, back-pressure, numbering."""

import asyncio
import random
import zlib
from collections.abc import Callable

import pytest

from proxy.transport.compressed import CompressedToClient, CompressedToServer
from proxy.wire.compression import FRAME_HEADER, Algorithm, FrameReader, FrameWriter
from proxy.wire.errors import MalformedPacket
from tests.support.transports import FakeTransport, Recorder


class Side:
    """A layer with what is below and above it."""

    def __init__(self) -> None:
        self.below, self.above = FakeTransport(), Recorder()
        self.errors: list[MalformedPacket] = []
        algorithm = Algorithm.ZLIB
        self.layer = CompressedToClient(
            self.below, self.above, FrameReader(algorithm), FrameWriter(algorithm), self.errors.append
        )

    def hear(self, content: bytes, number: int) -> None:
        """A frame arrives."""
        self.layer.data_received(frame(content, number))

    def numbers(self) -> list[int]:
        """Those of the frames written since the last call."""
        return frame_numbers(self.below.take())

    def say(self, *contents: bytes) -> list[int]:
        """Write something, and see how it is numbered."""
        for content in contents:
            self.layer.write(packet(content, 1))
        return self.numbers()


def frame_numbers(data: bytes) -> list[int]:
    found = []
    while data:
        found.append(data[3])
        data = data[FRAME_HEADER + int.from_bytes(data[:3], "little") :]
    return found


def frame(content: bytes, number: int) -> bytes:
    return len(content).to_bytes(3, "little") + bytes((number, 0, 0, 0)) + content


def packet(content: bytes, number: int) -> bytes:
    return len(content).to_bytes(3, "little") + bytes((number,)) + content


def bomb(size: int) -> bytes:
    deflated = zlib.compress(bytes(size))
    return len(deflated).to_bytes(3, "little") + b"\0" + size.to_bytes(3, "little") + deflated


@pytest.fixture
def side() -> Side:
    return Side()


def test_content_goes_up_and_frames_go_down(side: Side) -> None:
    side.layer.take_over()
    assert side.below.protocol is side.layer
    side.hear(b"command", 0)
    assert side.above.data == b"command"
    side.layer.write(packet(b"reply", 1))
    assert side.below.take() == frame(packet(b"reply", 1), 1)


def test_a_packet_goes_down_when_its_end_is_here(side: Side) -> None:
    row = packet(b"row", 2)
    side.hear(b"command", 0)
    side.layer.write(packet(b"columns", 1) + row[:5])
    assert side.below.take() == frame(packet(b"columns", 1), 1)
    side.layer.write(row[5:])
    assert side.below.take() == frame(row, 2)


def test_a_reply_is_numbered_on_from_its_command(side: Side) -> None:
    side.hear(b"command", 0)
    assert side.say(b"a", b"b") == [1, 2]
    side.layer.reply_over()
    side.hear(b"large", 0)
    side.hear(b" command", 1)
    side.hear(b" in three", 2)
    assert side.say(b"a") == [3]
    side.layer.reply_over()
    assert side.say(b"a farewell") == [1]


def test_a_command_that_came_while_another_was_answered_has_numbers_of_its_own(side: Side) -> None:
    side.hear(b"one", 0)
    assert side.say(b"a") == [1]
    side.hear(b"two", 0)
    side.hear(b" in two", 1)
    assert side.say(b"b", b"c") == [2, 3]
    side.layer.reply_over()
    assert side.say(b"a") == [2]
    side.layer.reply_over()
    side.hear(b"three", 0)
    side.hear(b"four", 0)
    assert side.say(b"a") == [1]
    side.layer.reply_over()
    assert side.say(b"b") == [1]


def test_a_file_is_counted_on_past_255_and_so_is_its_reply(side: Side) -> None:
    side.hear(b"LOAD DATA", 0)
    assert side.say(b"which file") == [1]
    for number in range(2, 300):
        side.hear(b"content", number & 0xFF)
    assert side.say(b"thanks") == [300 & 0xFF]


def test_nothing_goes_up_while_reading_is_paused(side: Side) -> None:
    async def check() -> None:
        side.layer.pause_reading()
        side.layer.data_received(frame(b"one", 0))
        assert side.above.pieces == []
        side.layer.resume_reading()
        side.layer.resume_reading()
        assert side.above.pieces == [], "not in the middle of what the protocol does"
        await asyncio.sleep(0)
        assert side.above.pieces == [b"one"]
        assert side.below.calls == ["pause", "resume"]

    asyncio.run(check())


class Busy(Recorder):
    """Has enough after each piece."""

    def __init__(self, pause: Callable[[], None]) -> None:
        super().__init__()
        self._pause = pause

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._pause()


def test_a_bomb_is_taken_in_pieces_as_the_protocol_can_take_them(side: Side) -> None:
    async def check() -> None:
        busy = Busy(side.layer.pause_reading)
        side.layer.set_protocol(busy)
        side.layer.data_received(bomb(0xFFFFFF) * 4)
        for count in range(1, 20):
            assert len(busy.pieces) == count
            assert len(busy.pieces[-1]) <= 128 * 1024
            side.layer.resume_reading()
            await asyncio.sleep(0)
        assert "resume" not in side.below.calls

    asyncio.run(check())


def test_malformed_frames_are_told_and_nothing_goes_up_after_the_end(side: Side) -> None:
    side.layer.data_received(b"\3\0\0\0\5\0\0xyz")
    assert len(side.errors) == 1
    side.layer.close()
    side.hear(b"too late", 0)
    assert side.above.pieces == []


class ServerSide:
    """The layer towards a server, with what is below and above it."""

    def __init__(self) -> None:
        self.below, self.above = FakeTransport(), Recorder()
        self.errors: list[MalformedPacket] = []
        algorithm = Algorithm.ZLIB
        self.layer = CompressedToServer(
            self.below, self.above, FrameReader(algorithm), FrameWriter(algorithm), self.errors.append
        )


@pytest.fixture
def to_server() -> ServerSide:
    return ServerSide()


def test_frames_of_each_command_are_numbered_from_0(to_server: ServerSide) -> None:
    large = packet(b"\x18" + random.randbytes(5 * 1024 * 1024), 0)
    to_server.layer.write(packet(b"\x19", 0) + large + packet(b"\x17", 0))
    assert frame_numbers(to_server.below.take()) == [0, 0, 1, 2, 0]


def test_a_file_is_numbered_on_from_its_request(to_server: ServerSide) -> None:
    to_server.layer.write(packet(b"\3LOAD DATA", 0))
    to_server.layer.data_received(frame(packet(b"\xfbfile", 1), 1))
    to_server.below.take()
    to_server.layer.write(packet(b"line", 2))
    to_server.layer.write(packet(b"line", 3) + packet(b"", 4))
    assert frame_numbers(to_server.below.take()) == [2, 3]


def test_packets_of_a_reply_are_numbered_on_from_the_command(to_server: ServerSide) -> None:
    to_server.layer.write(packet(b"\3" + b"x" * 300, 0))
    to_server.layer.data_received(frame(packet(b"one", 0) + packet(b"two", 1), 1) + frame(packet(b"three", 2), 2))
    assert to_server.above.data == packet(b"one", 1) + packet(b"two", 2) + packet(b"three", 3)


def test_what_a_server_said_before_the_connection_broke_can_still_be_read(to_server: ServerSide) -> None:
    to_server.layer.write(packet(b"\3x", 0))
    to_server.below.closing = True
    to_server.layer.data_received(frame(packet(b"too large", 1), 1))
    assert to_server.above.data == packet(b"too large", 1)
    to_server.layer.connection_lost(None)
    to_server.layer.data_received(frame(packet(b"late", 2), 2))
    assert to_server.above.data == packet(b"too large", 1)


def test_nothing_comes_from_a_server_that_was_given_up(to_server: ServerSide) -> None:
    to_server.layer.write(packet(b"\3x", 0))
    to_server.layer.abort()
    to_server.layer.data_received(frame(packet(b"late", 1), 1))
    assert (to_server.above.pieces, to_server.below.calls) == ([], ["abort"])
