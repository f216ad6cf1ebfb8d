"""Compressed frames: written and read in any pieces, as servers write them, and broken ones."""

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire.compression import FRAME_HEADER, Algorithm, FrameReader, FrameWriter
from proxy.wire.errors import MalformedPacket

ALGORITHMS = list(Algorithm)
MEBIBYTE = 1024 * 1024


def read(algorithm: Algorithm, data: bytes, pace: int = 0) -> list[bytes]:
    """The pieces of content of some frames that arrive in pieces of `pace` bytes."""
    reader, pieces = FrameReader(algorithm), []
    for at in range(0, len(data), pace or max(1, len(data))):
        reader.feed(data[at : at + (pace or len(data))])
        while piece := reader.next():
            pieces.append(piece)
    return pieces


def frame(content: bytes, number: int, size: int = 0) -> bytes:
    return len(content).to_bytes(3, "little") + bytes((number,)) + size.to_bytes(3, "little") + content


def header(data: bytes) -> tuple[int, int, int]:
    """Length, number and length before compression."""
    return int.from_bytes(data[:3], "little"), data[3], int.from_bytes(data[4:7], "little")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("pace", [0, 1, 3, 1000])
@pytest.mark.parametrize("size", [1, 49, 50, 1000, 70_000])
def test_what_is_written_is_read_at_any_pace(algorithm: Algorithm, pace: int, size: int) -> None:
    content = (b"0123456789" * (size // 10 + 1))[:size]
    writer = FrameWriter(algorithm)
    data = writer.frames(content) + writer.frames(content[::-1])
    assert b"".join(read(algorithm, data, pace)) == content + content[::-1]
    assert writer.number == 2


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_short_content_and_noise_are_not_compressed(algorithm: Algorithm) -> None:
    noise = bytes(range(256))
    for content in (b"x" * 49, noise):
        assert FrameWriter(algorithm).frames(content) == frame(content, 0)
    length, number, size = header(FrameWriter(algorithm).frames(b"x" * 50))
    assert (number, size) == (0, 50)
    assert length < 50


def test_a_frame_as_mysql_writes_it() -> None:
    """SELECT 1, as MySQL 9.7 answers it: the whole reply in one frame."""
    packets = (
        b"\1\0\0\1\1\x17\0\0\2\3def\0\0\0\0011\0\x0c?\0\2\0\0\0\x08\x81\0\0\0\0"
        b"\5\0\0\3\xfe\0\0\2\0\2\0\0\4\0011\5\0\0\5\xfe\0\0\2\0"
    )
    assert read(Algorithm.ZLIB, frame(zlib.compress(packets), 1, len(packets))) == [packets]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_large_content_is_spread_over_frames_whose_numbers_wrap(algorithm: Algorithm) -> None:
    writer = FrameWriter(algorithm)
    writer.number = 255
    content = b"abcdefgh" * (5 * MEBIBYTE // 8)
    data = writer.frames(content)
    numbers, at = [], 0
    while at < len(data):
        length, number, size = header(data[at:])
        assert size <= 2 * MEBIBYTE
        numbers.append(number)
        at += FRAME_HEADER + length
    assert numbers == [255, 0, 1]
    assert b"".join(read(algorithm, data)) == content


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("pace", [0, 100_000])
def test_a_frame_of_nearly_16_mib(algorithm: Algorithm, pace: int) -> None:
    content = b"x" * 0xFFFFFF
    assert b"".join(read(algorithm, frame(content, 7), pace)) == content
    deflated = FrameWriter(algorithm)._deflated(content)
    pieces = read(algorithm, frame(deflated, 7, len(content)), pace)
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= 128 * 1024, "a bomb must be taken in pieces"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_content_comes_only_when_it_is_asked_for(algorithm: Algorithm) -> None:
    reader = FrameReader(algorithm)
    bomb = frame(FrameWriter(algorithm)._deflated(bytes(0xFFFFFF)), 0, 0xFFFFFF)
    reader.feed(bomb * 20)
    assert len(reader.next()) <= 128 * 1024
    assert reader.number == 0


def test_the_number_is_that_of_the_frame_that_content_comes_from() -> None:
    reader = FrameReader(Algorithm.ZLIB)
    assert reader.number == -1
    reader.feed(frame(b"one", 5) + frame(b"", 6) + frame(b"two", 7)[:-1])
    assert (reader.next(), reader.number) == (b"one", 5)
    assert (reader.next(), reader.number) == (b"tw", 7)
    assert reader.next() == b""


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("pace", [0, 1])
def test_frames_that_lie_are_malformed(algorithm: Algorithm, pace: int) -> None:
    content = b"0123456789" * 1000
    deflated = FrameWriter(algorithm)._deflated(content)
    for data in (
        frame(deflated, 0, len(content) + 1),
        frame(deflated, 0, len(content) - 1),
        frame(deflated + b"behind", 0, len(content)),
        frame(deflated[:-1], 0, len(content)) + frame(b"x", 1),
        frame(b"rubbish", 0, len(content)),
        frame(b"", 0, 5) + frame(b"x", 1),
    ):
        with pytest.raises(MalformedPacket):
            read(algorithm, data, pace)


@pytest.mark.parametrize("level", [0, 1, 3, 22, 255])
def test_any_level_is_understood(level: int) -> None:
    content = b"0123456789" * 1000
    assert read(Algorithm.ZSTD, FrameWriter(Algorithm.ZSTD, level).frames(content)) == [content]


def test_a_window_larger_than_any_frame_is_refused() -> None:
    # Frame header of zstd: magic, no content size, window of 1 GiB.
    huge = bytes.fromhex("28b52ffd00a0") + bytes.fromhex("010000")
    with pytest.raises(MalformedPacket):
        read(Algorithm.ZSTD, frame(huge, 0, 100))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(ALGORITHMS), st.lists(st.binary(max_size=400), max_size=6), st.integers(0, 300), st.integers(0, 60)
)
def test_round_trips(algorithm: Algorithm, contents: list[bytes], number: int, pace: int) -> None:
    writer = FrameWriter(algorithm)
    writer.number = number
    data = b"".join(map(writer.frames, contents))
    assert b"".join(read(algorithm, data, pace)) == b"".join(contents)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(ALGORITHMS), st.binary(max_size=200), st.integers(0, 30), st.booleans(), st.integers(0, 0xFFFFFF)
)
def test_any_bytes_are_content_or_malformed(
    algorithm: Algorithm, data: bytes, pace: int, framed: bool, size: int
) -> None:
    try:
        pieces = read(algorithm, frame(data, 0, size) if framed else data, pace)
    except MalformedPacket:
        return
    assert all(pieces)
