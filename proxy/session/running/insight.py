"""What can be seen from outside of a session's side towards the servers."""

from proxy.backend.connection import BackendConnection
from proxy.session.core.request import Request
from proxy.session.running.common import Common
from proxy.session.running.deadline import Deadline
from proxy.session.running.replay import Replay
from proxy.session.shared.gate import in_progress
from proxy.wire import constants as c
from topology.consistency import Level
from topology.servers import Server


class Insight:
    """One session's. `replay` is there where lost transactions are run again."""

    def __init__(self, common: Common, deadline: Deadline, replay: Replay | None) -> None:
        self._machine = common.machine
        self._servers = common.servers
        self._turn = common.turn
        self._deadline = deadline
        self._replay = replay

    @property
    def primary_thread(self) -> int:
        """The id of the session's thread on the primary; -1 while it has none."""
        link = self._servers.primary_link
        return link.thread if link is not None else -1

    @property
    def at_work(self) -> Server | None:
        """The server that runs a statement; None between statements."""
        return self._turn.link.server if self._turn.link is not None else None

    @property
    def connections(self) -> list[BackendConnection]:
        """Those that the session has."""
        return list(self._servers.links.values())

    @property
    def waiting(self) -> Server | None:
        """The server to which a connection is being opened."""
        return self._servers.awaited

    @property
    def at_rest(self) -> bool:
        """Whether no transaction is open, neither on the primary nor in its twin."""
        state = self._machine.state
        open_there = state.status & c.SERVER_STATUS_IN_TRANS
        return not open_there and self._servers.links.of_transaction(state.twins.number) is None

    @property
    def engaged(self) -> bool:
        """Whether something is under way that has to end before the primary can be changed without an error."""
        lost = self._replay is not None and self._replay.due
        return (in_progress(self._machine.state) and not lost) or self._turn.at_primary

    @property
    def replay(self) -> str:
        """Whether the open transaction could be run again, or why not; empty without one, or where none is."""
        return self._replay.outlook if self._replay is not None else ""

    @property
    def own(self) -> int:
        """The number of the session's last write."""
        return self._servers.consistency.own

    def level_of(self, request: Request) -> Level:
        """What a read must see."""
        return self._servers.level_of(request)

    def limit_of(self, request: Request) -> float:
        """For how many seconds it may run; 0 for any number."""
        return self._deadline.limit_of(request)

    def foresee(self, request: Request) -> Server | None:
        """The server that `request` would go to now; None when it could not run."""
        request.avoid = self._servers.unfit
        return self._servers.foresee(request)
