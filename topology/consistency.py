"""How much of what was written a read must see."""

from enum import StrEnum


class Level(StrEnum):
    """What a replica must have to answer a read, the least first. The writes are those to the tables that it reads."""

    EVENTUAL = "eventual"  # nothing
    SESSION = "session"  # the session's own writes
    MONOTONIC = "monotonic"  # these, and all that the session has seen in a read before
    GLOBAL = "global"  # every write that was acknowledged through this proxy before the read came
    STRICT = "strict"  # every write that was acknowledged by the primary before the read came
