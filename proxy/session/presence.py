"""A session as the rest of the process sees it: what is shown of it, what is told to it, and what KILLs do to it."""

from collections.abc import Callable, Iterator
from typing import Protocol

from proxy.admin.views import PoolFigure, SessionView
from proxy.backend.login import Identity
from proxy.routing.rules import Rules
from proxy.session.core.machine import Machine
from proxy.session.core.phases import DUMPING, IDLE, Phase
from proxy.session.running.runner import Runner
from proxy.wire.replies import Err
from topology.consistency import Level
from topology.servers import Server


class Inside(Protocol):
    """The session itself. With COM_CHANGE_USER its identity, its machine and its runner become others."""

    identity: Identity
    machine: Machine
    runner: Runner
    phase: Phase
    statements: int

    def close(self) -> None:
        """End it."""


class Presence:
    """That of one session. `number` is the connection id that its client was greeted with."""

    def __init__(self, session: Inside, number: int) -> None:
        self._session = session
        self._counted = -1
        self.number = number
        self.address = session.identity.origin.address

    @property
    def user(self) -> str:
        """Whose session it is."""
        return self._session.identity.user

    # --- what is shown -----------------------------------------------------------------------------------------------

    def view(self) -> SessionView:
        """What is shown of the session."""
        session = self._session
        state, insight = session.machine.state, session.runner.insight
        at_work = insight.at_work
        return SessionView(
            number=self.number,
            user=self.user,
            client=":".join(map(str, session.identity.origin.client)),
            schema=state.schema,
            phase=session.phase.name.lower(),
            pins=tuple(state.pins.reasons()),
            in_transaction=state.in_transaction,
            server=at_work.name if at_work is not None else "",
            connections=tuple(link.server.name for link in insight.connections),
            statements=session.statements,
            replay=insight.replay,
            holds=state.holds,
        )

    def figures(self) -> Iterator[PoolFigure]:
        """The session's server connections, and the one that it waits for."""
        insight = self._session.runner.insight
        for link in insight.connections:
            yield PoolFigure(link.server.name, self.user, 1, int(not link.at_rest), int(link.at_rest))
        if (waiting := insight.waiting) is not None:
            yield PoolFigure(waiting.name, self.user, waiting=1)

    # --- KILL --------------------------------------------------------------------------------------------------------

    def goes_by(self, number: int) -> bool:
        """Whether a client may mean this session with the connection id `number`."""
        return number == self.number or number == self._session.runner.insight.primary_thread

    def thread(self) -> tuple[Server, int] | None:
        """The server where a statement runs, the primary if none does, and the id of the thread there."""
        return self._session.runner.victim.thread()

    def summon(self, done: Callable[[Err | None], None]) -> None:
        """Get the session a thread on the primary."""
        self._session.runner.victim.summon(done)

    def condemn(self, *, connection: bool) -> None:
        """A KILL is under way to the session's thread."""
        self._session.runner.victim.condemn(connection=connection)

    def pardon(self, *, struck: bool, connection: bool) -> None:
        """It is over, and the session is not closed."""
        self._session.runner.victim.pardon(struck=struck, connection=connection)

    def interrupt(self) -> None:
        """End the statement that waits for a connection, if there is one."""
        self._session.runner.victim.interrupt()

    # --- what the whole proxy tells ----------------------------------------------------------------------------------

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def drain(self) -> None:
        """Close as soon as nothing would be lost: between commands and outside of a transaction."""
        session = self._session
        if session.phase is DUMPING or (session.phase is IDLE and session.runner.insight.at_rest):
            session.close()

    def leave_if_silent(self) -> None:
        """The same if there was no statement since this was called before."""
        statements = self._session.statements
        silent, self._counted = self._counted == statements, statements
        if silent:
            self.drain()

    def follow(self) -> None:
        """Called when servers are not what they were."""
        self._session.runner.follow()

    @property
    def engaged(self) -> bool:
        """Whether something is under way that has to end before the primary can be changed without an error."""
        return self._session.runner.insight.engaged

    def abandon(self, server: Server) -> None:
        """Called when `server` does not answer its probes."""
        self._session.runner.abandon(server)

    def heed(self, level: Level, rules: Rules | None) -> None:
        """Called when the settings have changed."""
        self._session.runner.heed(level)
        self._session.machine.requests.rules = rules

    def relieve(self, server: Server) -> bool:
        """Called when `server` takes no more prepared statements."""
        return self._session.runner.relieve(server)
