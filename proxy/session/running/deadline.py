"""Statements that run for longer than they may: killed on their server, from another connection in the client's name.

Servers can do so by themselves, MariaDB for all statements (max_statement_time), MySQL for reads (max_execution_time),
and are asked to where the time is the same for all statements of a session. The proxy kills what is left: it is late by
a little there, so that it is the server's own error that the client sees.

A KILL QUERY hits what runs when it comes, and nothing where nothing runs (observed on both vendors). So it is sent only
while the statement is at work, and until it is answered nothing else may be sent on that connection, by anybody.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from proxy.backend.connection import BackendConnection
from proxy.backend.login import Identity, open_connection
from proxy.backend.reaper import Leftover
from proxy.errors import ServerLost, ServerRefused
from proxy.session.core.request import Request
from proxy.session.core.sentence import Sentence
from proxy.session.running.turn import Turn
from proxy.session.shared.configured import timeout_of
from proxy.session.shared.context import Context
from proxy.sql.effects import SetVariable
from proxy.sql.kill import Kill
from proxy.sql.statement import READ, TRANSACTION
from proxy.wire import constants as c
from proxy.wire.commands import EXECUTIONS
from proxy.wire.exchange import Exchange, Reply
from topology.servers import Vendor

log = logging.getLogger(__name__)

_TIMED: Final = frozenset({c.COM_QUERY, *EXECUTIONS})
# In seconds: so much longer a server gets that has to end a statement by itself; and after so long it is killed again.
_LATE: Final = 1.0
_AGAIN: Final = 3.0


class Deadline:
    """That of one session's statements, one at a time. `seconds` is for all of them, 0 for no end; rules may want less.

    `under_way` is set while a KILL is; `over` is called behind it, with the connection.
    """

    def __init__(
        self,
        context: Context,
        identity: Identity,
        turn: Turn,
        sentence: Sentence,
        over: Callable[[BackendConnection], None],
    ) -> None:
        self.seconds = timeout_of(context.settings, identity.user)
        self.under_way = False
        self._context = context
        self._identity = identity
        self._turn = turn
        self._sentence = sentence
        self._over = over
        observation = context.monitor.snapshot.primary.observation
        self._vendor = observation.vendor if observation is not None else None
        self._request: Request | None = None
        self._until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def setting(self) -> SetVariable | None:
        """What the servers of the session are told."""
        if not self.seconds or self._vendor is None:
            return None
        if self._vendor is Vendor.MARIADB:
            return SetVariable("max_statement_time", f"{self.seconds:.6f}")
        return SetVariable("max_execution_time", str(max(1, round(self.seconds * 1000))))

    def limit_of(self, request: Request) -> float:
        """How long a request may run, in seconds; 0 for any time."""
        return min(filter(None, (self.seconds, request.limit)), default=0.0)

    def begin(self, request: Request) -> None:
        """A request was sent to a server."""
        seconds = self._seconds_of(request)
        if not seconds:
            return
        loop = asyncio.get_running_loop()
        self._request, self._until = request, loop.time() + seconds
        if self._timer is not None and self._timer.when() > self._until:
            self._timer.cancel()
            self._timer = None
        self._wait(loop)

    def _seconds_of(self, request: Request) -> float:
        """How long it may run, as far as it is for the proxy to end it."""
        if request.code not in _TIMED or request.kill is not None or request.statement.kind is TRANSACTION:
            return 0.0
        own = self.seconds
        if own and (self._vendor is Vendor.MARIADB or request.statement.kind is READ):
            own += _LATE
        return min(own, request.limit) if own and request.limit else own or request.limit

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is None:
            # It outlasts the request: making one for each would cost more.
            self._timer = loop.call_at(self._until, self._look)

    def _look(self) -> None:
        self._timer = None
        request, loop = self._request, asyncio.get_running_loop()
        if request is None or not self._at_work(request) or self.under_way:
            self._request = None
        elif loop.time() < self._until:
            self._wait(loop)
        else:
            assert self._turn.link is not None
            self.under_way = True
            self._sentence.passed(None, connection=False)
            self._context.spawn(self._end(self._turn.link, request))

    def _at_work(self, request: Request) -> bool:
        """Whether a server works on `request`, and not on what comes before or instead of it."""
        turn = self._turn
        return turn.request is request and turn.exchange is not None and turn.link is not None and not turn.link.at_rest

    def _works_on(self, link: BackendConnection, request: Request) -> bool:
        """Whether it is still this server that does."""
        return link is self._turn.link and self._at_work(request)

    async def _end(self, link: BackendConnection, request: Request) -> None:
        try:
            await self._kill(link, request)
        except (ServerLost, TimeoutError) as error:
            log.warning("%s: thread %d can be killed no more: %s", link.server, link.thread, error)
            if self._works_on(link, request):
                link.abort("it ran for longer than it may, and the server does not answer a KILL")
        except ServerRefused as error:
            log.warning("%s: thread %d runs on for longer than it may: %s", link.server, link.thread, error)
        finally:
            if self._works_on(link, request):
                # It may take its time to end, or not have been hit at all.
                loop = asyncio.get_running_loop()
                self._until = loop.time() + _AGAIN
                self._wait(loop)
            self.under_way = False
            self._sentence.lifted(None, struck=False, connection=False)
            self._over(link)

    async def _kill(self, link: BackendConnection, request: Request) -> None:
        verdict, within = Leftover(), self._context.settings.connect_timeout
        async with asyncio.timeout(within):
            plain = replace(self._identity, database="")
            killer = await open_connection(link.server, plain, verdict, within, self._context.greetings)
            try:
                if self._works_on(link, request):
                    packet = Kill(None, words=b"KILL QUERY").packet(link.thread, killer.capabilities)
                    killer.send(packet, Exchange(Reply.RESULT, killer.layout), verdict)
                    await verdict.over
                    self._context.timed_out += 1
                    log.info("%s: killed a statement of thread %d in its time", link.server, link.thread)
            finally:
                killer.close()

    def end(self) -> None:
        """The session has ended. Safe to call twice."""
        self._request = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
