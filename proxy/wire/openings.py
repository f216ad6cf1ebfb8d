"""What result sets begin with, remembered: the same statement begins its reply with the same bytes each time.

Column definitions are most of a short reply, and tell nothing about where it ends. When the bytes before the first row
are ones that were walked before, packet by packet, they need not be walked again: comparing them costs next to nothing.
"""

from typing import Final

# Enough of a reply to tell most statements apart: the number of columns, and where the first one comes from.
_KEY_SIZE: Final = 48
_MAX_SIZE: Final = 4096
_MAX_KNOWN: Final = 1024
_UNKNOWN: Final = (b"", 0)


class Openings:
    """The beginnings of result sets, for connections of one kind: with or without CLIENT_DEPRECATE_EOF."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[bytes, int]] = {}

    def find(self, chunk: bytes) -> tuple[int, int]:
        """How much of a reply, given its first chunk, is an opening known from before, and its last packet's number.

        (0, 0) if none is known.
        """
        opening, sequence = self._known.get(chunk[:_KEY_SIZE], _UNKNOWN)
        return (len(opening), sequence) if chunk.startswith(opening) else (0, 0)

    def learn(self, opening: bytes, sequence: int) -> None:
        """Remember everything that came before the first row; `sequence` is the number of the last packet of it."""
        if _KEY_SIZE <= len(opening) <= _MAX_SIZE:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[opening[:_KEY_SIZE]] = (opening, sequence)
