"""Packets, primitives and the stream of a large command: bytes and values."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire.constants import MAX_PAYLOAD
from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import PacketReader, frame, payload_length
from proxy.wire.primitives import Reader, lenenc_bytes, lenenc_int, read_lenenc_int
from proxy.wire.stream import BodyStream, FileStream


@given(st.lists(st.binary(max_size=50), max_size=5), st.data())
def test_packets_come_out_as_they_went_in(payloads: list[bytes], data: st.DataObject) -> None:
    rest = b"".join(frame(payload, number) for number, payload in enumerate(payloads))
    reader, found = PacketReader(100), []
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        reader.feed(rest[:size])
        rest = rest[size:]
        while (packet := reader.next()) is not None:
            found.append(packet)
    assert found == list(enumerate(payloads))
    assert reader.take_rest() == b""


def test_a_packet_above_the_limit_is_refused_by_its_header() -> None:
    reader = PacketReader(10)
    reader.feed(b"\x0b\0\0\0")
    with pytest.raises(MalformedPacket, match="11 bytes"):
        reader.next()


def test_what_is_behind_the_last_packet_stays() -> None:
    reader = PacketReader(10)
    reader.feed(frame(b"a", 3) + b"\1\0")
    assert reader.next() == (3, b"a")
    assert reader.next() is None
    assert reader.take_rest() == b"\1\0"
    assert reader.take_rest() == b""


@pytest.mark.parametrize(
    ("size", "lengths"),
    [(0, [0]), (5, [5]), (MAX_PAYLOAD - 1, [MAX_PAYLOAD - 1]), (MAX_PAYLOAD, [MAX_PAYLOAD, 0]),
     (MAX_PAYLOAD + 1, [MAX_PAYLOAD, 1]), (2 * MAX_PAYLOAD, [MAX_PAYLOAD, MAX_PAYLOAD, 0])],
)  # fmt: skip
def test_large_payloads_are_spread(size: int, lengths: list[int]) -> None:
    data, at, found = frame(bytes(size), 255), 0, []
    while at < len(data):
        found.append((payload_length(data, at), data[at + 3]))
        at += 4 + found[-1][0]
    assert found == [(length, (255 + number) & 0xFF) for number, length in enumerate(lengths)]


@given(st.integers(0, 2**64 - 1), st.binary(max_size=3))
def test_length_encoded_integers(value: int, before: bytes) -> None:
    encoded = lenenc_int(value)
    assert read_lenenc_int(before + encoded + b"x", len(before)) == (value, len(before) + len(encoded))


@pytest.mark.parametrize(("value", "size"), [(250, 1), (251, 3), (65535, 3), (65536, 4), (2**24 - 1, 4), (2**24, 9)])
def test_length_encoded_integers_are_as_short_as_possible(value: int, size: int) -> None:
    assert len(lenenc_int(value)) == size


@pytest.mark.parametrize("data", [b"", b"\xfb", b"\xff", b"\xfc\1", b"\xfd\1\2", b"\xfe1234567", b"\xff12345678"])
def test_integers_that_are_cut_off_or_none_are_malformed(data: bytes) -> None:
    with pytest.raises(MalformedPacket):
        read_lenenc_int(data, 0)


def test_a_reader_takes_one_value_after_the_other() -> None:
    reader = Reader(b"\1\2\0ab\0" + lenenc_bytes(b"xyz") + b"\xfc\0\1rest")
    assert (reader.integer(1), reader.integer(2), reader.nul_bytes(), reader.lenenc_bytes()) == (1, 2, b"ab", b"xyz")
    assert (reader.lenenc_int(), reader.left, reader.rest(), reader.left, reader.rest()) == (256, 4, b"rest", 0, b"")


@settings(max_examples=300)
@given(
    st.binary(max_size=30), st.lists(st.sampled_from(["integer", "lenenc_int", "lenenc_bytes", "nul_bytes", "take"]))
)
def test_a_reader_never_reads_past_the_end(data: bytes, steps: list[str]) -> None:
    reader = Reader(data)
    for step in steps:
        try:
            getattr(reader, step)(*([3] if step in ("integer", "take") else []))
        except MalformedPacket:
            return
        assert 0 <= reader.left <= len(data)


def lazily(lengths: list[int], first: int = 0) -> list[tuple[int, bytes]]:
    """(how often, bytes) of a command's packets, without the header of the first."""
    pieces: list[tuple[int, bytes]] = []
    for number, length in enumerate(lengths):
        if number:
            pieces.append((1, length.to_bytes(3, "little") + bytes((number,))))
        pieces += [(length // 65536, bytes(65536)), (1, b"\xff" * (length % 65536))]
    return pieces


@pytest.mark.parametrize(
    "lengths",
    [[1], [5], [70_000], [MAX_PAYLOAD - 1], [MAX_PAYLOAD, 0], [MAX_PAYLOAD, 1], [MAX_PAYLOAD, MAX_PAYLOAD, 0],
     [MAX_PAYLOAD, MAX_PAYLOAD, 300]],
)  # fmt: skip
def test_a_large_command_ends_where_its_last_packet_ends(lengths: list[int]) -> None:
    body = BodyStream(lengths[0])
    pieces = [data for times, data in lazily(lengths) for _ in range(times) if data]
    for piece in pieces[:-1]:
        assert body.feed(piece) == len(piece)
        assert not body.done
    assert body.feed(pieces[-1] + b"next") == len(pieces[-1])
    assert body.done
    assert body.feed(b"next") == 0


@pytest.mark.parametrize("lengths", [[MAX_PAYLOAD, 0], [MAX_PAYLOAD, 3]])
def test_headers_of_a_large_command_may_come_byte_by_byte(lengths: list[int]) -> None:
    body = BodyStream(lengths[0])
    assert body.feed(bytes(MAX_PAYLOAD)) == MAX_PAYLOAD
    for byte in lengths[1].to_bytes(3, "little") + b"\1" + bytes(lengths[1]):
        assert not body.done
        assert body.feed(bytes((byte,))) == 1
    assert body.done


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 300), st.binary(max_size=400), st.data())
def test_chunking_never_changes_where_a_command_ends(length: int, behind: bytes, data: st.DataObject) -> None:
    rest, body, used = bytes(length) + behind, BodyStream(length), 0
    while rest and not body.done:
        size = data.draw(st.integers(1, len(rest)))
        used += body.feed(rest[:size])
        rest = rest[size:]
    assert (used, body.done) == (length, True)


FILES = {
    "empty": [b""],
    "one piece": [b"1,one\n", b""],
    "pieces": [b"a", b"bc", b"\0\0\0\0", b"x" * 300, b""],
}


def sent(pieces: list[bytes], first: int = 2) -> bytes:
    return b"".join(frame(piece, first + number) for number, piece in enumerate(pieces))


@pytest.mark.parametrize("name", FILES)
def test_a_file_ends_with_an_empty_packet(name: str) -> None:
    data = sent(FILES[name])
    last = 1 + len(FILES[name])
    for pieces in ([data + b"next"], [data[:-1], data[-1:] + b"next"], [bytes((byte,)) for byte in data + b"n"]):
        file, used = FileStream(), 0
        for piece in pieces:
            used += file.feed(piece)
        assert (used, file.done, file.sequence) == (len(data), True, last)
        assert file.feed(b"next") == 0
    for size in range(len(data)):
        file = FileStream()
        assert file.feed(data[:size]) == size
        assert not file.done


@pytest.mark.parametrize("behind", [0, 1, 300])
def test_the_end_of_a_packet_of_16_mebibytes_is_not_the_end_of_the_file(behind: int) -> None:
    file = FileStream()
    for piece in (b"\xff\xff\xff\x02", bytes(MAX_PAYLOAD), behind.to_bytes(3, "little") + b"\x03", bytes(behind)):
        assert file.feed(piece) == len(piece)
        assert not file.done
    assert file.feed(b"\0\0\0\x04next") == 4
    assert (file.done, file.sequence) == (True, 4)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.data())
def test_chunking_never_changes_where_a_file_ends(contents: list[bytes], data: st.DataObject) -> None:
    whole = sent([*contents, b""])
    rest, file, used = whole + b"\1\0\0\0\x0e", FileStream(), 0
    while rest and not file.done:
        size = data.draw(st.integers(1, len(rest)))
        used += file.feed(rest[:size])
        rest = rest[size:]
    assert (used, file.done, file.sequence) == (len(whole), True, len(contents) + 2)
