"""Replies of one row that are given other values than the server's. Pure."""

from dataclasses import replace
from typing import Final

from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import PacketReader, frame
from proxy.wire.primitives import Reader, lenenc_bytes
from proxy.wire.replies import ok_payload, parse_whole_ok

_LARGEST_REPLY: Final = 1 << 24
# Of a row in the binary protocol: 0x00 and a bit for each column, from the third bit on.
_BITS_BEFORE: Final = 2
_INTEGER: Final = 8

# By column, the value that a row is given; None leaves what the server has said.
Values = tuple[int | None, ...]


def payloads_of(reply: bytes) -> list[tuple[int, bytes]]:
    """The packets of a reply with their numbers."""
    reader = PacketReader(_LARGEST_REPLY)
    reader.feed(reply)
    payloads = []
    while (packet := reader.next()) is not None:
        payloads.append(packet)
    return payloads


def with_values(reply: bytes, values: Values, *, binary: bool) -> bytes:
    """A reply of one row of integers, with other values in it; without any, an OK that tells of no warnings.

    Raises MalformedPacket for any other reply.
    """
    payloads = payloads_of(reply)
    if not values:
        ok, rest = parse_whole_ok(payloads[0][1])
        return frame(ok_payload(replace(ok, warnings=0), payloads[0][1][0], rest), payloads[0][0])
    if len(payloads) < 2:
        raise MalformedPacket("a reply without a row")
    sequence, row = payloads[-2]
    payloads[-2] = sequence, _binary_row(row, values) if binary else _text_row(row, values)
    return b"".join(frame(payload, sequence) for sequence, payload in payloads)


def _text_row(row: bytes, values: Values) -> bytes:
    reader = Reader(row)
    said = [reader.lenenc_bytes() for _ in values]
    return b"".join(
        lenenc_bytes(was if value is None else b"%d" % value) for was, value in zip(said, values, strict=True)
    )


def _binary_row(row: bytes, values: Values) -> bytes:
    at = 1 + (len(values) + _BITS_BEFORE + 7) // 8
    if len(row) != at + _INTEGER * len(values):
        raise MalformedPacket("a row of other columns than integers")
    said = [row[begin : begin + _INTEGER] for begin in range(at, len(row), _INTEGER)]
    told = (
        was if value is None else value.to_bytes(_INTEGER, "little", signed=True)
        for was, value in zip(said, values, strict=True)
    )
    return row[:at] + b"".join(told)


class WholeReply:
    """Collects a reply of one row, to give it other values."""

    def __init__(self, values: Values, *, binary: bool) -> None:
        self._values = values
        self._binary = binary
        self._reply = b""

    def begin(self) -> None:
        """A reply comes from its start; what was there of another one is no part of it."""
        self._reply = b""

    def feed(self, chunk: bytes, *, over: bool, failed: bool) -> bytes:
        """The next bytes; all comes out in one piece when it is `over`. Raises MalformedPacket."""
        self._reply += chunk
        if not over:
            return b""
        return self._reply if failed else with_values(self._reply, self._values, binary=self._binary)
