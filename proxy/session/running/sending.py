"""Gets a request across a connection: first what that lacks for it, then the request itself."""

import functools
import logging
from time import perf_counter
from typing import Final, Protocol

from proxy.backend.connection import BackendConnection, Owner, Sink
from proxy.session.core.diagnostics import not_the_same
from proxy.session.core.request import Prelude, Request
from proxy.session.running.common import Common
from proxy.session.running.deadline import Deadline
from proxy.session.running.delivery import REMEMBERED, Delivery
from proxy.session.running.metadata import Metadata
from proxy.session.running.preludes import Drain, PreludeRun
from proxy.session.running.promotion import Promotion
from proxy.session.running.recovery import Recovery
from proxy.session.running.replay import Replay
from proxy.wire import constants as c
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.replies import Err
from topology.servers import Role, ServerCompression

log = logging.getLogger(__name__)

_REPLICA: Final = Role.REPLICA


class Dispatcher(Owner, Protocol):
    """Who finds another server for a request."""

    def dispatch(self, request: Request) -> None:
        """Run it on the next one that is fit."""

    def refuse(self, request: Request, err: Err) -> None:
        """Answer it with an error of ours."""


class Sending:
    """One session's. `replay` is there where lost transactions are run again, `metadata` for a client that keeps column
    definitions; `name` is for the log."""

    def __init__(
        self,
        common: Common,
        promotion: Promotion,
        replay: Replay | None,
        recovery: Recovery,
        delivery: Delivery,
        metadata: Metadata | None,
        deadline: Deadline,
        dispatcher: Dispatcher,
    ) -> None:
        self._turn = common.turn
        self._machine = common.machine
        self._steps = common.machine.steps
        self._servers = common.servers
        self._client = common.client
        self._twin = common.twin
        self._promotion = promotion
        self._replay = replay
        self._recovery = recovery
        self._visibility = common.visibility
        self._delivery = delivery
        self._metadata = metadata
        self._deadline = deadline
        self._dispatcher = dispatcher
        self._name = common.name

    def proceed(self, link: BackendConnection, request: Request) -> None:
        """Bring `link` in step with the session, and then send the request."""
        prelude = self._steps.prelude(link.seen, request)
        if prelude is not None:
            request.delayed = request.delayed or perf_counter()
            self._turn.prelude_sent(link)
            done = functools.partial(self._prelude_over, link, request, prelude)
            PreludeRun(self._dispatcher, done).start(link, prelude, self._ahead(link, request))
            return
        try:
            self._send(link, request)
        except MalformedPacket as error:
            log.warning("%s: malformed packet: %s; connection closed", self._name, error)
            self._client.lose(Err(c.ER_NET_PACKETS_OUT_OF_ORDER, "Malformed packet", "08S01"), 1)

    def _ahead(self, link: BackendConnection, request: Request) -> list[bytes]:
        """What is written in one with the next prelude.

        Not on the primary, where a read that is none after all could write, and not where it would be compressed:
        servers number the reply to the second command in one compressed packet as if it went on with the first.
        """
        plain = link.commands is None and link.server.compression is ServerCompression.OFF
        if link.ahead or not plain or self._servers.is_primary(link.server):
            return []
        return self._steps.ahead(link.seen, request)

    def _prelude_over(
        self, link: BackendConnection, request: Request, prelude: Prelude, exchange: Exchange, reply: bytes
    ) -> None:
        if exchange.errno and link.ahead:
            again = functools.partial(self._prelude_failed, link, request, prelude, exchange, reply)
            Drain(self._dispatcher, again).start(link)
        elif prelude.again and exchange.errno != prelude.errno:
            self._not_the_same(link, request, exchange.errno)
        elif exchange.errno and not prelude.again:
            self._prelude_failed(link, request, prelude, exchange, reply)
        else:
            self._steps.prelude_done(prelude, link.seen, exchange)
            if prelude.transaction:
                self._twin.begun(link)
            if self._metadata is not None:
                self._metadata.prepared(prelude, link, reply)
            self.proceed(link, request)

    def _not_the_same(self, link: BackendConnection, request: Request, errno: int) -> None:
        """What is asked about a read cannot be told by running it once more."""
        link.seen.warned, err = True, not_the_same(errno)
        self._machine.last.refused(err)
        self._dispatcher.refuse(request, err)

    def _prelude_failed(
        self, link: BackendConnection, request: Request, prelude: Prelude, exchange: Exchange, reply: bytes
    ) -> None:
        if self._steps.prelude_failed(prelude, link.seen):
            self.proceed(link, request)
        elif exchange.errno == c.ER_MAX_PREPARED_STMT_COUNT_REACHED and self._recovery.make_room(request, link):
            return
        elif self._servers.is_primary(link.server) or request.at is link.server:
            # As if it had been sent just now and had taken the server no time: it waited until here.
            request.sent = perf_counter()
            request.queued = request.sent - request.delayed
            self._delivery.accept(request, exchange, link, reply)
        else:
            # This replica cannot be brought into the session's state; another server may.
            log.info("%s: %s refused to follow the session (error %d)", self._name, link.server, exchange.errno)
            if prelude.reply is not Reply.PREPARED:
                self._servers.unfit |= {link.server.name}
            request.avoid |= {link.server.name}
            self._dispatcher.dispatch(request)

    def _send(self, link: BackendConnection, request: Request) -> None:
        packet = request.packet
        sink: Sink = self._delivery
        if request.route.twin and self._promotion.on:
            sink = self._promotion.recorder(request, sink)
        elif self._replay is not None and self._servers.is_primary(link.server):
            sink = self._replay.recorder(request, sink)
        if not request.plain:
            packet = self._steps.packet_for(link.seen, request)
            self._machine.sent(request, link.seen)
            self._visibility.sent(request)
            if self._metadata is not None:
                sink = self._metadata.sink(request, sink)
        exchange = Exchange(request.reply, link.layout)
        exchange.openings = link.openings
        self._turn.sent(link, exchange)
        if request.code in REMEMBERED:
            self._remember(link, request)
        elif request.code == c.COM_RESET_CONNECTION:
            self._machine.last.began(link.server.name)
        elif request.reply is not Reply.NONE:
            on_primary = self._servers.is_primary(link.server)
            self._machine.last.commanded(request, link.server.name, on_primary=on_primary)
        if self._turn.client_slow:
            link.pause_reading()
        if request.streamed:
            link.listen_to_refusals()
        request.sent = now = perf_counter()
        if request.delayed:
            request.queued = now - request.delayed
        else:
            request.delayed = now
        link.send(packet, exchange, sink)
        if self._deadline.seconds or request.limit:
            self._deadline.begin(request)
        if request.streamed:
            self._client.request_sent()
        elif exchange.done:
            self._delivery.over()

    def _remember(self, link: BackendConnection, request: Request) -> None:
        """The session may ask about this statement, and no longer about the one before."""
        last, server = self._machine.last, link.server
        if request.plain and request.statement.reads and server.role is _REPLICA and not request.route.twin:
            last.kept = None
            last.ran.read(request, server.name)
        else:
            last.sent(request, server.name, on_replica=not self._servers.is_primary(server))
