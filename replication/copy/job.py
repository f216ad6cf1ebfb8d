"""What a copy is of and what it ended with."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from replication.actions import Users
from replication.copy.engine import Engine
from replication.facts import UNFINISHED, ServerFacts
from replication.report import Reporter
from replication.together import Begin
from topology.servers import Server


@dataclass(frozen=True, slots=True)
class CopyJob:
    """What is copied from where to where, and how; all copies from one primary share `turn`.

    `address` is host and port under which the target reaches the primary. `begin` is for what may go on when the copy
    has ended, while the replica is attached. `wait` is in seconds, for a server that starts anew.
    """

    primary: ServerFacts
    target: ServerFacts
    users: Users
    engine: Engine
    reporter: Reporter
    turn: asyncio.Lock
    address: tuple[str, int]
    begin: Begin
    parallel: int = 4
    wait: float = 600.0

    @property
    def resumes(self) -> bool:
        """Whether a run before ended while it copied this primary's rows."""
        marker = self.target.marker
        unfinished = marker is not None and marker.phase in UNFINISHED
        return marker is not None and unfinished and marker.primary == self.primary.identity


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy ended with: its position, its size, and the replica with the credentials that are valid now."""

    gtid: str
    tables: int
    rows: int
    bytes: int
    server: Server


class Tally:
    """Adds up what arrived, and passes on rows, bytes and seconds since it began."""

    def __init__(self, notify: Callable[[int, int, float], None]) -> None:
        self.rows = 0
        self.bytes = 0
        self._since = monotonic()
        self._notify = notify

    def add(self, rows: int, size: int) -> None:
        self.rows += rows
        self.bytes += size
        self._notify(self.rows, self.bytes, monotonic() - self._since)
