"""Back-pressure: a side that does not keep up stops the other side from being read."""

import asyncio
from enum import Enum, auto


class Hold(Enum):
    """Why a client is not read for now."""

    BACKEND_FULL = auto()  # its server takes no more bytes
    INBOX_FULL = auto()  # it sends commands faster than they are answered
    NO_SERVER_YET = auto()  # a large command waits for its connection


class ReadGate:
    """Pauses reading from a transport while there is any reason to."""

    __slots__ = ("_holds", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._holds: set[Hold] = set()

    def held(self, reason: Hold) -> bool:
        """Whether reading is stopped for `reason`."""
        return reason in self._holds

    def hold(self, reason: Hold) -> None:
        """Stop reading for `reason`."""
        if not self._holds and not self._transport.is_closing():
            self._transport.pause_reading()
        self._holds.add(reason)

    def release(self, reason: Hold) -> None:
        """`reason` is over; reading goes on when it was the last one."""
        if reason in self._holds:
            self._holds.discard(reason)
            if not self._holds and not self._transport.is_closing():
                self._transport.resume_reading()
