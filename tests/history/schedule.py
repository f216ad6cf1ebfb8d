"""What is done to the servers, as a seed draws it. Pure."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What can be done to a server."""

    KILL = "killed and started again"
    RESTART = "shut down and started again"
    FREEZE = "frozen"
    CUT = "cut off, connections broken"
    MUTE = "its answers held back"
    DEAF = "what it is asked held back"
    SLOW = "a slow line"
    LAG = "applies late"
    SWITCHOVER = "made the primary"


# More often what is quick.
_OF_REPLICAS = 2 * (Kind.KILL, Kind.FREEZE, Kind.CUT, Kind.MUTE, Kind.DEAF, Kind.SLOW, Kind.LAG) + (Kind.RESTART,)
_OF_PRIMARY = 2 * (Kind.SWITCHOVER, Kind.KILL, Kind.FREEZE) + (Kind.CUT, Kind.MUTE, Kind.DEAF, Kind.SLOW)
_LONGEST = 4.0
_LONGEST_LAG = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """After `rest` seconds something is done for `lasts` seconds, to one `which` of the replicas.

    `lag` is that of a replica, `line` that of a line to a server, in seconds.
    """

    kind: Kind
    rest: float
    lasts: float
    which: int
    lag: int
    line: float


def of_replicas(seed: int) -> Iterator[Plan]:
    """What becomes of replicas, one after the other, without end."""
    return _drawn(random.Random(f"{seed} replicas"), _OF_REPLICAS)


def of_primary(seed: int) -> Iterator[Plan]:
    """The same of the primary."""
    return _drawn(random.Random(f"{seed} primary"), _OF_PRIMARY)


def _drawn(chance: random.Random, kinds: tuple[Kind, ...]) -> Iterator[Plan]:
    """Each kind comes as often as it is named before any comes again."""
    while True:
        for kind in chance.sample(kinds, len(kinds)):
            yield Plan(
                kind,
                rest=chance.uniform(0.2, 2.0),
                lasts=chance.uniform(0.2, _LONGEST),
                which=chance.randrange(2),
                lag=chance.randint(0, _LONGEST_LAG),
                line=chance.uniform(0.005, 0.1),
            )
