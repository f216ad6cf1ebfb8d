"""Performs what `proxy.session.core.remedies` decides about an error of which the client has seen nothing."""

import asyncio
import logging
from dataclasses import replace
from typing import Final, Protocol

from proxy.backend.connection import BackendConnection, Owner
from proxy.routing.policy import Target, route_to
from proxy.session.core.machine import Machine
from proxy.session.core.remedies import MOST_REPEATS, REFUSED_AS_WRITE, UNTIL_SEEN, Remedy, remedy
from proxy.session.core.request import Prelude, Request
from proxy.session.running.preludes import PreludeRun
from proxy.session.shared.context import Context
from proxy.sql.cache import REFUSED_BY_REPLICA
from proxy.wire import constants as c
from proxy.wire.commands import closing
from proxy.wire.exchange import Exchange
from proxy.wire.framing import frame
from topology.servers import Server

log = logging.getLogger(__name__)

_PING: Final = Prelude(frame(bytes((c.COM_PING,)), 0))
# In seconds: so long servers are given to close other sessions' statements, and longer with each attempt.
_PATIENCE: Final = 0.02


class Attempts(Owner, Protocol):
    """Where a request can be tried again, or its reply be accepted."""

    def dispatch(self, request: Request) -> None:
        """Find another server for `request`."""

    def dispatch_later(self, request: Request, delay: float) -> None:
        """The same in `delay` seconds."""

    def proceed(self, link: BackendConnection, request: Request) -> None:
        """Run `request` on this connection."""

    def accept(self, request: Request, exchange: Exchange, link: BackendConnection, reply: bytes) -> None:
        """Give the client `reply` after all."""


class Recovery:
    """One session's ways out. `name` is the client's, for the log."""

    def __init__(self, context: Context, machine: Machine, name: str, attempts: Attempts) -> None:
        self._context = context
        self._machine = machine
        self._name = name
        self._attempts = attempts

    def begin(
        self, request: Request, link: BackendConnection, exchange: Exchange, reply: bytes, on_primary: bool
    ) -> bool:
        """Whether something is done about a request that was answered with an error, so that the client must wait."""
        match remedy(request, exchange.errno, on_primary):
            case Remedy.PASS_ON:
                return False
            case Remedy.ASK_WHETHER_ALIVE:
                self._make_sure(request, link, exchange, reply)
            case Remedy.PREPARE_AGAIN:
                self._prepare_again(request, link)
            case Remedy.MAKE_ROOM:
                return self.make_room(request, link)
            case Remedy.AWAIT_PRIMARY:
                return self._await_primary(request)
            case Remedy.ASK_PRIMARY:
                self._ask_primary(request, link.server, exchange.errno)
        return True

    def _await_primary(self, request: Request) -> bool:
        """The primary has become read-only, or shuts down: another one takes its place, or it is back soon."""
        context, now = self._context, asyncio.get_running_loop().time()
        request.given_up = request.given_up or now + context.settings.primary_wait
        expected = context.monitor.accepted_writes and context.gate.patient and now < request.given_up
        if not (expected and self._machine.movable):
            return False
        context.monitor.look()
        self._attempts.dispatch_later(request, UNTIL_SEEN)
        return True

    def _ask_primary(self, request: Request, server: Server, errno: int) -> None:
        log.debug("%s: %s answered error %d; asking the primary", self._name, server, errno)
        if errno in REFUSED_AS_WRITE:
            self._learn_write(request, server)
        request.route = route_to(Target.PRIMARY, f"replica-error:{errno}")
        self._attempts.dispatch(request)

    def _learn_write(self, request: Request, server: Server) -> None:
        log.warning("%s: %s refused a statement as a write that was taken for a read", self._name, server)
        if self._context.cache is not None:
            self._context.cache.learn_write(self._machine.requests.text(request))
        self._machine.refused_as_write(request, replace(REFUSED_BY_REPLICA, tally=request.statement.tally))

    def _make_sure(self, request: Request, link: BackendConnection, exchange: Exchange, reply: bytes) -> None:
        """Give the client the error `reply` if the replica lives on, else run the statement elsewhere."""

        def answered(ping: Exchange, _: bytes) -> None:
            if ping.errno:
                request.avoid |= {link.server.name}
                self._attempts.dispatch(request)
            else:
                self._attempts.accept(request, exchange, link, reply)

        PreludeRun(self._attempts, answered).start(link, _PING)

    def _prepare_again(self, request: Request, link: BackendConnection) -> None:
        """The server wants the statement to be prepared anew, or does not know it any more."""
        assert request.prepared is not None
        request.repeats += 1
        link.write(closing(link.seen.forget(request.prepared.form)))
        self._attempts.proceed(link, request)

    def make_room(self, request: Request, link: BackendConnection) -> bool:
        """Have idle statements closed on a server that takes no more, and try again; False if there are none left.

        Those of this session first. Other sessions are asked for theirs, which takes their connections a moment.
        """
        request.repeats += 1
        if request.repeats > MOST_REPEATS:
            return False
        if closes := self._machine.relief(link.seen):
            link.write(closes)
            self._attempts.proceed(link, request)
            return True
        if not self._context.relieve(link.server):
            return False
        self._attempts.dispatch_later(request, _PATIENCE * request.repeats)
        return True
