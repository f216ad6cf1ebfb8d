"""What was done and seen in one run. All times are of one process's monotonic clock, in seconds."""

import math
from dataclasses import dataclass, field
from enum import Enum

from topology.consistency import Level


class Outcome(Enum):
    """What the client knows of a write."""

    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Write:
    """`value` was written to a register, or appended to a list; writes with the same `group` were one transaction.

    The values of a register ascend, and only one client writes to it. A list has each value once. `ended` is infinite
    for a write that may still happen.
    """

    session: int
    key: str
    value: int
    began: float
    ended: float = math.inf
    outcome: Outcome = Outcome.UNKNOWN
    group: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """What a register held (its last value, or nothing), or a list (all its values in order)."""

    session: int
    level: Level
    key: str
    values: tuple[int, ...]
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that a client got. `began` is when it sent the statement, or the first one of the transaction.

    `client` is what the proxy's log calls the client, empty before it was connected.
    """

    session: int
    what: str
    error: str
    began: float
    ended: float
    client: str = ""

    def __str__(self) -> str:
        return f"session {self.session}: {self.what} of {self.began:.3f}, {self.ended - self.began:.3f} s: {self.error}"


@dataclass(frozen=True, slots=True)
class Fault:
    """What was done to a server. What was in flight there before `lost` may have an error; None if nothing may."""

    what: str
    began: float
    ended: float
    lost: float | None = None

    def __str__(self) -> str:
        return f"{self.began:.3f} to {self.ended:.3f}: {self.what}"


@dataclass(slots=True)
class History:
    """One run. `final` is what each key holds at the end, on the primary; keys of `registers` are such.

    `progress` tells of each client when it came further: when something that it did had succeeded.
    """

    writes: list[Write] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    final: dict[str, tuple[int, ...]] = field(default_factory=dict)
    registers: frozenset[str] = frozenset()
    progress: dict[int, list[float]] = field(default_factory=dict)
