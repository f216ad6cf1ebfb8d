"""Replies of a replica to a question that is asked in a transaction of the primary's connection, and replies that are
told once more. Pure.

A server tells with each reply whether a transaction is open, and how it reads texts; the replica that ran the statement
before, and is asked about it, knows nothing of the client's transaction, and what is told once more is older.
"""

from typing import Final

from proxy.wire import constants as c
from proxy.wire.framing import PacketReader, frame

_FLAGS: Final = (
    c.SERVER_STATUS_IN_TRANS
    | c.SERVER_STATUS_IN_TRANS_READONLY
    | c.SERVER_STATUS_AUTOCOMMIT
    | c.SERVER_STATUS_NO_BACKSLASH_ESCAPES
    | c.SERVER_STATUS_ANSI_QUOTES
)
# Of an EOF packet, and of the OK packet that takes its place, neither of which counts rows or has an insert id here.
_STATUS_AT: Final = 3


class TransactionFlags:
    """Passes a reply on with what the flags in `status` tell of transactions and of `sql_mode`."""

    def __init__(self, status: int) -> None:
        self._flags = status & _FLAGS
        self._reader = PacketReader(c.MAX_PAYLOAD - 1)

    def begin(self) -> None:
        """A reply comes from its start; what was there of another one is no part of it."""
        self._reader = PacketReader(c.MAX_PAYLOAD - 1)

    def feed(self, chunk: bytes, *, over: bool, failed: bool) -> bytes:
        """The next bytes, as far as whole packets are there. Raises MalformedPacket for one of 16 MiB."""
        self._reader.feed(chunk)
        told = b""
        while (packet := self._reader.next()) is not None:
            sequence, payload = packet
            told += frame(self._flagged(payload), sequence)
        return told

    def _flagged(self, payload: bytes) -> bytes:
        # No row of less than 16 MiB begins like this.
        if payload[:1] != b"\xfe" or len(payload) < _STATUS_AT + 2:
            return payload
        status = int.from_bytes(payload[_STATUS_AT : _STATUS_AT + 2], "little") & ~_FLAGS | self._flags
        return payload[:_STATUS_AT] + status.to_bytes(2, "little") + payload[_STATUS_AT + 2 :]


def with_flags(reply: bytes, status: int) -> bytes:
    """A whole reply in the same way. Raises MalformedPacket."""
    return TransactionFlags(status).feed(reply, over=True, failed=False)
