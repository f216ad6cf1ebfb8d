"""How much the proxy holds for its clients and servers, all sessions together, and what becomes of more.

Counted are commands until they are answered, long data, what was read for a transaction that may have to be repeated,
and replies that clients do not take. Not counted is what every session may have at any time: its state, the prepared
statements' texts, and up to 64 KiB each way. Pure.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

from proxy.session.core.inbox import Inbox
from proxy.wire import constants as c
from proxy.wire.replies import Err

# In seconds: as servers do (net_write_timeout, 60 by default), but only while the memory is needed.
_STUCK: Final = 60.0


class Buffering(Protocol):
    """A client's transport."""

    def get_write_buffer_size(self) -> int:
        """How many bytes its client has not taken."""


class Memory:
    """One process's. No more than `limit` bytes are meant to be `held`, 0 for any number; from then on it is `full`.

    `shed` counts what was refused or ended for it: logins, statements, clients.
    """

    __slots__ = ("_limit", "full", "held", "holdings", "shed")

    def __init__(self, limit: int = 0) -> None:
        self._limit = limit
        self.held = 0
        self.full = False
        self.holdings: dict[Holdings, None] = {}
        self.shed: Counter[str] = Counter()

    @property
    def limit(self) -> int:
        """How much is meant to be held at most."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        self._limit = limit
        self.take(0)

    def take(self, size: int) -> None:
        """So many more bytes are held, or fewer."""
        self.held += size
        self.full = 0 < self._limit <= self.held

    def refused(self, what: str) -> Err:
        """What is answered to one more `what`."""
        self.shed[what] += 1
        message = f"Out of memory: the proxy holds {self.held} bytes for its clients already (memory_limit)"
        return Err(c.ER_OUT_OF_RESOURCES, message)

    def look(self, now: float) -> None:
        """Count anew what is held; while it is too much, part from clients that have taken nothing of it for long."""
        for holding in list(self.holdings):
            holding.weigh()
            if self.full and holding.stuck(now):
                self.shed["client"] += 1
                holding.part()


class Holdings:
    """What one session holds: what came into its `inbox` and was not taken, its `command` (bytes), and its replies.

    `at_work` tells whether it is a server that it waits for, and not its client; `part` ends it.
    """

    __slots__ = ("_at_work", "_inbox", "_memory", "_noted", "_since", "_transport", "command", "held", "part")

    def __init__(
        self,
        memory: Memory,
        inbox: Inbox,
        transport: Buffering,
        at_work: Callable[[], bool],
        part: Callable[[], None],
    ) -> None:
        self._memory = memory
        self._inbox = inbox
        self._transport = transport
        self._at_work = at_work
        self._noted = 0
        self._since = 0.0
        self.command = 0
        self.held = 0
        self.part = part

    def weigh(self) -> None:
        """Count what is held now."""
        held = len(self._inbox) + self.command + self._transport.get_write_buffer_size()
        if held == self.held:
            return
        self._memory.take(held - self.held)
        self.held = held
        if held:
            self._memory.holdings[self] = None
        else:
            self._memory.holdings.pop(self, None)

    def over(self) -> None:
        """The command is answered."""
        self.command = 0
        self.weigh()

    def stuck(self, now: float) -> bool:
        """Whether the client has neither taken anything of what is held nor sent the rest, for too long."""
        if self._at_work() or self.held != self._noted:
            self._noted, self._since = self.held, now
        return now - self._since >= _STUCK

    def end(self) -> None:
        """The session has ended."""
        self._memory.take(-self.held)
        self._memory.holdings.pop(self, None)
        self.held = 0
