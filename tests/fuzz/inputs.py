"""Makes structured input of the flat bytes that a fuzzer invents."""

from collections.abc import Iterator


class Input:
    """Takes values from the front of some bytes; what is missing at the end is zero or empty."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes were not taken yet."""
        return max(0, len(self._data) - self._at)

    def byte(self) -> int:
        """The next byte."""
        value = self._data[self._at] if self.left else 0
        self._at += 1
        return value

    def flag(self) -> bool:
        """Whether the next byte is odd."""
        return bool(self.byte() & 1)

    def take(self, count: int) -> bytes:
        """The next bytes, at most `count`."""
        self._at += count
        return self._data[self._at - count : self._at]

    def piece(self) -> bytes:
        """Bytes behind their length, which takes two bytes."""
        return self.take(self.byte() | self.byte() << 8)

    def pieces(self) -> Iterator[bytes]:
        """All pieces that are left."""
        while self.left:
            yield self.piece()

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(self.left)


def pieces(*values: bytes) -> bytes:
    """The bytes of which `Input.pieces` makes `values`."""
    return b"".join(len(value).to_bytes(2, "little") + value for value in values)


def chunks(data: bytes, seed: int) -> Iterator[bytes]:
    """`data` in chunks: one byte each for the seed 0, else sizes that repeat and differ from seed to seed."""
    at = step = 0
    while at < len(data):
        size = 1 + seed * (step * 7 + 3) % (seed + 1) if seed else 1
        yield data[at : at + size]
        at += size
        step += 1
