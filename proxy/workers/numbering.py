"""What a number of one process's `Freshness` means to another: how far the logs of all workers went by then. Pure."""

import bisect
from typing import Final, TypeAlias

from topology.freshness import NOTHING

# Where the log of each worker ends.
Vector: TypeAlias = tuple[int, ...]

# So many are remembered; under load a replica is confirmed up to one of the last hundred or so.
_MOST: Final = 20_000


def within(vector: Vector, other: Vector) -> bool:
    """Whether `other` has everything that `vector` has."""
    return all(own <= more for own, more in zip(vector, other, strict=True))


class Numbering:
    """That of one process. Numbers grow, and no log grows shorter."""

    def __init__(self) -> None:
        self._known: list[tuple[int, Vector]] = []

    def note(self, number: int, vector: Vector) -> None:
        """Everything up to `number` is where the logs are known up to `vector`."""
        self._known.append((number, vector))
        if len(self._known) > 2 * _MOST:
            del self._known[:_MOST]

    @property
    def last(self) -> int:
        """The last number that was noted."""
        return self._known[-1][0] if self._known else NOTHING

    def covered(self, vector: Vector) -> int:
        """The last number up to which everything is where the logs are known up to `vector`; NOTHING if none is."""
        at = bisect.bisect_left(self._known, True, key=lambda known: not within(known[1], vector))
        return self._known[at - 1][0] if at else NOTHING

    def vector(self, number: int) -> Vector | None:
        """How far the logs were known when everything up to `number` was; None for one that is too old."""
        at = bisect.bisect_right(self._known, number, key=lambda known: known[0])
        return self._known[at - 1][1] if at else None
