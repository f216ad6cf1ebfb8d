"""The facts about one statement that routing needs."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

# Schemas whose tables tell about the server that is asked.
SERVER_SCHEMAS: Final = frozenset({"mysql", "performance_schema", "sys"})


class Kind(IntEnum):
    """What a statement does, as far as its route is concerned."""

    READ = 0  # a plain read: any server that is up to date may answer
    PRIMARY = 1  # everything that writes, locks, or is not known to be a plain read
    SESSION = 2  # sets session state that can be repeated on another connection
    DIAGNOSTIC = 3  # asks about the statement before it: goes where that one went
    TRANSACTION = 4  # BEGIN, COMMIT, ROLLBACK, SAVEPOINT: writes nothing that was not counted already


# Names of their own because Python 3.11 takes 0.1 us to look a member up through its class, several times per command.
READ: Final = Kind.READ
PRIMARY: Final = Kind.PRIMARY
SESSION: Final = Kind.SESSION
DIAGNOSTIC: Final = Kind.DIAGNOSTIC
TRANSACTION: Final = Kind.TRANSACTION


@dataclass(frozen=True, slots=True)
class Statement:
    """One classified text.

    `reason` is a stable code: `read`, or why the statement is not one. `pin` is a reason to keep the session on the
    primary from now on, because the statement may leave state behind there that no other connection has. `setting`
    names what a SESSION statement sets: a later one with the same name takes its place. `schema` is that of a USE.
    `writes` tells whether data may have changed once it was answered.
    """

    kind: Kind
    reason: str
    pin: str = ""
    setting: str = ""
    schema: str = ""
    writes: bool = False


def primary(reason: str, pin: str = "", *, writes: bool = True) -> Statement:
    """A statement for the primary."""
    return Statement(Kind.PRIMARY, reason, pin, writes=writes)
