"""The twin of a session's read-only transaction: the connection to a replica where its plain reads run, and its end."""

from collections.abc import Callable

from proxy.backend.connection import BackendConnection, Owner
from proxy.session.core.machine import Machine
from proxy.session.core.request import Request
from proxy.session.core.wording import in_progress, snapshot_lost
from proxy.session.running.preludes import PreludeRun
from proxy.wire import constants as c
from proxy.wire.exchange import Exchange
from proxy.wire.replies import Err


class Twin:
    """One session's, one at a time. `done` is called when one was ended after all, which the next request waits for.

    `open` says that there is one, or that it is just being ended; `ending` that it is.
    """

    def __init__(self, machine: Machine, owner: Owner, done: Callable[[], None]) -> None:
        self.open = False
        self.ending = False
        self._machine = machine
        self._owner = owner
        self._done = done
        self._link: BackendConnection | None = None
        self._written = 0
        self._shown = False
        self._in_progress = False

    def wanted(self, written: int) -> None:
        """A read arrived that begins one, when so many writes had been acknowledged."""
        self._written = written

    def begun(self, link: BackendConnection) -> None:
        """It began on `link`."""
        self.open = True
        self._link, self._shown, self._in_progress = link, False, False
        self._machine.state.twins.use()

    def conflict(self, request: Request, written: int) -> Err | None:
        """The error for a statement that would read on the primary what was not there for the reads before it.

        From then on such transactions of the session have no twin, so that it does not happen again.
        """
        if not self._machine.leaves_twin(request) or not self._shown or written == self._written:
            return None
        return snapshot_lost(request.route.reason)

    def too_late(self, request: Request) -> Err | None:
        """The error for what can only be said before a transaction, if that has begun by itself on the replica and the
        primary knows nothing of it."""
        within = self._in_progress and self._link is not None and self.holds(self._link)
        return in_progress() if within and self._machine.is_for_next(request) else None

    def holds(self, link: BackendConnection) -> bool:
        """Whether the client has seen something of a snapshot that would be lost with `link`."""
        return link is self._link and self._shown and self._machine.twin_over(link.seen) is None

    def request_over(self, link: BackendConnection | None, status: int = -1) -> None:
        """A request is over, which ran on `link` and was told the `status`, unless that is negative: end the twin if
        its transaction is."""
        assert self._link is not None
        if link is self._link:
            self._shown = True
            if status >= 0:
                self._in_progress = bool(status & c.SERVER_STATUS_IN_TRANS)
        end = self._machine.twin_over(self._link.seen)
        if end is None or not self._link.at_rest:
            return
        self.ending = True
        PreludeRun(self, self._ended).start(self._link, end)

    def _ended(self, exchange: Exchange, _: bytes) -> None:
        if self._link is not None:
            self._link.seen.transaction = 0
            if exchange.errno:
                self._link.abort("it does not end a transaction")
        self._forget()

    def _forget(self) -> None:
        waited, self.open, self.ending, self._link = self.ending, False, False, None
        if waited:
            self._done()

    def lost(self, link: BackendConnection) -> None:
        """A connection is gone."""
        if link is self._link:
            self._forget()

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        """Called by the connection."""
        self._owner.connection_broken(connection, reason)

    def pause_client(self) -> None:
        """Called by the connection; nothing of the client's is sent."""

    def resume_client(self) -> None:
        """Called by the connection."""
