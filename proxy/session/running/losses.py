"""What becomes of a session, and of its request, when a server connection is lost."""

import functools
import logging
from collections.abc import Callable
from typing import Protocol

from proxy.backend.connection import BackendConnection
from proxy.backend.login import server_lost
from proxy.routing.told import Told
from proxy.session.core.remedies import (
    MOST_REPEATS,
    UNTIL_SEEN,
    may_move,
    may_read_again,
    may_start_over,
    next_sequence,
)
from proxy.session.core.request import Request
from proxy.session.core.wording import MOVED
from proxy.session.running.common import Common
from proxy.session.running.promotion import Promotion
from proxy.session.running.replay import Replay
from proxy.wire import constants as c
from proxy.wire.framing import frame
from proxy.wire.replies import Err, err_payload
from topology.servers import Server

log = logging.getLogger(__name__)


class Attempts(Protocol):
    """Where a request is run again, or is given up."""

    @property
    def closed(self) -> bool:
        """Whether the session has ended."""

    def dispatch(self, request: Request) -> None:
        """Run it on the next server that is fit."""

    def dispatch_later(self, request: Request, delay: float) -> None:
        """The same in `delay` seconds."""

    def give_up(self) -> None:
        """It is over for the client; nothing more will come of it."""

    def may_part(self, link: BackendConnection) -> bool:
        """Whether the session can do without a connection that is at rest."""

    def part(self, link: BackendConnection, done: Callable[[Told | None], None]) -> None:
        """Do without it, and call `done` with what it has, or with None if that cannot be."""


class Losses:
    """One session's.

    `outdated` is set while a connection leads to a server that is not what it was, and is still at work; `bereft` from
    when state of the session was lost with the primary's connection.
    """

    def __init__(self, common: Common, promotion: Promotion, replay: Replay | None, attempts: Attempts) -> None:
        self._monitor = common.context.monitor
        self._turn = common.turn
        self._machine = common.machine
        self._servers = common.servers
        self._client = common.client
        self._killer = common.killer
        self._twin = common.twin
        self._promotion = promotion
        self._replay = replay
        self._visibility = common.visibility
        self._sentence = common.sentence
        self._attempts = attempts
        self.outdated = False
        self.bereft = False
        self._name = common.name

    def abandon(self, server: Server) -> None:
        """`server` does not answer its probes: a read that waits for its first byte from there need not wait longer."""
        link = self._servers.links.get(server.name)
        if link is None or self._servers.is_primary(server) or (link is self._turn.link and self._turn.forwarded):
            return
        link.abort("it does not answer")

    def follow(self) -> None:
        """Servers are not what they were: give up the connections to those of before, once they are at rest."""
        for link in list(self._servers.links.values()):
            if not self._monitor.current(link.server):
                self._part(link)

    def _part(self, link: BackendConnection) -> None:
        if link.at_rest and link is not self._turn.link:
            if self._monitor.answers(link.server) and self._attempts.may_part(link):
                # It can still be asked for what the session needs of it.
                self._attempts.part(link, functools.partial(self._parted, link))
            else:
                self._parted(link, None)
        elif self._monitor.answers(link.server):
            self.outdated = True
        else:
            # Nothing more is to be expected of it.
            link.abort(MOVED)

    def _parted(self, link: BackendConnection, told: Told | None) -> None:
        farewell = Err(c.ER_SERVER_SHUTDOWN, f"{link.server}: {MOVED}", "08S01")
        link.farewell = frame(err_payload(farewell), 0)
        link.close()
        if told is None:
            self.connection_broken(link, MOVED)

    def catch_up(self) -> None:
        """A request is over: give up what had to wait for that."""
        self.outdated = False
        self.follow()

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        """Called by a connection of the session."""
        known = self._servers.links.remove(connection)
        if self._attempts.closed or not known:
            return
        holds = self._twin.holds(connection) and not self._promotion.rescue()
        self._twin.lost(connection)
        if self._sentence.condemned:
            # As a plain server does: it only closes.
            self._client.close()
            return
        self._client.resume_client()
        if self._servers.is_primary(connection.server):
            self._machine.state.lose_connection()
        request = self._turn.request
        if request is not None and self._turn.link is connection:
            self._during_request(request, connection, reason, movable=not holds)
        elif holds or self._takes_state(connection, reason):
            # A plain server would have closed on the client too.
            server = connection.server
            log.info("%s: %s closed its connection, and session state with it: %s", self._name, server, reason)
            self.bereft = True
            self._client.state_lost(connection.farewell)
            if self._turn.link is None:
                # Run on another connection, a COMMIT would succeed that has nothing to commit.
                self._client.refuse_waiting(_not_run(server))

    def _takes_state(self, link: BackendConnection, reason: str, request: Request | None = None) -> bool:
        """Whether state of the session is lost with a connection on which nothing ran."""
        if not self._servers.is_primary(link.server) or self._machine.movable:
            return False
        return self._replay is None or not self._replay.saves(link, reason, request)

    def refuse_bereft(self, server: Server) -> None:
        """Another server had a command, but cannot do it, and the primary would do it without what was lost there."""
        self._client.lose(_not_run(server), 1)

    def not_taken(self, request: Request, link: BackendConnection, farewell: bytes) -> None:
        """The server had closed the connection before it read the request: its last words have the number 0."""
        log.info("%s: %s closed its connection, which idled", self._name, link.server)
        self._servers.remove(link)
        link.close()
        self._turn.unsent()
        if self._servers.is_primary(link.server):
            self._machine.state.lose_connection()
        link.farewell = farewell
        lost_state = self._takes_state(link, MOVED, request)
        if request.streamed or lost_state or request.repeats >= MOST_REPEATS:
            self._client.state_lost(farewell)
            self._attempts.give_up()
            return
        self._start_over(request)

    def _start_over(self, request: Request) -> None:
        """Try once more on the same server: from the second time on when what was lost together is known to be."""
        request.repeats += 1
        if request.repeats == 1:
            self._attempts.dispatch(request)
        else:
            self._attempts.dispatch_later(request, UNTIL_SEEN)

    def _during_request(self, request: Request, link: BackendConnection, reason: str, *, movable: bool) -> None:
        if not link.farewell:
            # A server that says why it closes a connection speaks of this one: its client has sent too much, for one.
            self._monitor.report_failure(link.server, reason)
        if self._machine.outcomes.wrote(request):
            self._visibility.wrote(request)
        if link.farewell and request.streamed:
            self._client.state_lost(link.farewell)
            # A command without a reply was over for the client when all of it was sent: then it has left at once.
            if not self._attempts.closed:
                self._attempts.give_up()
        elif not self._runs_again(request, link, reason, movable=movable):
            self._killer.over(c.CR_SERVER_LOST)
            log.warning("%s: lost %s during a statement: %s", self._name, link.server, reason)
            sequence = next_sequence(self._turn.exchange, self._turn.forwarded)
            self._client.lose(server_lost(link.server, reason), sequence)

    def _may_repeat(self, request: Request) -> bool:
        movable = self._machine.movable
        if self._turn.exchange is None:
            return may_start_over(request, movable)
        return may_read_again(request, self._turn.forwarded, movable)

    def _saves(self, link: BackendConnection, reason: str, request: Request) -> bool:
        return self._replay is not None and self._replay.saves(link, reason, request)

    def _runs_again(self, request: Request, link: BackendConnection, reason: str, *, movable: bool) -> bool:
        on_primary = self._servers.is_primary(link.server)
        if movable and may_move(request, self._turn.forwarded, on_primary):
            request.avoid |= {link.server.name}
            self._turn.unsent()
            self._attempts.dispatch(request)
        elif not on_primary or not (self._may_repeat(request) or self._saves(link, reason, request)):
            return False
        elif self._turn.exchange is None:
            self._turn.unsent()
            self._start_over(request)
        else:
            request.lost += 1
            # Other connections to a server that went away may be lost without being known to be.
            self._attempts.dispatch_later(request, UNTIL_SEEN)
        return True


def _not_run(server: Server) -> Err:
    message = f"Lost connection to MySQL server {server}, and the session's state with it; the statement did not run"
    return Err(c.CR_SERVER_LOST, message)
