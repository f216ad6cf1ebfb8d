"""Packets on the wire: a 3-byte little-endian payload length, a sequence number, the payload.

A payload of 16 MiB - 1 or more is spread over several packets; one that is shorter than that ends the series.
"""

from proxy.wire.constants import HEADER_SIZE, MAX_PAYLOAD
from proxy.wire.errors import MalformedPacket


def frame(payload: bytes, sequence: int) -> bytes:
    """`payload` as one packet, or as several when it is 16 MiB or more; `sequence` numbers the first of them."""
    if len(payload) < MAX_PAYLOAD:
        return _packet(payload, sequence)
    # A payload of exactly n * MAX_PAYLOAD bytes is closed by an empty packet, hence the + 1.
    pieces = range(0, len(payload) + 1, MAX_PAYLOAD)
    return b"".join(_packet(payload[at : at + MAX_PAYLOAD], sequence + i) for i, at in enumerate(pieces))


def _packet(payload: bytes, sequence: int) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes((sequence & 0xFF,)) + payload


def payload_length(data: bytes | bytearray, at: int = 0) -> int:
    """The payload length that the packet header at `at` announces; three bytes must be there."""
    return data[at] | data[at + 1] << 8 | data[at + 2] << 16


class PacketReader:
    """Collects whole packets from chunks during login, where packets are few and small.

    `limit` bounds the payload that a peer may announce before it is trusted.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()

    @property
    def full(self) -> bool:
        """Whether more bytes are here than the largest packet has."""
        return len(self._buffer) > HEADER_SIZE + self._limit

    @property
    def sequence(self) -> int:
        """The number of the next packet, whose header must be there."""
        return self._buffer[3]

    def peek(self, size: int) -> bytes:
        """The first `size` bytes, or fewer, which stay where they are."""
        return bytes(self._buffer[:size])

    def skip(self, size: int) -> None:
        """Drop so many bytes, which are no packet."""
        del self._buffer[:size]

    def feed(self, chunk: bytes) -> None:
        """Add bytes as they arrived."""
        self._buffer += chunk

    def next(self) -> tuple[int, bytes] | None:
        """The next packet as (sequence, payload), or None until it is complete."""
        buffer = self._buffer
        if len(buffer) < HEADER_SIZE:
            return None
        length = payload_length(buffer)
        if length > self._limit:
            raise MalformedPacket(f"a packet of {length} bytes was announced where {self._limit} are allowed")
        end = HEADER_SIZE + length
        if len(buffer) < end:
            return None
        sequence, payload = buffer[3], bytes(buffer[HEADER_SIZE:end])
        del buffer[:end]
        return sequence, payload

    def take_rest(self) -> bytes:
        """Bytes behind the last packet; the reader is empty afterwards."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest
