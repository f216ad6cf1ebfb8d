"""The states of a client session after its login, and the one table of what may follow what."""

from enum import Enum, auto
from typing import Final


class Phase(Enum):
    """What a session is doing."""

    IDLE = auto()  # waits for a command
    WORKING = auto()  # a command is whole and its reply is awaited, or a connection for it
    STREAMING = auto()  # a command that is too large to hold passes through
    CLOSED = auto()


TRANSITIONS: Final = {
    Phase.IDLE: frozenset({Phase.WORKING, Phase.STREAMING, Phase.CLOSED}),
    Phase.WORKING: frozenset({Phase.IDLE, Phase.CLOSED}),
    Phase.STREAMING: frozenset({Phase.WORKING, Phase.IDLE, Phase.CLOSED}),
    Phase.CLOSED: frozenset[Phase](),
}
