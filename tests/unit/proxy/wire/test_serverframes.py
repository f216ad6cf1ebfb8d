"""Packets written to a server that compresses, cut where commands begin, and those of its replies numbered anew."""

import pytest

from proxy.wire.framing import frame
from proxy.wire.serverframes import CommandPackets, ReplyNumbers

SYNC, NO_SYNC = b"\0\xef\1event", b"\0\xef\0event"


def numbers(data: bytes) -> list[int]:
    """Those of the packets."""
    found = []
    while data:
        found.append(data[3])
        data = data[4 + int.from_bytes(data[:3], "little") :]
    return found


def test_each_command_is_a_piece() -> None:
    packets = CommandPackets()
    close, long_data, execute = frame(b"\x19\1\0\0\0", 0), frame(b"\x18data", 0), frame(b"\x17run", 0)
    assert packets.cut(close + long_data + execute) == [(True, close), (True, long_data), (True, execute)]
    assert (packets.code, packets.last) == (0x17, 0)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100])
def test_pieces_that_begin_no_command_go_on_with_it(step: int) -> None:
    packets = CommandPackets()
    first, second = frame(b"\3" + b"x" * 300, 0), frame(b"\3y", 0)
    stream = first + second
    pieces = [piece for at in range(0, len(stream), step) for piece in packets.cut(stream[at : at + step])]
    joined: list[bytes] = []
    for begins, piece in pieces:
        if begins:
            joined.append(b"")
        joined[-1] += piece
    assert joined == [first, second]


def test_a_command_of_several_packets_is_one() -> None:
    packets = CommandPackets()
    command = frame(b"\3" + bytes(0xFFFFFE), 0)
    assert packets.cut(command) == [(True, command)]
    assert packets.last == 1


def test_a_file_has_more_packets_than_numbers() -> None:
    packets = CommandPackets()
    packets.cut(frame(b"\3LOAD DATA", 0))
    packets.answered = True
    for number in range(2, 256):
        assert packets.cut(frame(b"line", number)) == [(False, frame(b"line", number))]
    assert packets.cut(frame(b"line", 0)) == [(False, frame(b"line", 0))]
    assert packets.cut(frame(b"", 1)) == [(False, frame(b"", 1))]
    assert packets.last == 1


def test_behind_a_file_whose_last_packet_has_the_last_number_comes_a_command() -> None:
    packets = CommandPackets()
    packets.cut(frame(b"\3LOAD DATA", 0))
    packets.answered = True
    assert packets.cut(frame(b"line", 254) + frame(b"", 255)) == [(False, frame(b"line", 254) + frame(b"", 255))]
    packets.answered = True
    assert packets.cut(frame(b"\3y", 0)) == [(True, frame(b"\3y", 0))]


def test_what_follows_the_empty_end_of_a_payload_is_a_piece() -> None:
    packets = CommandPackets()
    packets.cut(frame(b"\3LOAD DATA", 0))
    packets.answered = True
    large, rest = frame(bytes(0xFFFFFF), 2), frame(b"line", 4) + frame(b"", 5)
    assert packets.cut(large[:-4]) == [(False, large[:-4])]
    assert packets.cut(large[-4:] + rest) == [(False, large[-4:]), (False, rest)]


@pytest.mark.parametrize("step", [1, 3, 4, 5, 1000])
def test_a_reply_is_numbered_on_from_its_command(step: int) -> None:
    replies = ReplyNumbers()
    replies.follow(1, dump=False)
    stream = frame(b"one", 0) + frame(b"two", 1) + frame(b"three", 1) + frame(b"", 7)
    heard = b"".join(replies.renumbered(stream[at : at + step]) for at in range(0, len(stream), step))
    assert heard == frame(b"one", 2) + frame(b"two", 3) + frame(b"three", 4) + frame(b"", 5)
    replies.follow(0, dump=False)
    assert replies.renumbered(frame(b"one", 1)) == frame(b"one", 1)


def test_numbers_wrap() -> None:
    replies = ReplyNumbers()
    replies.follow(254, dump=False)
    assert numbers(replies.renumbered(frame(b"x", 0) * 3)) == [255, 0, 1]


@pytest.mark.parametrize("step", [1, 5, 6, 1000])
def test_a_dump_is_counted_on_whatever_is_written(step: int) -> None:
    replies = ReplyNumbers()
    replies.follow(0, dump=True)
    stream = b"".join(frame(event, 9) for event in (b"\0time", b"\0\xef\1time", b"\0", b"\0more"))
    heard = b"".join(replies.renumbered(stream[at : at + step]) for at in range(0, len(stream), step))
    assert numbers(heard) == [1, 2, 3, 4]
    replies.follow(0, dump=False)
    assert numbers(replies.renumbered(frame(b"\0more", 1))) == [5]


@pytest.mark.parametrize("step", [1, 6, 1000])
def test_a_dump_is_counted_from_1_behind_an_event_that_is_acknowledged(step: int) -> None:
    replies = ReplyNumbers()
    replies.follow(0, dump=True)
    stream = b"".join(frame(event, 9) for event in (NO_SYNC, NO_SYNC, SYNC, NO_SYNC, SYNC, SYNC, NO_SYNC))
    heard = b"".join(replies.renumbered(stream[at : at + step]) for at in range(0, len(stream), step))
    assert numbers(heard) == [1, 2, 3, 1, 2, 1, 1]
