"""Gives the client the reply to the request at work, unless something can still be done about an error in it."""

from collections.abc import Callable
from typing import Protocol

from proxy.backend.connection import BackendConnection
from proxy.session.core.prepared import renumbered
from proxy.session.core.request import Request
from proxy.session.core.transactionflags import TransactionFlags
from proxy.session.core.wholereply import WholeReply
from proxy.session.running.common import Common
from proxy.session.running.recovery import Recovery
from proxy.session.shared.counting import Ledger
from proxy.wire import constants as c
from proxy.wire.commands import EXECUTIONS
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Exchange
from proxy.wire.replies import Err

# After these the session may ask about the statement before.
REMEMBERED = (c.COM_QUERY, *EXECUTIONS)


class Lost(Protocol):
    """Who deals with a connection that is lost.

    `outdated` says that some are to be given up as soon as nothing runs on them.
    """

    outdated: bool

    def catch_up(self) -> None:
        """Give these up."""

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        """It is gone."""

    def not_taken(self, request: Request, link: BackendConnection, farewell: bytes) -> None:
        """Its server had closed it before it read the request; `farewell` are its last words."""


class Delivery:
    """The sink of one session's replies."""

    def __init__(self, common: Common, recovery: Recovery, lost: Lost, ledger: Ledger) -> None:
        self._turn = common.turn
        self._machine = common.machine
        self._outcomes = common.machine.outcomes
        self._servers = common.servers
        self._client = common.client
        self._killer = common.killer
        self._twin = common.twin
        self._recovery = recovery
        self._visibility = common.visibility
        self._sentence = common.sentence
        self._lost = lost
        self._ledger = ledger
        self._volume = common.context.volume

    def attach(self, write: Callable[[bytes], None]) -> None:
        """From now on replies go to the client by `write`."""
        self._write = write

    def pass_on(self, reply: bytes) -> None:
        """Give the client bytes of a reply."""
        self._volume.sent += len(reply)
        self._write(reply)

    def reply_chunk(self, connection: BackendConnection, exchange: Exchange, chunk: bytes) -> None:
        """Called by the connection that runs the request."""
        turn = self._turn
        request = turn.request
        if request is None:
            return
        if request.whole is not None and not (chunk := self._whole(request.whole, connection, exchange, chunk)):
            return
        if not turn.forwarded:
            if exchange.errno:
                # Also behind columns or rows: as long as the client has not seen them, nothing is lost.
                if self._recovers(request, connection, exchange, chunk):
                    return
            elif not exchange.begun:
                turn.held += chunk
                return
            turn.forwarded = True
            if turn.held or exchange.prepared is not None:
                chunk = self._first_chunk(request, connection, exchange, chunk)
        if not request.plain and self._outcomes.wrote(request, exchange.status):
            self._visibility.wrote(request)
        if exchange.done:
            self._complete(request, connection, exchange, chunk)
            return
        self.pass_on(chunk)
        self._client.reply_goes_on()
        if exchange.file_wanted:
            exchange.file_wanted = False
            self._client.file_wanted(exchange.sequence)

    def _complete(self, request: Request, link: BackendConnection, exchange: Exchange, chunk: bytes) -> None:
        on_primary = self._servers.is_primary(link.server)
        self._ledger.count(request, link, exchange, on_primary)
        if exchange.warned:
            link.seen.warned = True
            self._machine.last.left_warnings(request, link.server.name)
        if exchange.errno:
            self._ledger.failed(request, link, exchange.errno)
            self._machine.last.failed(request, exchange.errno, begun=exchange.begun)
        if on_primary or not request.plain:
            if exchange.affected:
                self._ledger.changed(request, exchange.affected)
            self._outcomes.replied(request, exchange, link.seen, on_primary)
            if self._machine.state.released:
                # The server closes after the reply, and so must the client's connection, before it sends more.
                self._client.state_lost(b"")
            if self._machine.state.insert_id_lost and request.statement.writes:
                self._machine.last.learn(chunk)
            if request.streamed:
                link.refusals_over()
            if self._killer.busy:
                self._killed(exchange, chunk)
                return
        if self._servers.consistency.follows and request.code in REMEMBERED:
            within = on_primary and self._machine.state.in_transaction
            self._visibility.read(request, link.server, within=within)
        self._volume.sent += len(chunk)
        self._write(chunk)
        self.over()

    def _whole(
        self, whole: WholeReply | TransactionFlags, link: BackendConnection, exchange: Exchange, chunk: bytes
    ) -> bytes:
        try:
            return whole.feed(chunk, over=exchange.done, failed=exchange.errno != 0)
        except MalformedPacket as error:
            link.abort(f"malformed reply: {error}")
            return b""

    def _first_chunk(self, request: Request, link: BackendConnection, exchange: Exchange, chunk: bytes) -> bytes:
        chunk, self._turn.held = self._turn.held + chunk, b""
        if exchange.prepared is None:
            return chunk
        return renumbered(chunk, self._outcomes.prepared(request, exchange, link.seen))

    def accept(self, request: Request, exchange: Exchange, link: BackendConnection, reply: bytes) -> None:
        """The error `reply` is for the client after all."""
        link.seen.warned = True
        self._machine.last.left_warnings(request, link.server.name)
        self._machine.last.failed(request, exchange.errno, begun=exchange.begun)
        on_primary = self._servers.is_primary(link.server)
        self._ledger.count(request, link, exchange, on_primary)
        self._ledger.failed(request, link, exchange.errno)
        self._outcomes.replied(request, exchange, link.seen, on_primary)
        if self._killer.busy:
            self._killed(exchange, reply)
            return
        self.pass_on(reply)
        self.over()

    def _killed(self, exchange: Exchange, reply: bytes) -> None:
        killing = self._killer.answered()
        self.pass_on(killing.restated(reply, exchange.sequence) if exchange.errno else reply)
        # What comes next may be another KILL.
        self.over()
        killing.over(exchange.errno)

    def _recovers(self, request: Request, link: BackendConnection, exchange: Exchange, chunk: bytes) -> bool:
        """Whether something is done about an error, so that the client must wait."""
        if self._sentence.condemned:
            return False
        turn = self._turn
        if not exchange.sequence:
            self._lost.not_taken(request, link, turn.held + chunk)
            return True
        on_primary = self._servers.is_primary(link.server)
        if on_primary and exchange.errno == c.ER_NET_PACKET_TOO_LARGE:
            # Servers close after this one.
            self._client.state_lost(b"")
            return False
        held, turn.held, turn.exchange = turn.held, b"", None
        if self._recovery.begin(request, link, exchange, held + chunk, on_primary):
            return True
        turn.held, turn.exchange = held, exchange
        return False

    def refuse(self, request: Request, err: Err) -> None:
        """The reply is an error of ours."""
        self._ledger.refused(request, err.errno)
        self._client.refuse(request, err)

    def over(self) -> None:
        """The request is done with."""
        exchange, link = self._turn.exchange, self._turn.over()
        if self._lost.outdated:
            self._lost.catch_up()
        if self._twin.open:
            self._twin.request_over(link, exchange.status if exchange is not None else -1)
        self._client.request_over()
        self._servers.over(link)

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        """Called by the connection."""
        self._lost.connection_broken(connection, reason)

    def pause_client(self) -> None:
        """Called by the connection."""
        self._client.pause_client()

    def resume_client(self) -> None:
        """Called by the connection."""
        self._client.resume_client()
