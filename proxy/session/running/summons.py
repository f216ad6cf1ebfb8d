"""Those who wait for a session to have a thread on the primary."""

from collections.abc import Callable

from proxy.backend.connection import BackendConnection
from proxy.backend.places import Holder
from proxy.errors import ServerLost, ServerRefused
from proxy.session.core.wording import session_over
from proxy.session.running.servers import Servers
from proxy.wire.replies import Err
from topology.watch import Watch

Summoned = Callable[[Err | None], None]


class Summons:
    """One session's; `holder` gets the connection. `over` is called when nobody waits any more."""

    def __init__(self, monitor: Watch, servers: Servers, holder: Holder, over: Callable[[], None]) -> None:
        self._monitor = monitor
        self._servers = servers
        self._holder = holder
        self._over = over
        self._waiting: list[Summoned] = []
        self._ended = False

    @property
    def pending(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiting)

    def add(self, done: Summoned) -> None:
        """Get a connection to the primary, or wait for the one that is just being got, and call `done`."""
        if self._ended:
            done(session_over())
            return
        self._waiting.append(done)
        self.renew()

    def renew(self) -> None:
        """Get the connection that is waited for, unless one is just being got."""
        if self._waiting and self._servers.awaited is None:
            self._servers.open(self._monitor.snapshot.primary.server, self._holder, self.answer)

    def answer(self, outcome: BackendConnection | ServerLost | ServerRefused) -> None:
        """A connection was got, or not."""
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done(None if isinstance(outcome, BackendConnection) else outcome.err)
        self._over()

    def end(self) -> None:
        """The session has ended: it gets no thread any more. Safe to call twice."""
        self._ended = True
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done(session_over())
