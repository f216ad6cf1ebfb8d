"""What a watcher tells of its looks: values, for its HTTP service, its page and the log."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from replication.ladder import Watched
from replication.seen import PrimarySeen
from replication.states import State
from replication.verification import Comparison


@dataclass(frozen=True, slots=True)
class LastComparison:
    """What the last comparison of a replica that was asked for found, and when it ended (ISO 8601)."""

    name: str
    at: str
    found: Comparison


@dataclass(frozen=True, slots=True)
class Report:
    """What the last look saw. `leads` tells that this watcher is the one that acts; `repairing` and `verifying` name
    replicas.
    """

    primary: PrimarySeen
    replicas: tuple[Watched, ...]
    leads: bool = False
    repairing: tuple[str, ...] = ()
    progress: tuple[tuple[str, str], ...] = ()
    repairs: int = 0
    failures: int = 0
    verifying: tuple[str, ...] = ()
    verified: tuple[LastComparison, ...] = ()


def time_of_day() -> str:
    """Now (ISO 8601)."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened at a server, as a line for people; `at` is when (ISO 8601).

    `state` is the new state of a replica when that is what has happened.
    """

    server: str
    message: str
    warning: bool = False
    state: State | None = None
    at: str = field(default_factory=time_of_day)
