"""What may be done to a replica, and the decision about one: the words of `plan`. Pure."""

from dataclasses import dataclass, field
from enum import StrEnum

from replication.facts import ServerFacts


class Users(StrEnum):
    """What becomes of the replica's accounts when it is copied.

    They become the primary's, with MERGE but for the login that it was reached with; or they stay.
    """

    COPY = "copy"
    MERGE = "merge"
    KEEP = "keep"


class Method(StrEnum):
    """How rows get to a replica that is copied; AUTO is the fastest one that leaves the server running."""

    AUTO = "auto"
    STREAM = "stream"
    DUMP = "dump"
    CLONE = "clone"


class Action(StrEnum):
    """What is done to one replica."""

    LEAVE = "leave alone"
    RESTART = "restart replication"
    REPOINT = "attach again"
    DETOUR = "attach again by way of another replica"
    ATTACH = "attach"
    RENEW = "write anew what differs"
    SHADOW = "copy beside and exchange"
    COPY = "copy"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator asked for; `host` and `port` are where the replicas reach the primary.

    Replicas in `recopy` are copied whatever they are, as far as they may be, in the way `by`: RENEW, SHADOW or COPY.
    `taken` are server_ids of servers that are not looked at. `least` and `most` bound what may be done, in the order in
    which Action lists it.
    """

    host: str
    port: int
    force: frozenset[str] = frozenset()
    recopy: frozenset[str] = frozenset()
    by: Action = Action.COPY
    taken: frozenset[int] = frozenset()
    least: Action = Action.LEAVE
    most: Action = Action.COPY


@dataclass(frozen=True, slots=True)
class ReplicaPlan:
    """The decision about one replica. `new_server_id` is None when its own may stay; `lender` is whom it follows for a
    while when it gets there by a DETOUR.
    """

    facts: ServerFacts
    action: Action
    reason: str
    new_server_id: int | None = None
    warnings: tuple[str, ...] = field(default=())
    lender: ServerFacts | None = None
