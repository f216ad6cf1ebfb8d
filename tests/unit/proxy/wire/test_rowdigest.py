"""Telling results apart by their rows."""

import pytest

from proxy.wire.capabilities import Layout
from proxy.wire.constants import MAX_PAYLOAD
from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import frame
from proxy.wire.rowdigest import RowDigest

OLD, NEW = Layout(), Layout(deprecate_eof=True)
EOF = b"\xfe\0\0\2\0"
OK = b"\xfe\0\0\2\0\0\0"


def reply(layout: Layout, *rows: bytes, first: int = 1, last: bytes = b"") -> bytes:
    packets = [b"\x01", b"\x03def", *([] if layout.deprecate_eof else [EOF]), *rows]
    packets.append(last or (OK if layout.deprecate_eof else EOF))
    return b"".join(frame(payload, (first + at) & 0xFF) for at, payload in enumerate(packets))


def digest(layout: Layout, data: bytes, size: int = 1 << 30) -> tuple[int, ...]:
    found = RowDigest(layout)
    for at in range(0, len(data), size):
        found.feed(data[at : at + size])
    return found.value


@pytest.mark.parametrize("layout", [OLD, NEW])
@pytest.mark.parametrize("size", [1, 3, 10, 1000])
def test_it_is_the_same_however_the_bytes_come(layout: Layout, size: int) -> None:
    data = reply(layout, b"\x01a", b"\x01b", b"\xfb")
    assert digest(layout, data, size) == digest(layout, data)
    assert digest(layout, data)[0] == 3


def test_only_rows_count() -> None:
    rows = b"\x01a", b"\x01b"
    assert digest(OLD, reply(OLD, *rows)) == digest(NEW, reply(NEW, *rows, first=9))
    assert digest(OLD, reply(OLD, *rows, last=b"\xfe\3\0\x03\0")) == digest(OLD, reply(OLD, *rows))


def test_their_order_does_not() -> None:
    assert digest(NEW, reply(NEW, b"\x01a", b"\x01b")) == digest(NEW, reply(NEW, b"\x01b", b"\x01a"))


@pytest.mark.parametrize("rows", [[], [b"\x01a"], [b"\x01a", b"\x01a"], [b"\x01a", b"\x01c"], [b"\x01a", b"\x02bb"]])
def test_other_rows_make_another(rows: list[bytes]) -> None:
    assert digest(NEW, reply(NEW, *rows)) != digest(NEW, reply(NEW, b"\x01a", b"\x01b"))


@pytest.mark.parametrize("rest", [b"", b"x" * 5])
def test_a_row_can_go_on_in_another_packet(rest: bytes) -> None:
    data = reply(NEW, b"a" * MAX_PAYLOAD + rest, b"\x01b")
    assert digest(NEW, data)[0] == 2
    assert digest(NEW, data, 1 << 20) == digest(NEW, data)
    assert digest(NEW, data) != digest(NEW, reply(NEW, b"a" * MAX_PAYLOAD + rest + b"x", b"\x01b"))


def test_no_rows_come_with_an_error() -> None:
    assert digest(NEW, frame(b"\xff\x28\x04#42000no", 1)) == (0, 0, 0, 0, 0, 1064)


def test_an_empty_packet_makes_no_sense() -> None:
    with pytest.raises(MalformedPacket):
        RowDigest(NEW).feed(frame(b"\x01", 1) + frame(b"", 2))


@pytest.mark.parametrize("size", [1, 100])
def test_of_an_ok_counts_what_it_says_of_the_data(size: int) -> None:
    ok = frame(b"\0\2\7\2\0\1\0" + b"text", 1)
    assert digest(NEW, ok, size) == (0, 0, 2, 7, 1, 0)
    assert digest(NEW, frame(b"\0\2\7\3\0\1\0", 1)) == digest(NEW, ok)
