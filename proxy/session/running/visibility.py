"""What one session's writes mean to all others' reads, and what its own reads have seen."""

from proxy.routing.consistency import Consistency
from proxy.session.core.outcomes import Outcomes
from proxy.session.core.request import Request
from proxy.sql.statement import SESSION
from proxy.wire import constants as c
from topology.servers import Server
from topology.watch import Watch


class Visibility:
    """Tells the monitor. A statement that defines something may show in any table from when it is sent on."""

    def __init__(self, monitor: Watch, outcomes: Outcomes, consistency: Consistency) -> None:
        self._monitor = monitor
        self._outcomes = outcomes
        self._consistency = consistency
        self._defining = False

    def sent(self, request: Request) -> None:
        """A request is on its way to a server."""
        if request.statement.defines and not self._defining and request.code != c.COM_STMT_PREPARE:
            self._defining = True
            self._monitor.begin_definition()

    def wrote(self, request: Request) -> None:
        """What the request has written may be seen from now on."""
        self._end_definition()
        self._monitor.note_write(self._outcomes.written, defines=request.statement.defines)
        self._consistency.own = self._monitor.freshness.written

    def read(self, request: Request, server: Server, *, within: bool) -> None:
        """A request was answered; `within` a transaction of the primary, what it saw counts from the end of that on."""
        if not within and request.statement.kind is not SESSION:
            self._consistency.read_at(server.name)

    def give_up(self) -> None:
        """The session ends; what it has defined may be carried out all the same."""
        if self._defining:
            self._end_definition()
            self._monitor.note_write(None, defines=True)

    def _end_definition(self) -> None:
        if self._defining:
            self._defining = False
            self._monitor.end_definition()
