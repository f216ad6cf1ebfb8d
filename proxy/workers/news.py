"""What the parent publishes of the servers and of their replicas' positions: values."""

from dataclasses import dataclass

from proxy.workers.numbering import Vector
from topology.freshness import Table
from topology.servers import ServerState


@dataclass(frozen=True, slots=True)
class Standing:
    """One server's state. `incarnation` is another when its role has changed or another server answers there, `tenure`
    only in the latter case."""

    state: ServerState
    incarnation: int
    tenure: int


@dataclass(frozen=True, slots=True)
class Servers:
    """All of them, the primary first; the rest as in `topology.servers.Snapshot`."""

    standings: tuple[Standing, ...]
    doubt: str
    split: str
    rivals: tuple[str, ...]
    accepted_writes: bool


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A replica has applied all that the workers had written by `vector`."""

    replica: str
    vector: Vector


@dataclass(frozen=True, slots=True)
class Located:
    """The primary was at `position` after all that they had written by `vector`."""

    position: str
    vector: Vector


@dataclass(frozen=True, slots=True)
class Learnt:
    """These tables are ordinary, unless something was defined after `vector`."""

    ordinary: frozenset[Table] | None
    vector: Vector


@dataclass(frozen=True, slots=True)
class Failure:
    """A worker could not use a server."""

    server: str
    incarnation: int
    reason: str
