"""A client's connection after its login: takes commands in, has them run, gives replies back.

Callbacks only: no task and no future per query. A task is made where a server connection has to be opened.
"""

import asyncio
import functools
import logging
from typing import Final, cast

from proxy.backend.connection import BackendConnection
from proxy.backend.login import Identity, open_connection, server_lost
from proxy.errors import ServerLost, ServerRefused
from proxy.flow import Hold, ReadGate
from proxy.routing.policy import LAST, REPLICA, Route, Target
from proxy.session.context import Context
from proxy.session.inbox import HIGH_WATER, Inbox, check_header, is_one_packet
from proxy.session.links import Links
from proxy.session.machine import Machine, Prelude, Request
from proxy.session.phases import CLOSED, IDLE, STREAMING, TRANSITIONS, WORKING, Phase
from proxy.session.preludes import PreludeRun
from proxy.session.prepared import renumbered
from proxy.wire import constants as c
from proxy.wire.commands import REPLIES
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import frame
from proxy.wire.replies import Err, err_payload
from proxy.wire.stream import BodyStream
from topology.servers import Server

log = logging.getLogger(__name__)

# A slow client holds at most about this much of a reply in memory before its server is no longer read.
_WRITE_HIGH_WATER: Final = 512 * 1024
# Somebody wanted the statement to end: interrupted, killed, or out of its time. Running it again would be wrong.
_MEANT_TO_FAIL: Final = frozenset({1028, 1317, 1907, 1969, 3024})


class ClientSession(asyncio.Protocol):
    """One logged-in client. Made with its connection to the primary, which checked the account once more."""

    def __init__(self, context: Context, identity: Identity, machine: Machine, name: str) -> None:
        self._context = context
        self._identity = identity
        self._machine = machine
        self._name = name
        self._phase: Phase = IDLE
        self._inbox = Inbox()
        self._links = Links()
        self._last = ""
        self._unfit: frozenset[str] = frozenset()
        self._request: Request | None = None
        self._link: BackendConnection | None = None
        self._exchange: Exchange | None = None
        self._held = b""
        self._forwarded = False
        self._body: BodyStream | None = None
        self._task: asyncio.Task[None] | None = None
        self._proceeding = False
        self._doomed = False
        self._client_slow = False

    # --- the client's side -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called when the login is over."""
        self._transport = cast(asyncio.Transport, transport)
        self._gate = ReadGate(self._transport)
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH_WATER)
        self._context.enter(self)

    def adopt(self, link: BackendConnection) -> None:
        """Take over a connection that was opened during the login."""
        self._links.add(link)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        try:
            if self._phase is IDLE and not self._inbox and is_one_packet(data):
                self._take(data)
            elif self._phase is STREAMING and self._link is not None:
                self._stream(data)
            else:
                self._inbox.add(data)
                self._proceed()
        except MalformedPacket as error:
            self._refuse_malformed(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self.close()

    def pause_writing(self) -> None:
        """Called by the event loop: the client does not take its reply."""
        self._client_slow = True
        if self._link is not None:
            self._link.pause_reading()

    def resume_writing(self) -> None:
        """Called by the event loop."""
        self._client_slow = False
        # The connection that was paused may have no request any more: its reply can be over before the client took it.
        for link in self._links:
            link.resume_reading()

    def drain(self) -> None:
        """Close as soon as nothing would be lost: between commands and outside of a transaction."""
        if self._phase is IDLE and not self._machine.state.in_transaction:
            self.close()

    def close(self) -> None:
        """End the session and give up its server connections. Safe to call twice."""
        if self._phase is CLOSED:
            return
        self._enter(CLOSED)
        self._context.leave(self)
        if self._task is not None:
            self._task.cancel()
        self._links.close()
        self._transport.close()

    def _enter(self, phase: Phase) -> None:
        if phase not in TRANSITIONS[self._phase]:
            raise AssertionError(f"a session cannot go from {self._phase.name} to {phase.name}")
        self._phase = phase

    # --- commands in -------------------------------------------------------------------------------------------------

    def _proceed(self) -> None:
        """Take commands from the inbox as long as they can be dealt with at once."""
        if self._proceeding:
            return
        self._proceeding = True
        try:
            while self._phase is IDLE and self._inbox:
                if (packet := self._inbox.take()) is not None:
                    self._take(packet)
                elif (large := self._inbox.take_large()) is not None:
                    self._take_large(*large)
                else:
                    break
        finally:
            self._proceeding = False
        if self._phase is WORKING and len(self._inbox) > HIGH_WATER:
            self._gate.hold(Hold.INBOX_FULL)

    def _take(self, packet: bytes) -> None:
        code = packet[c.HEADER_SIZE]
        if code == c.COM_QUIT:
            self.close()
            return
        if code == c.COM_STMT_CLOSE:
            self._close_statement(packet)
            return
        request = self._machine.request(packet)
        if isinstance(request, Err):
            self._answer(request, code)
            return
        self._enter(WORKING)
        self._start(request)

    def _take_large(self, length: int, head: bytes) -> None:
        check_header(length, head[3])
        request = self._machine.streamed(head)
        if isinstance(request, Err):
            raise MalformedPacket(request.message)
        self._enter(STREAMING)
        self._body = BodyStream(length)
        used = c.HEADER_SIZE + self._body.feed(head[c.HEADER_SIZE :])
        self._inbox.add(head[used:])
        request.packet = head[:used]
        self._gate.hold(Hold.NO_SERVER_YET)
        self._start(request)

    def _stream(self, data: bytes) -> None:
        """Pass the next bytes of a large command on."""
        body, link, request = self._body, self._link, self._request
        if body is None or link is None or request is None:
            return
        used = body.feed(data)
        link.write(data[:used])
        if body.done:
            self._body = None
            self._inbox.add(data[used:])
            if request.reply is Reply.NONE:
                self._rest()
            else:
                self._enter(WORKING)

    def _close_statement(self, packet: bytes) -> None:
        prepared = self._machine.close_statement(packet)
        if prepared is not None:
            for link, number in self._links.close_statement(prepared.number):
                link.write(renumbered(packet, number))

    def _answer(self, err: Err, code: int) -> None:
        """Answer a command ourselves; those that have no reply stay without one."""
        if REPLIES.get(code) is not Reply.NONE:
            self._transport.write(frame(err_payload(err), 1))

    def _refuse_malformed(self, error: MalformedPacket) -> None:
        log.warning("%s: malformed packet: %s; connection closed", self._name, error)
        self._transport.write(frame(err_payload(Err(c.ER_NET_PACKETS_OUT_OF_ORDER, "Malformed packet", "08S01")), 1))
        self.close()

    # --- to a server -------------------------------------------------------------------------------------------------

    def _start(self, request: Request) -> None:
        if self._unfit:
            request.avoid = self._unfit
        self._request = request
        self._forwarded = False
        self._dispatch(request)

    def _dispatch(self, request: Request) -> None:
        """Bring `request` one step further: find its server, connect, catch up, send."""
        server = self._server_for(request)
        if server is None:
            self._fail(Err(c.ER_UNKNOWN_STMT_HANDLER, "The server that holds the statement's cursor is gone"))
            return
        link = self._links.get(server.name)
        if link is None:
            self._link = None
            self._task = self._context.tasks.create_task(self._open(server, request))
            return
        prelude = self._machine.prelude(link.seen, request)
        if prelude is not None:
            self._link, self._exchange = link, None
            done = functools.partial(self._prelude_over, link, request, prelude)
            PreludeRun(self, done).start(link, prelude)
            return
        self._send(link, request)

    def _server_for(self, request: Request) -> Server | None:
        snapshot = self._context.monitor.snapshot
        if request.server:
            link = self._links.get(request.server)
            return link.server if link is not None else None
        target = request.route.target
        if target is REPLICA:
            picked = self._context.balancer.pick(snapshot, self._context.monitor.freshness, request.avoid)
            if picked is not None:
                return picked
        elif target is LAST and (last := self._links.get(self._last)) is not None:
            return last.server
        return snapshot.primary.server

    async def _open(self, server: Server, request: Request) -> None:
        try:
            link = await open_connection(server, self._identity, self, self._context.settings.connect_timeout)
        except (ServerLost, ServerRefused) as error:
            self._task = None
            self._cannot_open(server, request, error)
            return
        self._task = None
        if self._phase is CLOSED:
            link.close()
        elif link.alive:
            self._links.add(link)
            self._dispatch(request)
        else:
            self._cannot_open(server, request, ServerLost(server_lost(server, "closed after the login")))

    def _cannot_open(self, server: Server, request: Request, error: ServerLost | ServerRefused) -> None:
        log.warning("%s: %s: %s", self._name, server, error)
        if isinstance(error, ServerLost):
            self._context.monitor.report_failure(server, error.err.message)
        if self._is_primary(server):
            self._fail(error.err)
            return
        if isinstance(error, ServerRefused):
            self._unfit |= {server.name}
        request.avoid |= {server.name}
        self._dispatch(request)

    def _prelude_over(
        self, link: BackendConnection, request: Request, prelude: Prelude, exchange: Exchange, reply: bytes
    ) -> None:
        if not exchange.errno:
            self._machine.prelude_done(prelude, link.seen, exchange)
            self._dispatch(request)
        elif self._is_primary(link.server):
            self._transport.write(reply)
            self._rest()
        else:
            # This replica cannot be brought into the session's state; another server may.
            log.info("%s: %s refused to follow the session (error %d)", self._name, link.server, exchange.errno)
            self._unfit |= {link.server.name}
            request.avoid |= {link.server.name}
            self._dispatch(request)

    def _send(self, link: BackendConnection, request: Request) -> None:
        packet = self._machine.packet_for(link.seen, request)
        self._machine.sent(request, link.server.name)
        exchange = Exchange(request.reply, link.deprecate_eof)
        self._link, self._exchange = link, exchange
        self._held, self._forwarded = b"", False
        if request.code in (c.COM_QUERY, c.COM_STMT_EXECUTE):
            self._last = link.server.name
        if self._client_slow:
            link.pause_reading()
        link.send(packet, exchange, self)
        if self._phase is STREAMING:
            self._gate.release(Hold.NO_SERVER_YET)
            self._stream(self._inbox.take_all())
        elif exchange.done:
            self._rest()

    # --- replies back ------------------------------------------------------------------------------------------------

    def reply_chunk(self, connection: BackendConnection, exchange: Exchange, chunk: bytes) -> None:
        """Called by the connection that runs the current request."""
        request = self._request
        if request is None or self._phase is CLOSED:
            return
        if not self._forwarded:
            if not exchange.begun:
                if not exchange.done:
                    self._held += chunk
                    return
                if self._run_again(request, connection, exchange):
                    return
            chunk = self._first_chunk(request, connection, exchange, chunk)
        if self._machine.wrote(request):
            self._context.monitor.note_write()
        if exchange.done:
            self._machine.replied(request, exchange, connection.seen, self._is_primary(connection.server))
            self._transport.write(chunk)
            self._rest()
        else:
            self._transport.write(chunk)

    def _first_chunk(self, request: Request, link: BackendConnection, exchange: Exchange, chunk: bytes) -> bytes:
        self._forwarded = True
        if self._held:
            chunk, self._held = self._held + chunk, b""
        if exchange.prepared is None:
            return chunk
        return renumbered(chunk, self._machine.prepared(request, exchange, link.seen))

    def _run_again(self, request: Request, link: BackendConnection, exchange: Exchange) -> bool:
        """Whether a statement that a replica answered with an error is run on the primary instead.

        The primary has the last word on every error: a replica can lack a table or a grant for a moment, or refuse what
        turned out to be a write.
        """
        if request.route.target is not Target.REPLICA or self._is_primary(link.server):
            return False
        if exchange.errno in _MEANT_TO_FAIL:
            return False
        log.debug("%s: %s answered error %d; asking the primary", self._name, link.server, exchange.errno)
        request.route = Route(Target.PRIMARY, f"replica-error:{exchange.errno}")
        self._dispatch(request)
        return True

    def _rest(self) -> None:
        """The current request is over."""
        self._request = self._link = self._exchange = None
        self._enter(IDLE)
        # Answered before the whole of it was sent, a large command leaves bytes behind that are no commands.
        if (
            self._body is not None
            or self._doomed
            or (self._context.draining and not self._machine.state.in_transaction)
        ):
            self.close()
        elif self._inbox:
            self._gate.release(Hold.INBOX_FULL)
            self._proceed()

    def _fail(self, err: Err) -> None:
        """Answer the current request with an error of ours."""
        if self._phase is STREAMING:
            # The rest of the command is still to come and has nowhere to go.
            self._transport.write(frame(err_payload(err), 1))
            self.close()
        else:
            self._answer(err, self._request.code if self._request else 0)
            self._rest()

    # --- a server goes away ------------------------------------------------------------------------------------------

    def abandon(self, server: Server) -> None:
        """`server` does not answer its probes: a read that waits for its first byte from there need not wait longer."""
        link = self._links.get(server.name)
        if link is None or self._is_primary(server) or (link is self._link and self._forwarded):
            return
        link.abort("it does not answer")

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        """Called by a connection of this session."""
        known = self._links.remove(connection)
        if self._phase is CLOSED or not known:
            return
        self._gate.release(Hold.BACKEND_FULL)
        if self._request is not None and self._link is connection:
            self._lost_during_request(self._request, connection, reason)
        elif self._is_primary(connection.server) and not self._machine.movable:
            self._lost_state(connection, reason)

    def _lost_during_request(self, request: Request, link: BackendConnection, reason: str) -> None:
        self._context.monitor.report_failure(link.server, reason)
        if self._machine.wrote(request):
            self._context.monitor.note_write()
        if self._may_move(request, link):
            request.avoid |= {link.server.name}
            self._dispatch(request)
            return
        log.warning("%s: lost %s during a statement: %s", self._name, link.server, reason)
        self._tell_lost(server_lost(link.server, reason))
        self.close()

    def _may_move(self, request: Request, link: BackendConnection) -> bool:
        """Whether a request can be run elsewhere: nothing of its reply reached the client, and it only reads."""
        if self._forwarded:
            return False
        return request.route.target is Target.REPLICA and not self._is_primary(link.server)

    def _tell_lost(self, err: Err) -> None:
        exchange = self._exchange
        if not self._forwarded:
            self._transport.write(frame(err_payload(err), 1))
        elif exchange is not None and exchange.boundary:
            self._transport.write(frame(err_payload(err), exchange.sequence + 1))

    def _lost_state(self, link: BackendConnection, reason: str) -> None:
        """The primary's connection took session state with it; a plain server would have closed on the client too."""
        log.info("%s: %s closed its connection, and session state with it: %s", self._name, link.server, reason)
        self._doomed = True
        if self._phase is IDLE:
            self.close()

    def pause_client(self) -> None:
        """Called by a connection of this session."""
        self._gate.hold(Hold.BACKEND_FULL)

    def resume_client(self) -> None:
        """Called by a connection of this session."""
        self._gate.release(Hold.BACKEND_FULL)

    def _is_primary(self, server: Server) -> bool:
        return server is self._context.monitor.snapshot.primary.server
