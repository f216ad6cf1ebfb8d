"""What a transaction has read on a replica, kept so that it can be read again. Pure."""

from dataclasses import dataclass
from typing import Final

from proxy.routing.policy import Route
from proxy.session.memory import Memory
from proxy.session.request import Request
from proxy.wire import constants as c
from proxy.wire.exchange import Reply

# So many reads of one transaction, of so many bytes together, are read again; what comes then runs on the primary.
_MOST: Final = 1000
_LARGEST: Final = 1 << 20
# No transaction has this number.
_NONE: Final = -1
# COM_STMT_EXECUTE: header, command, statement; then flags that ask for a cursor.
_CURSOR_AT: Final = c.HEADER_SIZE + 5


@dataclass(frozen=True, slots=True)
class SeenRead:
    """One read: the request that repeats it on the primary, and what it gave (`proxy.wire.rowdigest`)."""

    request: Request
    value: tuple[int, int]


class SeenReads:
    """Those of the session's transaction number `number`. `caches`: the client keeps column definitions.

    They are held in `memory`.
    """

    def __init__(self, memory: Memory, *, caches: bool) -> None:
        self._memory = memory
        self.number = 0
        self.reads: list[SeenRead] = []
        self._caches = caches
        self._size = 0

    def of(self, number: int) -> list[SeenRead]:
        """Those of transaction `number`; what is kept of any other is forgotten."""
        if self.number != number:
            self._memory.take(-self._size)
            self.number, self.reads, self._size = number, [], 0
        return self.reads

    def repeatable(self, request: Request, number: int) -> bool:
        """Whether a read of transaction `number` could be kept, and repeated as it is."""
        full = len(self.of(number)) >= _MOST or self._size + len(request.packet) > _LARGEST
        if full or self._memory.full or request.streamed or request.named:
            return False
        prepared = request.prepared
        if prepared is None:
            return True
        cursor = request.packet[_CURSOR_AT : _CURSOR_AT + 1] not in (b"\0", b"\x08")
        return not (self._caches or cursor or prepared.held or request.code != c.COM_STMT_EXECUTE)

    def keep(self, request: Request, number: int, value: tuple[int, int], route: Route) -> None:
        """A read of transaction `number` gave `value`; it is repeated by `route`."""
        packet, prepared = request.packet, request.prepared
        if prepared is not None and prepared.types and not prepared.types_in(packet):
            packet = prepared.with_types(packet)
        again = Request(packet, request.statement, route, Reply.RESULT, prepared)
        self.of(number).append(SeenRead(again, value))
        self._size += len(packet)
        self._memory.take(len(packet))

    def end(self) -> None:
        """The session has ended."""
        self.of(_NONE)
