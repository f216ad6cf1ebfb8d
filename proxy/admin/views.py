"""What is shown, as values: collected where the sessions and the servers are, told by `proxy.admin.shows`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from proxy.sql.tally import Histogram
from topology.servers import Server


@dataclass(frozen=True, slots=True)
class SessionView:
    """One session.

    `server` is where it is at work, empty at rest; `connections` are the servers that it has one to. `replay` says
    whether its transaction could be run again: yes, or why not; empty without one, or where none is. `holds` are
    the reasons for which its connection to the primary goes to nobody else although reads may leave it.
    """

    number: int
    user: str
    client: str
    schema: str
    phase: str
    pins: tuple[str, ...]
    in_transaction: bool
    server: str
    connections: tuple[str, ...]
    statements: int
    replay: str = ""
    holds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PoolFigure:
    """Connections to one server in one user's name, of `most` that the server is asked for at all.

    `in_use` run something or are tied to their session, `idle` ones could be taken from theirs, `free` ones have none.
    `waiting` counts the sessions that wait for one.
    """

    server: str
    user: str
    opened: int = 0
    in_use: int = 0
    idle: int = 0
    waiting: int = 0
    free: int = 0
    most: int = 0


class PoolFigures(Protocol):
    """Who knows about server connections."""

    def figures(self) -> Iterable[PoolFigure]:
        """One for each server and user."""


@dataclass(frozen=True, slots=True)
class ServerView:
    """One server: its state with the reason, how far it is behind in seconds, and what it was given.

    A replica has a `weight`, and while it is used gets the part `share` of that.
    """

    server: Server
    health: str
    reason: str
    lag: float | None
    fresh: bool
    reads: int
    others: int
    weight: int | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True)
class DigestView:
    """What was counted of one digest: `rows` that it gave, `affected` that it changed, `served` the servers' time."""

    digest: str
    primary: int
    replicas: int
    errors: int
    rows: int
    affected: int
    reason: str
    seen: float
    served: Histogram
    example: str
