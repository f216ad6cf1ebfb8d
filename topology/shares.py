"""How many of the reads each replica gets: weights, and less for one that has just come back. Pure."""

import functools
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

# A full share is so many parts of a weight of 1.
FULL: Final = 10


@dataclass(frozen=True, slots=True)
class Shares:
    """What is set: weights by the names of replicas, 1 for all others, and the seconds of the slow start."""

    weights: Mapping[str, int] = field(default_factory=dict)
    slow_start: float = 0.0

    def of(self, name: str, elapsed: float) -> int:
        """The share of a replica that came back `elapsed` seconds ago."""
        return self.weight(name) * part(elapsed, self.slow_start)

    def weight(self, name: str) -> int:
        """That of a replica."""
        return self.weights.get(name, 1)

    def least(self, name: str) -> int:
        """The share of a replica that is on trial: its weight, of which others have `FULL`."""
        return self.weight(name)

    def warnings(self, names: Collection[str]) -> list[str]:
        """Which weights are of no use; `names` are those of all servers."""
        return [f"weights names the replica {name!r}, which there is not" for name in self.weights if name not in names]


def part(elapsed: float, slow_start: float) -> int:
    """Of `FULL`, what a replica gets `elapsed` seconds after it came back: more with time, all after `slow_start`."""
    return FULL if elapsed >= slow_start else max(1, int(FULL * elapsed / slow_start))


@functools.lru_cache(16)
def turns(shares: tuple[int, ...]) -> tuple[int, ...]:
    """Whose turn it is, by their places: each as often as its share says, spread evenly (as nginx does it).

    As short as possible: with equal shares each has one turn.
    """
    divisor = math.gcd(*shares)
    parts = [share // divisor for share in shares]
    credit = [0] * len(parts)
    found = []
    for _ in range(sum(parts)):
        credit = [have + gain for have, gain in zip(credit, parts, strict=True)]
        best = max(range(len(parts)), key=credit.__getitem__)
        credit[best] -= sum(parts)
        found.append(best)
    return tuple(found)
