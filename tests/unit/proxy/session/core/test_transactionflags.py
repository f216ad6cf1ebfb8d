"""Replies of a replica that are given the flags of the client's transaction."""

import pytest

from proxy.session.core.transactionflags import TransactionFlags, with_flags
from proxy.wire.framing import frame

AUTOCOMMIT, IN_TRANS, READ_ONLY = 2, 1, 0x2000
ANSI_QUOTES, NO_BACKSLASH_ESCAPES = 0x8000, 0x200
ROW = b"\x03abc"


def reply(status: int, *, end: bytes = b"") -> bytes:
    """A column, an EOF, a row and what ends it."""
    eof = b"\xfe\0\0" + status.to_bytes(2, "little")
    packets = (b"\1", b"\3def", eof, ROW, eof + end)
    return b"".join(frame(packet, number) for number, packet in enumerate(packets, 1))


@pytest.mark.parametrize("end", [b"", b"\0\0"], ids=["EOF", "OK"])
@pytest.mark.parametrize("flags", [0, IN_TRANS, IN_TRANS | READ_ONLY, ANSI_QUOTES, NO_BACKSLASH_ESCAPES])
def test_a_reply_tells_of_the_transaction_and_of_the_mode(flags: int, end: bytes) -> None:
    assert with_flags(reply(AUTOCOMMIT, end=end), flags | AUTOCOMMIT) == reply(AUTOCOMMIT | flags, end=end)


def test_a_transaction_that_is_over_is_told_of_no_more() -> None:
    assert with_flags(reply(AUTOCOMMIT | IN_TRANS), AUTOCOMMIT) == reply(AUTOCOMMIT)


def test_it_comes_in_pieces() -> None:
    flags, data = TransactionFlags(AUTOCOMMIT | IN_TRANS), reply(AUTOCOMMIT)
    pieces = [flags.feed(data[at : at + 1], over=False, failed=False) for at in range(len(data))]
    assert b"".join(pieces) == reply(AUTOCOMMIT | IN_TRANS)
    assert pieces[-1]


def test_a_reply_that_broke_off_is_no_part_of_the_next_one() -> None:
    flags = TransactionFlags(AUTOCOMMIT | IN_TRANS)
    assert flags.feed(b"\1\0\0", over=False, failed=False) == b""
    flags.begin()
    assert flags.feed(reply(AUTOCOMMIT), over=True, failed=False) == reply(AUTOCOMMIT | IN_TRANS)


def test_an_error_passes_unchanged() -> None:
    error = frame(b"\xff\x10\x04#42S02no such table", 1)
    assert with_flags(error, IN_TRANS) == error
