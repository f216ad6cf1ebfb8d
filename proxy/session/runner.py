"""Runs a session's requests on its server connections, one at a time: connects, catches up, sends, gives the reply
back, and tries elsewhere what can be tried elsewhere.

Callbacks only: no task and no future per query. A task is made where a server connection has to be opened.
"""

import asyncio
import functools
import logging
from collections.abc import Callable
from typing import Final, Protocol

from proxy.backend.connection import BackendConnection, Sink
from proxy.backend.login import Identity, server_lost
from proxy.errors import ServerLost, ServerRefused
from proxy.routing.policy import READ_ONLY
from proxy.routing.told import Told
from proxy.session.absence import Absence
from proxy.session.context import Context
from proxy.session.counting import count
from proxy.session.diagnostics import WholeReply
from proxy.session.killer import Killer
from proxy.session.kills import Target
from proxy.session.lending import Lending
from proxy.session.machine import Machine
from proxy.session.metadata import Metadata
from proxy.session.patience import Patience
from proxy.session.preludes import Drain, PreludeRun
from proxy.session.prepared import renumbered
from proxy.session.recovery import Recovery
from proxy.session.remedies import MOST_REPEATS, may_move, may_start_over, next_sequence
from proxy.session.request import Prelude, Request
from proxy.session.servers import Servers
from proxy.session.settling import first_connection
from proxy.session.twin import Twin
from proxy.session.wording import interrupted
from proxy.sql.statement import SESSION
from proxy.wire import constants as c
from proxy.wire.capabilities import layout_of
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.replies import Err
from topology.consistency import Level
from topology.servers import Server, ServerCompression

log = logging.getLogger(__name__)

# After these the session may ask about the statement before.
_REMEMBERED: Final = (c.COM_QUERY, c.COM_STMT_EXECUTE)

# So much of the time that a client has for its login may be spent on waiting for the primary.
_OF_LOGIN: Final = 0.8


class Client(Target, Protocol):
    """The client's side of a session, as its runner needs it."""

    def request_sent(self) -> None:
        """The (first bytes of the) request were given to a server."""

    def file_wanted(self, sequence: int) -> None:
        """The server asks the client for a file, and has its request, packet number `sequence`, passed on."""

    def request_over(self) -> None:
        """The reply to the request is complete."""

    def refuse(self, request: Request, err: Err) -> None:
        """Answer the request with an error of ours; it was not run."""

    def lose(self, err: Err, sequence: int) -> None:
        """The reply will not be completed: tell the client in packet number `sequence`, unless that is 0, and close."""

    def state_lost(self, farewell: bytes) -> None:
        """The session cannot go on: state of it is gone. `farewell` is what its server had to say, if anything."""

    def pause_client(self) -> None:
        """The server takes no more bytes for now."""

    def resume_client(self) -> None:
        """The server takes bytes again."""


class Runner:
    """One session's side towards the servers. Made with its connection to the primary, which checked the account.

    `condemned` is set while a KILL of the session is under way.
    """

    def __init__(self, context: Context, identity: Identity, machine: Machine, name: str, client: Client) -> None:
        self._context = context
        self._identity = identity
        self._machine = machine
        self._steps = machine.steps
        self._name = name
        self._client = client
        self._servers = Servers(context, identity, machine.state, name)
        self._links = self._servers.links
        self._recovery = Recovery(context, machine, name, self)
        caches = identity.capabilities & c.MARIADB_CLIENT_CACHE_METADATA
        self._metadata = Metadata(layout_of(identity.capabilities)) if caches else None
        self._request: Request | None = None
        self._link: BackendConnection | None = None
        self._exchange: Exchange | None = None
        self._held = b""
        self._forwarded = False
        self._defining = False
        self._client_slow = False
        self._closed = False
        self._killer = Killer(context, identity, machine, client, self)
        self._twin = Twin(machine, self, self._go_on)
        self._lending = Lending(self, self._servers, machine, name, self._go_on)
        self._doomed: Request | None = None
        self._patience = Patience(context.monitor.freshness, context.waits)
        self._absence = Absence(context.monitor, context.settings.primary_wait)
        self._summons: list[Callable[[Err | None], None]] = []
        self._arriving = False
        self._postponed: Callable[[], None] | None = None
        self.condemned = False

    def attach(self, write: Callable[[bytes], None]) -> None:
        """From now on replies go to the client by `write`."""
        self._write = write

    def adopt(self, link: BackendConnection) -> None:
        """Take over a connection that was opened, or made another user's, during a login."""
        self._servers.adopt(link, self)

    async def reach_primary(self) -> BackendConnection:
        """The session's first connection to the primary. Raises ServerLost, ServerRefused."""
        self._arriving = True
        settings = self._context.settings
        patience = min(settings.primary_wait, _OF_LOGIN * settings.login_timeout)
        until = asyncio.get_running_loop().time() + patience
        try:
            while True:
                primary = self._context.monitor.snapshot.primary.server
                try:
                    return await first_connection(self, self._servers, primary, self._steps.query)
                except ServerLost:
                    if not await self._absence.over(until):
                        raise
        finally:
            self._arriving = False

    def release(self, server: Server) -> BackendConnection | None:
        """Give the connection to `server` away, if there is one that lives."""
        link = self._links.get(server.name)
        if link is not None:
            self._servers.remove(link)
            if self._lending.under_way is link:
                # It is just being asked for what the session leaves, and its answers are not what comes next.
                self._lending.give_up()
                link.close()
        # What it had to say of its back-pressure, it said.
        self._client.resume_client()
        return link if link is not None and link.alive else None

    def close(self, under_way: bool) -> None:
        """Give up everything. Safe to call twice. `under_way`: a command was whole and is not answered yet."""
        self._closed = True
        if self._defining:
            # It may be carried out all the same.
            self._end_definition()
            self._context.monitor.note_write(None, defines=True)
        # Without an exchange nothing of the client's own was sent.
        if under_way and not self.condemned and self._link is not None and self._exchange is not None:
            self._servers.leave_behind(self._link)
        self._killer.over(c.CR_SERVER_LOST)
        self._request = self._postponed = None
        self._lending.give_up()
        self._patience.end()
        self._absence.end()
        self._servers.close(self._may_leave_behind, self._left)

    # --- a request in ------------------------------------------------------------------------------------------------

    def start(self, request: Request) -> None:
        """Run a request; the one before must be over."""
        if self._lending.under_way is not None or self._summons or self._twin.ending:
            # What this asks for is just being taken from its connection, or a connection is being got or put in order.
            self._postponed = functools.partial(self.start, request)
            return
        if self._machine.last.kept is not None:
            told = self._machine.last.retold(request)
            if not isinstance(told, Request):
                self.answer(request, told)
                return
        if self._twin.open:
            if (err := self._twin.conflict(request, self._context.monitor.freshness.written)) is not None:
                self._client.refuse(request, err)
                return
        elif request.route is READ_ONLY:
            self._twin.wanted(self._context.monitor.freshness.written)
        if self._servers.unfit:
            request.avoid = self._servers.unfit
        self._request = request
        self._forwarded = False
        if request.kill is not None:
            self._killer.begin(request, request.kill)
            return
        self.dispatch(request)

    def answer(self, request: Request, told: bytes | Err) -> None:
        """Answer a request without any server."""
        self._request = None
        if isinstance(told, Err):
            self._client.refuse(request, told)
        else:
            self._write(told)
            self._client.request_over()

    def summon(self, done: Callable[[Err | None], None]) -> None:
        """Get a connection to the primary, or wait for the one that is just being got, and call `done`."""
        self._summons.append(done)
        if self._servers.awaited is None:
            self._servers.open(self._context.monitor.snapshot.primary.server, self, self._summoned)

    def _summoned(self, outcome: BackendConnection | ServerLost | ServerRefused) -> None:
        summons, self._summons = self._summons, []
        for done in summons:
            done(None if isinstance(outcome, BackendConnection) else outcome.err)
        self._go_on()

    def condemn(self, *, connection: bool) -> None:
        """A KILL is under way to the thread of one of the connections."""
        self._lending.kills += 1
        self.condemned |= connection
        self._doomed = self._request if self._patience.under_way else None

    def pardon(self, *, struck: bool) -> None:
        """It is over; `struck` says that the server did as it was asked."""
        self._lending.kills -= 1
        self.condemned = False
        doomed, self._doomed = self._doomed, None
        if struck and doomed is not None and doomed is self._request and self._patience.under_way:
            self.interrupt()

    def interrupt(self) -> None:
        """End the request that waits for a connection, a replica or the primary, if one does."""
        waits = self._servers.awaited or self._patience.under_way or self._absence.waiting
        if self._request is not None and waits:
            self._servers.give_up()
            self._patience.end()
            self._absence.end()
            self.refuse(self._request, interrupted())

    @property
    def primary_thread(self) -> int:
        """The id of the session's thread on the primary; -1 while it has none."""
        link = self._servers.primary_link
        return link.thread if link is not None else -1

    def thread(self) -> tuple[Server, int] | None:
        """The server where a statement runs, the primary if none does, and the id of the thread there."""
        link = self._link if self._link is not None and not self._link.at_rest else self._servers.primary_link
        return (link.server, link.thread) if link is not None else None

    @property
    def at_work(self) -> Server | None:
        """The server that runs a statement; None between statements."""
        return self._link.server if self._link is not None else None

    @property
    def connections(self) -> list[BackendConnection]:
        """Those that the session has."""
        return list(self._links.values())

    @property
    def waiting(self) -> Server | None:
        """The server to which a connection is being opened."""
        return self._servers.awaited

    @property
    def own(self) -> int:
        """The number of the session's last write."""
        return self._servers.consistency.own

    def level_of(self, request: Request) -> Level:
        """What a read must see."""
        return self._servers.level_of(request)

    def foresee(self, request: Request) -> Server | None:
        """The server that `request` would go to now; None when it could not run."""
        request.avoid = self._servers.unfit
        return self._servers.foresee(request)

    def stream(self, data: bytes) -> None:
        """Pass on more bytes of a large request that was sent, or of a file that the server asked for."""
        if self._link is not None:
            self._link.write(data)

    def file_sent(self, sequence: int) -> None:
        """The client has sent the whole file, up to packet number `sequence`."""
        if self._exchange is not None:
            self._exchange.sequence = sequence

    def close_statement(self, packet: bytes) -> None:
        """COM_STMT_CLOSE, which has no reply: tell every server that has prepared the statement."""
        prepared = self._machine.close_statement(packet)
        if prepared is not None:
            for link, number in self._links.close_statement(prepared.form):
                link.write(renumbered(packet, number))

    def relieve(self, server: Server) -> bool:
        """`server` takes no more prepared statements: close some there if it is idle; whether there were any."""
        link = self._links.get(server.name)
        closes = self._machine.relief(link.seen) if link is not None and link.at_rest else b""
        if link is not None and closes:
            link.write(closes)
        return bool(closes)

    def dispatch(self, request: Request) -> None:
        """Bring `request` one step further: find its server, connect, catch up, send."""
        server = self._servers.choose(request)
        if server is None:
            if request.waits:
                self._wait_for_replica(request)
            else:
                self.refuse(request, self._machine.gone(request))
            return
        link = self._links.get(server.name)
        if link is not None and self._lending.under_way is link:
            self._postponed = functools.partial(self.dispatch, request)
            return
        if link is None:
            self._link = None
            self._servers.open(server, self, functools.partial(self._opened, server, request))
            return
        if link.commands is not None and self._machine.requests.may_avoid(request):
            # The query attributes that it has would be left out there.
            request.avoid |= {server.name}
            self.dispatch(request)
            return
        self.proceed(link, request)

    def _wait_for_replica(self, request: Request) -> None:
        assert request.need is not None
        self._link = None
        now = asyncio.get_running_loop().time()
        request.until = request.until or now + self._context.settings.freshness_wait
        self._patience.begin(request.need, request.until - now, functools.partial(self._waited, request))

    def _waited(self, request: Request, kept: bool) -> None:
        request.waits, request.waited = False, not kept
        self.dispatch(request)

    def dispatch_later(self, request: Request, delay: float) -> None:
        """The same in `delay` seconds."""

        def begin() -> None:
            if self._request is request:
                self.dispatch(request)

        self._link = None
        asyncio.get_running_loop().call_later(delay, begin)

    def proceed(self, link: BackendConnection, request: Request) -> None:
        """Bring `link` in step with the session, and then send the request."""
        prelude = self._steps.prelude(link.seen, request)
        if prelude is not None:
            self._link, self._exchange = link, None
            done = functools.partial(self._prelude_over, link, request, prelude)
            PreludeRun(self, done).start(link, prelude, self._ahead(link, request))
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

    def _opened(
        self, server: Server, request: Request, outcome: BackendConnection | ServerLost | ServerRefused
    ) -> None:
        if isinstance(outcome, BackendConnection):
            self.dispatch(request)
        elif self._servers.is_primary(server) or request.at is server:
            if isinstance(outcome, ServerRefused) or not self._absence.outlast(request, self.dispatch):
                self.refuse(request, outcome.err)
        else:
            request.avoid |= {server.name}
            self.dispatch(request)
        if self._summons:
            self._summoned(outcome)

    def _prelude_over(
        self, link: BackendConnection, request: Request, prelude: Prelude, exchange: Exchange, reply: bytes
    ) -> None:
        if exchange.errno and link.ahead:
            again = functools.partial(self._prelude_over, link, request, prelude, exchange, reply)
            Drain(self, again).start(link)
        elif not exchange.errno:
            self._steps.prelude_done(prelude, link.seen, exchange)
            if prelude.transaction:
                self._twin.begun(link)
            if self._metadata is not None:
                self._metadata.prepared(prelude, link, reply)
            self.proceed(link, request)
        elif self._steps.prelude_failed(prelude, link.seen):
            self.proceed(link, request)
        elif exchange.errno == c.ER_MAX_PREPARED_STMT_COUNT_REACHED and self._recovery.make_room(request, link):
            return
        elif self._servers.is_primary(link.server) or request.at is link.server:
            self.accept(request, exchange, link, reply)
        else:
            # This replica cannot be brought into the session's state; another server may.
            log.info("%s: %s refused to follow the session (error %d)", self._name, link.server, exchange.errno)
            if prelude.reply is not Reply.PREPARED:
                self._servers.unfit |= {link.server.name}
            request.avoid |= {link.server.name}
            self.dispatch(request)

    def _send(self, link: BackendConnection, request: Request) -> None:
        packet = request.packet
        sink: Sink = self
        if not request.plain:
            packet = self._steps.packet_for(link.seen, request)
            self._machine.sent(request, link.seen)
            if request.statement.defines and not self._defining and request.code != c.COM_STMT_PREPARE:
                self._defining = True
                self._context.monitor.freshness.begin_definition()
            if self._metadata is not None:
                sink = self._metadata.sink(request, self)
        exchange = Exchange(request.reply, link.layout)
        exchange.openings = link.openings
        self._link = link
        self._exchange = exchange
        self._held = b""
        if request.code in _REMEMBERED:
            if self._servers.last != link.server.name:
                self._servers.last, self._servers.warned = link.server.name, False
            if request.statement.reads or not self._machine.last.leaves_warnings(request):
                self._servers.warned = False
            self._machine.last.kept = request.kept
        if self._client_slow:
            link.pause_reading()
        if request.streamed:
            link.listen_to_refusals()
        link.send(packet, exchange, sink)
        if request.streamed:
            self._client.request_sent()
        elif exchange.done:
            self._over()

    def refuse(self, request: Request, err: Err) -> None:
        """Answer a request with an error of ours."""
        self._killer.over(err.errno)
        self._request = self._link = self._exchange = None
        self._client.refuse(request, err)

    # --- replies back ------------------------------------------------------------------------------------------------

    def reply_chunk(self, connection: BackendConnection, exchange: Exchange, chunk: bytes) -> None:
        """Called by the connection that runs the current request."""
        request = self._request
        if request is None:
            return
        if request.whole is not None and not (chunk := self._whole(request.whole, connection, exchange, chunk)):
            return
        if not self._forwarded:
            if exchange.errno:
                # Also behind columns or rows: as long as the client has not seen them, nothing is lost.
                if self._recovers(request, connection, exchange, chunk):
                    return
            elif not exchange.begun:
                self._held += chunk
                return
            self._forwarded = True
            if self._held or exchange.prepared is not None:
                chunk = self._first_chunk(request, connection, exchange, chunk)
        if not request.plain and self._machine.outcomes.wrote(request, exchange.status):
            self._note_write(request)
        if not exchange.done:
            self._write(chunk)
            if exchange.file_wanted:
                exchange.file_wanted = False
                self._client.file_wanted(exchange.sequence)
            return
        on_primary = self._servers.is_primary(connection.server)
        count(request, connection, exchange.errno, on_primary)
        if exchange.warned:
            self._servers.warned = connection.seen.warned = True
        if on_primary or not request.plain:
            self._machine.outcomes.replied(request, exchange, connection.seen, on_primary)
            if self._machine.state.released:
                # The server closes after the reply, and so must the client's connection, before it sends more.
                self._client.state_lost(b"")
            if request.streamed:
                connection.refusals_over()
            if self._killer.busy:
                self._killed(exchange, chunk)
                return
        if self._servers.consistency.follows and request.code in _REMEMBERED:
            self._note_read(request, connection.server, on_primary=on_primary)
        self._write(chunk)
        self._over()

    def _note_read(self, request: Request, server: Server, *, on_primary: bool) -> None:
        # What a transaction has seen counts from its end on: until then nothing is read elsewhere.
        within = on_primary and self._machine.state.in_transaction
        if not within and request.statement.kind is not SESSION:
            self._servers.consistency.read_at(server.name)

    def _end_definition(self) -> None:
        if self._defining:
            self._defining = False
            self._context.monitor.freshness.end_definition()

    def _note_write(self, request: Request) -> None:
        self._end_definition()
        self._context.monitor.note_write(self._machine.outcomes.written, defines=request.statement.defines)
        self._servers.consistency.own = self._context.monitor.freshness.written

    def _whole(self, whole: WholeReply, link: BackendConnection, exchange: Exchange, chunk: bytes) -> bytes:
        try:
            return whole.feed(chunk, over=exchange.done, failed=exchange.errno != 0)
        except MalformedPacket as error:
            link.abort(f"malformed reply: {error}")
            return b""

    def _killed(self, exchange: Exchange, reply: bytes) -> None:
        killing = self._killer.answered()
        self._write(killing.restated(reply, exchange.sequence) if exchange.errno else reply)
        # What comes next may be another KILL.
        self._over()
        killing.over(exchange.errno)

    def _first_chunk(self, request: Request, link: BackendConnection, exchange: Exchange, chunk: bytes) -> bytes:
        chunk, self._held = self._held + chunk, b""
        if exchange.prepared is None:
            return chunk
        return renumbered(chunk, self._machine.outcomes.prepared(request, exchange, link.seen))

    def accept(self, request: Request, exchange: Exchange, link: BackendConnection, reply: bytes) -> None:
        """The error `reply` is for the client after all."""
        self._servers.warned = link.seen.warned = True
        on_primary = self._servers.is_primary(link.server)
        count(request, link, exchange.errno, on_primary)
        self._machine.outcomes.replied(request, exchange, link.seen, on_primary)
        if self._killer.busy:
            self._killed(exchange, reply)
            return
        self._write(reply)
        self._over()

    def _recovers(self, request: Request, link: BackendConnection, exchange: Exchange, chunk: bytes) -> bool:
        """Whether something is done about an error, so that the client must wait."""
        if self.condemned:
            return False
        if not exchange.sequence:
            self._not_taken(request, link, self._held + chunk)
            return True
        on_primary = self._servers.is_primary(link.server)
        if on_primary and exchange.errno == c.ER_NET_PACKET_TOO_LARGE:
            # Servers close after this one.
            self._client.state_lost(b"")
            return False
        held, self._held, self._exchange = self._held, b"", None
        if self._recovery.begin(request, link, exchange, held + chunk, on_primary):
            return True
        self._held, self._exchange = held, exchange
        return False

    def _not_taken(self, request: Request, link: BackendConnection, farewell: bytes) -> None:
        """The server had closed the connection before it read the request: its last words have the number 0."""
        log.info("%s: %s closed its connection, which idled", self._name, link.server)
        self._servers.remove(link)
        link.close()
        self._held, self._link, self._exchange = b"", None, None
        lost_state = self._servers.is_primary(link.server) and not self._machine.movable
        if request.streamed or lost_state or request.repeats >= MOST_REPEATS:
            self._client.state_lost(farewell)
            self._over()
            return
        request.repeats += 1
        self.dispatch(request)

    def _over(self) -> None:
        """The current request is done with."""
        link = self._link
        self._request = self._link = self._exchange = None
        if self._twin.open:
            self._twin.request_over(link)
        self._client.request_over()
        self._servers.over(link)

    # --- others need connections -------------------------------------------------------------------------------------

    def may_part(self, link: BackendConnection) -> bool:
        """Called by the pool: whether another session can have `link`."""
        return not self._arriving and not self._killer.busy and self._lending.may_part(link, self._link)

    def owes(self, link: BackendConnection) -> bool:
        """Called by the pool: whether the client may ask for the warnings of a statement that ran on `link`."""
        return self._lending.owes(link)

    def part(self, link: BackendConnection, done: Callable[[Told | None], None]) -> None:
        """Called by the pool: another session gets `link`."""
        self._lending.part(link, done)

    def _may_leave_behind(self, link: BackendConnection) -> bool:
        return self._lending.may_leave_behind(link, self._link)

    def _left(self, link: BackendConnection) -> Told:
        return self._machine.left(link.seen, warned=self._lending.owes(link))

    def _go_on(self) -> None:
        """Begin what had to wait."""
        if (postponed := self._postponed) is not None:
            self._postponed = None
            postponed()

    # --- a server goes away ------------------------------------------------------------------------------------------

    def abandon(self, server: Server) -> None:
        """`server` does not answer its probes: a read that waits for its first byte from there need not wait longer."""
        link = self._links.get(server.name)
        if link is None or self._servers.is_primary(server) or (link is self._link and self._forwarded):
            return
        link.abort("it does not answer")

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        """Called by a connection of this session."""
        known = self._links.remove(connection)
        if self._closed or not known:
            return
        holds = self._twin.holds(connection)
        self._twin.lost(connection)
        if self.condemned:
            # As a plain server does: it only closes.
            self._client.close()
            return
        self._client.resume_client()
        if self._request is not None and self._link is connection:
            self._lost_during_request(self._request, connection, reason, movable=not holds)
        elif holds or (self._servers.is_primary(connection.server) and not self._machine.movable):
            self._lost_state(connection, reason)

    def _lost_during_request(self, request: Request, link: BackendConnection, reason: str, *, movable: bool) -> None:
        if not link.farewell:
            # A server that says why it closes a connection speaks of this one: its client has sent too much, for one.
            self._context.monitor.report_failure(link.server, reason)
        if self._machine.outcomes.wrote(request):
            self._note_write(request)
        if link.farewell and request.streamed:
            self._client.state_lost(link.farewell)
            # A command without a reply was over for the client when all of it was sent: then it has left at once.
            if not self._closed:
                self._over()
            return
        on_primary = self._servers.is_primary(link.server)
        if movable and may_move(request, self._forwarded, on_primary):
            request.avoid |= {link.server.name}
            self.dispatch(request)
            return
        if on_primary and self._exchange is None and may_start_over(request, self._machine.movable):
            request.repeats += 1
            self.dispatch(request)
            return
        self._killer.over(c.CR_SERVER_LOST)
        log.warning("%s: lost %s during a statement: %s", self._name, link.server, reason)
        self._client.lose(server_lost(link.server, reason), next_sequence(self._exchange, self._forwarded))

    def _lost_state(self, link: BackendConnection, reason: str) -> None:
        """A connection took session state with it; a plain server would have closed on the client too."""
        log.info("%s: %s closed its connection, and session state with it: %s", self._name, link.server, reason)
        self._client.state_lost(link.farewell)

    # --- back-pressure -----------------------------------------------------------------------------------------------

    def client_slow(self) -> None:
        """The client does not take its reply: stop reading from the server that sends it."""
        self._client_slow = True
        if self._link is not None:
            self._link.pause_reading()

    def client_ready(self) -> None:
        """The client takes bytes again."""
        self._client_slow = False
        # The connection that was paused may have no request any more: its reply can be over before the client took it.
        for link in self._links.values():
            link.resume_reading()

    def pause_client(self) -> None:
        """Called by a connection of this session."""
        self._client.pause_client()

    def resume_client(self) -> None:
        """Called by a connection of this session."""
        self._client.resume_client()
