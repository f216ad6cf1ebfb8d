"""A large command, or a file, that is passed on piece by piece."""

import pytest

from proxy.session.core.passage import Passage
from proxy.wire.constants import HEADER_SIZE
from proxy.wire.framing import frame
from proxy.wire.stream import BodyStream, FileStream, PacketNumbers

BODY = b"\x03" + b"x" * 40
COMMAND = frame(BODY, 0)
FILE = frame(b"a" * 20, 2) + frame(b"b" * 3, 3) + frame(b"", 4)


def command(numbers: PacketNumbers | None = None) -> Passage:
    return Passage(BodyStream(len(BODY)), numbers, skip=HEADER_SIZE)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_command_ends_where_its_body_does(size: int) -> None:
    passage, passed = command(), b""
    head, data = COMMAND[:HEADER_SIZE], COMMAND[HEADER_SIZE:] + b"next"
    piece, rest = passage.feed(head)
    passed += piece
    while data and not passage.done:
        piece, rest = passage.feed(data[:size])
        passed, data = passed + piece, data[size:]
    assert (passed, rest + data) == (COMMAND, b"next")
    assert (passage.last, passage.is_file) == (0, False)


def test_a_command_can_come_whole_with_the_next_one_behind_it() -> None:
    passage = command()
    assert passage.feed(COMMAND + b"next") == (COMMAND, b"next")
    assert passage.done


def test_packets_get_the_numbers_that_a_server_looks_at() -> None:
    passage = command(PacketNumbers(0))
    wrong = COMMAND[:3] + b"\x09" + COMMAND[HEADER_SIZE:]
    assert passage.feed(wrong) == (COMMAND, b"")
    assert passage.last == 0


@pytest.mark.parametrize("renumber", [False, True])
def test_a_file_ends_with_an_empty_packet(renumber: bool) -> None:
    passage = Passage(FileStream(), PacketNumbers(2) if renumber else None)
    assert passage.feed(FILE[:11]) == (FILE[:11], b"")
    assert not passage.done
    assert passage.feed(FILE[11:] + b"next") == (FILE[11:], b"next")
    assert (passage.done, passage.is_file, passage.last) == (True, True, 4)
