"""What result sets begin with, remembered: the same statement begins its reply with the same bytes each time.

Column definitions are most of a short reply, and tell nothing about where it ends. When the bytes before the first row
are ones that were walked before, packet by packet, they need not be walked again: comparing them costs next to nothing.
"""

from typing import Final

# Enough of a reply to tell most statements apart: the number of columns, and where the first one comes from.
_KEY_SIZE: Final = 48
_MAX_SIZE: Final = 4096
_MAX_KNOWN: Final = 1024
_UNKNOWN: Final = (b"", 0, -1)


class Openings:
    """The beginnings of result sets, for connections of one reply layout."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[bytes, int, int]] = {}

    def find(self, chunk: bytes) -> tuple[int, int, int]:
        """How much of a reply, given its first chunk, is an opening known from before.

        With it comes its last packet's number and its last status flags; (0, 0, -1) if none is known.
        """
        opening, sequence, status = self._known.get(chunk[:_KEY_SIZE], _UNKNOWN)
        return (len(opening), sequence, status) if chunk.startswith(opening) else (0, 0, -1)

    def learn(self, opening: bytes, sequence: int, status: int) -> None:
        """Remember everything that came before the first row.

        `sequence` is the number of the last packet of it. `status` are the last flags in it (-1 if none): an error
        among the rows has none of its own, and an OK before them may have told that a transaction began.
        """
        if _KEY_SIZE <= len(opening) <= _MAX_SIZE:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[opening[:_KEY_SIZE]] = (opening, sequence, status)
