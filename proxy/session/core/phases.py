"""The states of a client session after its login, and the one table of what may follow what."""

from enum import IntEnum, auto
from typing import Final


class Phase(IntEnum):
    """What a session is doing."""

    IDLE = auto()  # waits for a command
    WORKING = auto()  # a command is whole and its reply is awaited, or a connection for it
    STREAMING = auto()  # a command that is too large to hold passes through
    CHANGING = auto()  # another user logs in on the same connection
    UPLOADING = auto()  # the client sends a file that the server asked for
    DUMPING = auto()  # a client that is a replica gets events, and may acknowledge them
    CLOSED = auto()


# Python 3.11 takes 0.1 us to look a member up through its class; these are compared several times per command.
IDLE: Final = Phase.IDLE
WORKING: Final = Phase.WORKING
STREAMING: Final = Phase.STREAMING
CHANGING: Final = Phase.CHANGING
UPLOADING: Final = Phase.UPLOADING
DUMPING: Final = Phase.DUMPING
CLOSED: Final = Phase.CLOSED

TRANSITIONS: Final = {
    IDLE: frozenset({WORKING, STREAMING, CHANGING, CLOSED}),
    WORKING: frozenset({IDLE, UPLOADING, DUMPING, CLOSED}),
    STREAMING: frozenset({WORKING, IDLE, CLOSED}),
    CHANGING: frozenset({IDLE, CLOSED}),
    UPLOADING: frozenset({WORKING, IDLE, CLOSED}),
    DUMPING: frozenset({IDLE, CLOSED}),
    CLOSED: frozenset[Phase](),
}
