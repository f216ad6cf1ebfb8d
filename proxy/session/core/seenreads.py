"""What a transaction has read on a replica, kept so that it can be read again. Pure."""

from typing import Final

from proxy.routing.policy import Route
from proxy.session.core.memory import Memory
from proxy.session.core.request import Ran, Request
from proxy.wire import constants as c
from proxy.wire.exchange import Reply

# So many reads of one transaction, of so many bytes together, are read again; what comes then runs on the primary.
_MOST: Final = 1000
_LARGEST: Final = 1 << 20
# No transaction has this number.
_NONE: Final = -1
# COM_STMT_EXECUTE: header, command, statement; then flags that ask for a cursor.
_CURSOR_AT: Final = c.HEADER_SIZE + 5


def not_as_it_is(request: Request, *, caches: bool) -> str:
    """Why a text or an execution cannot be run again with the same packet; empty if it can.

    `caches`: the client keeps column definitions.
    """
    if request.streamed:
        return "too-large"
    if request.named:
        return "text-prepared"
    prepared = request.prepared
    if prepared is None:
        return ""
    if request.code != c.COM_STMT_EXECUTE:
        return "bulk"
    if prepared.held or prepared.spilled is not None:
        return "long-data"
    if request.packet[_CURSOR_AT : _CURSOR_AT + 1] not in (b"\0", b"\x08"):
        return "cursor"
    return "cached-metadata" if caches else ""


def to_repeat(request: Request, route: Route) -> Request:
    """What runs the same by `route` on another connection, where no parameter types were sent before."""
    packet, prepared = request.packet, request.prepared
    if prepared is not None and prepared.types and not prepared.types_in(packet):
        packet = prepared.with_types(packet)
    return Request(packet, request.statement, route, Reply.RESULT, prepared)


class SeenReads:
    """Those of the session's transaction number `number`. `caches`: the client keeps column definitions.

    They are held in `memory`.
    """

    def __init__(self, memory: Memory, *, caches: bool) -> None:
        self._memory = memory
        self.number = 0
        self.reads: list[Ran] = []
        self._caches = caches
        self._size = 0

    def of(self, number: int) -> list[Ran]:
        """Those of transaction `number`; what is kept of any other is forgotten."""
        if self.number != number:
            self._memory.take(-self._size)
            self.number, self.reads, self._size = number, [], 0
        return self.reads

    def repeatable(self, request: Request, number: int) -> bool:
        """Whether a read of transaction `number` could be kept, and repeated as it is."""
        full = len(self.of(number)) >= _MOST or self._size + len(request.packet) > _LARGEST
        return not (full or self._memory.full or not_as_it_is(request, caches=self._caches))

    def keep(self, request: Request, number: int, value: tuple[int, ...], route: Route) -> None:
        """A read of transaction `number` gave `value`; it is repeated by `route`."""
        again = to_repeat(request, route)
        self.of(number).append(Ran(again, value))
        self._size += len(again.packet)
        self._memory.take(len(again.packet))

    def end(self) -> None:
        """The session has ended."""
        self.of(_NONE)
