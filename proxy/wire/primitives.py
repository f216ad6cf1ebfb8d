"""Integers and strings as the protocol writes them: fixed little-endian, length-encoded, NUL-terminated."""

from proxy.wire.errors import MalformedPacket


def lenenc_int(value: int) -> bytes:
    """`value` (0 to 2**64-1) as a length-encoded integer of 1, 3, 4 or 9 bytes."""
    if value < 0xFB:
        return bytes((value,))
    if value < 1 << 16:
        return b"\xfc" + value.to_bytes(2, "little")
    if value < 1 << 24:
        return b"\xfd" + value.to_bytes(3, "little")
    return b"\xfe" + value.to_bytes(8, "little")


def lenenc_bytes(value: bytes) -> bytes:
    """`value` behind its length as a length-encoded integer."""
    return lenenc_int(len(value)) + value


_LENENC_WIDTHS = {0xFC: 2, 0xFD: 3, 0xFE: 8}


def read_lenenc_int(data: bytes, at: int) -> tuple[int, int]:
    """The length-encoded integer at `at` and the position behind it."""
    if at >= len(data):
        raise MalformedPacket("a length-encoded integer was cut off")
    first = data[at]
    if first < 0xFB:
        return first, at + 1
    width = _LENENC_WIDTHS.get(first)
    if width is None or at + 1 + width > len(data):
        raise MalformedPacket(f"a length-encoded integer begins with 0x{first:02x} or is cut off")
    return int.from_bytes(data[at + 1 : at + 1 + width], "little"), at + 1 + width


class Reader:
    """Takes one value after the other from a packet's payload; every read past the end is a MalformedPacket."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes were not read yet."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count > self.left:
            raise MalformedPacket(f"{count} bytes were announced, {self.left} are there")
        self._at += count
        return self._data[self._at - count : self._at]

    def rest(self) -> bytes:
        """All bytes that are left."""
        return self.take(self.left)

    def integer(self, width: int) -> int:
        """A little-endian integer of `width` bytes."""
        return int.from_bytes(self.take(width), "little")

    def lenenc_int(self) -> int:
        """A length-encoded integer."""
        value, self._at = read_lenenc_int(self._data, self._at)
        return value

    def lenenc_bytes(self) -> bytes:
        """A string behind its length-encoded length."""
        return self.take(self.lenenc_int())

    def nul_bytes(self) -> bytes:
        """A string up to its NUL, which is taken too."""
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise MalformedPacket("a NUL-terminated string has no NUL")
        value = self.take(end - self._at)
        self._at += 1
        return value
