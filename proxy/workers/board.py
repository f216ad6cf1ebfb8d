"""Memory that all processes of a proxy share: each worker's log of its acknowledged writes, and what it counts.

Each worker has a slot, which nobody else writes to as long as it lives. docs/architecture.md has the layout, and why a
read sees all that was acknowledged before it came.
"""

import mmap
import os
import tempfile
from collections.abc import Iterator
from typing import Final

from proxy.workers.records import Record, decode, encode

# Bytes of each log. So far behind a reader may be before it has to believe that anything was written.
CAPACITY: Final = 1 << 16
_WORD: Final = 8
# Words of a slot: where its log ends, how many definitions it has under way, how many clients, how many it was given.
_WORDS: Final = 4


def new_memory(slots: int) -> int:
    """The descriptor of memory for so many workers, all zeros; it is gone with the last process that has it."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("manyreads")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, _size(slots))
    return descriptor


def _size(slots: int) -> int:
    return slots * (_WORDS * _WORD + CAPACITY)


class Board:
    """The memory as one process sees it."""

    def __init__(self, descriptor: int, slots: int) -> None:
        self.slots = slots
        self._memory = mmap.mmap(descriptor, _size(slots))
        # Aligned words are written and read whole.
        self._words = memoryview(self._memory)[: slots * _WORDS * _WORD].cast("Q")
        self._heads = slots * _WORD
        self._logs = slots * _WORDS * _WORD

    @property
    def ends(self) -> bytes:
        """Where all logs end, only to be compared: what has changed is another value."""
        return self._memory[: self._heads]

    def end(self, slot: int) -> int:
        """How many bytes were ever written into the log of a slot."""
        return self._words[slot]

    def append(self, slot: int, record: Record) -> int:
        """Write a record into the log of a slot, whole before anybody can see it; returns where the log ends now."""
        place = self._words[slot]
        data = encode(record, place)
        base, at = self._logs + slot * CAPACITY, place % CAPACITY
        first = data[: CAPACITY - at]
        self._memory[base + at : base + at + len(first)] = first
        self._memory[base : base + len(data) - len(first)] = data[len(first) :]
        self._words[slot] = end = place + len(data)
        return end

    def read(self, slot: int, place: int, end: int) -> list[Record] | None:
        """The records of a log from `place` to `end`; None when they are not all there any more."""
        if end - place > CAPACITY:
            return None
        base, at = self._logs + slot * CAPACITY, place % CAPACITY
        first = self._memory[base + at : base + min(CAPACITY, at + end - place)]
        rest = end - place - len(first)
        return decode(first + self._memory[base : base + rest], place)

    def defining(self, slot: int) -> int:
        """How many statements of a slot's worker that may be DDL are under way."""
        return self._words[self.slots + slot]

    def define(self, slot: int, count: int) -> None:
        """Set that."""
        self._words[self.slots + slot] = count

    def clients(self, slot: int) -> int:
        """How many clients a slot's worker has."""
        return self._words[2 * self.slots + slot]

    def count_clients(self, slot: int, count: int) -> None:
        """Set that."""
        self._words[2 * self.slots + slot] = count

    def all_clients(self) -> int:
        """Those of all workers."""
        return sum(self._words[2 * self.slots : 3 * self.slots])

    def welcomed(self, slot: int) -> int:
        """How many clients a slot's worker has ever taken from the parent."""
        return self._words[3 * self.slots + slot]

    def count_welcomed(self, slot: int, count: int) -> None:
        """Set that."""
        self._words[3 * self.slots + slot] = count

    def close(self) -> None:
        """Use it no more."""
        self._words.release()
        self._memory.close()


class Reading:
    """How far one process has read the logs of all slots but its own; `vector` is where each was read up to."""

    def __init__(self, board: Board, own: int | None) -> None:
        self._board = board
        self._seen = board.ends
        self._own = own
        self.vector = [board.end(slot) for slot in range(board.slots)]

    @property
    def behind(self) -> bool:
        """Whether there is something new, cheap to be asked for each read."""
        return self._board.ends != self._seen

    def news(self) -> Iterator[list[Record] | None]:
        """What is new, slot by slot: records, or None where too much is; `vector` has that slot's end by then."""
        self._seen = self._board.ends
        for slot in range(self._board.slots):
            end, place = self._board.end(slot), self.vector[slot]
            if end != place:
                self.vector[slot] = end
                if slot != self._own:
                    yield self._board.read(slot, place, end)
