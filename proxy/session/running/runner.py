"""Runs a session's requests on its server connections, one at a time: finds a server, has the request sent there, and
tries elsewhere what can be tried elsewhere.

Callbacks only: no task and no future per query. A task is made where a server connection has to be opened.
"""

import functools
from collections.abc import Callable
from time import perf_counter

from proxy.backend.connection import BackendConnection
from proxy.backend.login import Identity
from proxy.errors import ServerLost, ServerRefused
from proxy.routing.told import Told
from proxy.session.core.machine import Machine
from proxy.session.core.prepared import renumbered
from proxy.session.core.request import Request
from proxy.session.core.seenreads import SeenReads
from proxy.session.core.sentence import Sentence
from proxy.session.core.transactionlog import TransactionLog
from proxy.session.core.wording import no_replica
from proxy.session.running.common import Common
from proxy.session.running.deadline import Deadline
from proxy.session.running.delivery import Delivery
from proxy.session.running.entry import Entry
from proxy.session.running.insight import Insight
from proxy.session.running.killer import Killer
from proxy.session.running.lending import Lending
from proxy.session.running.losses import Losses
from proxy.session.running.metadata import Metadata
from proxy.session.running.promotion import Promotion
from proxy.session.running.recovery import Recovery
from proxy.session.running.replay import Replay
from proxy.session.running.sending import Sending
from proxy.session.running.servers import Servers
from proxy.session.running.settling import reach_primary
from proxy.session.running.summons import Summons
from proxy.session.running.turn import Turn
from proxy.session.running.twin import Twin
from proxy.session.running.victim import Victim
from proxy.session.running.visibility import Visibility
from proxy.session.running.waiting import Waiting
from proxy.session.shared.clientside import Client
from proxy.session.shared.context import Context
from proxy.session.shared.counting import Ledger
from proxy.session.shared.gate import Admission
from proxy.session.shared.whose import whose
from proxy.wire import constants as c
from proxy.wire.capabilities import layout_of
from proxy.wire.exchange import Exchange
from proxy.wire.replies import Err
from topology.consistency import Level
from topology.servers import Role, Server


class Runner:
    """One session's side towards the servers; `client` is its side towards the client.

    `closed` is set once the session has ended. `victim` is for those who kill it, `insight` for those who look at it.
    """

    def __init__(self, context: Context, identity: Identity, machine: Machine, name: str, client: Client) -> None:
        self._context = context
        self._machine = machine
        self._client = client
        self.closed = False
        self._arriving = False
        self._postponed: Callable[[], None] | None = None
        settings = context.settings
        self._turn = turn = Turn()
        self._servers = servers = Servers(context, identity, machine.state, machine.last.ran, name)
        self._links = servers.links
        self._sentence = sentence = Sentence()
        self._waiting = Waiting(context, turn, self.dispatch)
        self._deadline = deadline = Deadline(context, identity, turn, sentence, self._kill_over)
        # Not before the servers know what a new connection has by itself.
        machine.state.repeatable.limit_time(deadline.setting)
        self._lending = Lending(self, servers, machine, sentence, turn, name, self._go_on, settings.connect_timeout)
        self._summons = Summons(context.monitor, servers, self, self._go_on)
        self._killer = Killer(context, identity, machine, client.presence, self)
        self._twin = Twin(machine, self, self._go_on)
        self._visibility = Visibility(context.monitor, machine.outcomes, servers.consistency)
        common = Common(
            context=context,
            client=client,
            name=name,
            layout=layout_of(identity.capabilities),
            machine=machine,
            servers=servers,
            turn=turn,
            twin=self._twin,
            sentence=sentence,
            killer=self._killer,
            waiting=self._waiting,
            visibility=self._visibility,
        )
        self.victim = Victim(common, self._summons, self)
        caches = bool(identity.capabilities & c.MARIADB_CLIENT_CACHE_METADATA)
        self._seen_reads = SeenReads(context.memory, caches=caches)
        kept: TransactionLog | None = None
        replay: Replay | None = None
        if settings.transaction_replay or identity.user in settings.transaction_replay_users:
            kept = TransactionLog(context.memory, settings.transaction_replay_limit, caches=caches)
            replay = Replay(common, self, kept)
        self._replay = replay
        self.insight = Insight(common, deadline, replay)
        self._promotion = Promotion(common, self, self._seen_reads, kept)
        recovery = Recovery(context, machine, name, self)
        self._entry = Entry(common, self._promotion, self.answer, self.start)
        self._losses = Losses(common, self._promotion, replay, self)
        ledger = Ledger(context.usage(identity.user), context.journal, whose(context, identity, name), context.book)
        self._delivery = Delivery(common, recovery, self._losses, ledger)
        metadata = Metadata(common.layout) if caches else None
        self._sending = Sending(common, self._promotion, replay, recovery, self._delivery, metadata, deadline, self)

    def attach(self, write: Callable[[bytes], None]) -> None:
        """From now on replies go to the client by `write`."""
        self._delivery.attach(write)

    def adopt(self, link: BackendConnection) -> None:
        """Take over a connection that was opened, or made another user's, during a login."""
        self._servers.adopt(link, self)

    async def reach_primary(self) -> BackendConnection:
        """The session's first connection to the primary. Raises ServerLost, ServerRefused."""
        self._arriving = True
        try:
            return await reach_primary(self._context, self, self._servers, self._waiting.absence, self._machine.steps)
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
        self.closed = True
        self._visibility.give_up()
        # Without an exchange nothing of the client's own was sent.
        if under_way and not self._sentence.condemned and self._turn.exchange is not None:
            assert self._turn.link is not None
            self._servers.leave_behind(self._turn.link)
        self._killer.over(c.CR_SERVER_LOST)
        self._turn.over()
        self._postponed = None
        self._lending.end()
        self._deadline.end()
        self._waiting.end()
        self._summons.end()
        self._servers.close(self._may_leave_behind, self._left)
        self._seen_reads.end()
        if self._replay is not None:
            self._replay.end()
        self._machine.statements.clear()

    # --- a request in ------------------------------------------------------------------------------------------------

    def start(self, request: Request) -> None:
        """Run a request; the one before must be over."""
        waits = self._lending.under_way is not None or self._summons.pending or self._twin.ending
        if waits or self._deadline.under_way:
            # What this asks for is just being taken from its connection, or a connection is being got or put in order.
            request.delayed = request.delayed or perf_counter()
            self._postponed = functools.partial(self.start, request)
            return
        if (request.statement.asks or self._machine.state.insert_id_lost) and self._entry.answers(request):
            return
        if not request.plain:
            self._machine.last.keep_apart(request)
        if (request.route.twin or self._twin.open) and self._entry.refuses(request):
            return
        if self._servers.unfit:
            request.avoid = self._servers.unfit
        self._turn.begin(request)
        if request.kill is not None:
            self._killer.begin(request, request.kill)
            return
        self.dispatch(request)

    def answer(self, request: Request, told: bytes | Err) -> None:
        """Answer a request without any server."""
        self._turn.over()
        if isinstance(told, Err):
            self._delivery.refuse(request, told)
        else:
            self._delivery.pass_on(told)
            self._client.request_over()

    def dispatch(self, request: Request) -> None:
        """Bring `request` one step further: find its server, connect, catch up, send."""
        server = self._servers.choose(request)
        if server is None:
            if request.waits:
                request.delayed = request.delayed or perf_counter()
                self._waiting.for_replica(request)
            else:
                self.refuse(request, no_replica() if request.at is None else self._machine.gone(request))
            return
        if self._context.gate.shut and server.role is Role.PRIMARY:
            admission = self._waiting.at_gate(request, self._machine, anew=self._replay_is_due)
            if isinstance(admission, Err):
                self.refuse(request, admission)
            if admission is not Admission.PASSES:
                return
        link = self._links.get(server.name)
        if link is not None and self._lending.under_way is link:
            self._postponed = functools.partial(self.dispatch, request)
            return
        if link is None:
            if self._losses.bereft and self._servers.is_primary(server):
                self._losses.refuse_bereft(server)
                return
            request.delayed = request.delayed or perf_counter()
            self._turn.unsent()
            self._servers.open_for(request, server, self, functools.partial(self._opened, server, request))
            return
        self.run_on(link, request)

    def run_on(self, link: BackendConnection, request: Request) -> None:
        """Run `request` on `link`, behind all that its transaction needs there."""
        if link.commands is not None and self._machine.requests.may_avoid(request):
            # The query attributes that it has would be left out there.
            request.avoid |= {link.server.name}
            self.dispatch(request)
        elif self._replay is not None and self._replay.due and self._replays(link, request):
            self._replay.begin(link, request)
        elif self._seen_reads.reads and self._servers.is_primary(link.server) and self._promotion.due(request):
            self._promotion.begin(link, request)
        else:
            self._sending.proceed(link, request)

    @property
    def _replay_is_due(self) -> bool:
        return self._replay is not None and self._replay.due

    def _replays(self, link: BackendConnection, request: Request) -> bool:
        """Whether the transaction has to be run again for a request."""
        assert self._replay is not None
        return self._servers.is_primary(link.server) and not self._replay.forgoes(request)

    def _opened(
        self, server: Server, request: Request, outcome: BackendConnection | ServerLost | ServerRefused
    ) -> None:
        if isinstance(outcome, BackendConnection) and self._servers.serves(server, request):
            self.run_on(outcome, request)
        elif isinstance(outcome, BackendConnection):
            self.dispatch(request)
        elif self._servers.is_primary(server) or request.at is server:
            request.served_by = 0.0
            if isinstance(outcome, ServerRefused) or not self._waiting.for_primary(request):
                if self._replay is not None:
                    self._replay.abandon()
                self.refuse(request, outcome.err)
        else:
            request.avoid |= {server.name}
            self.dispatch(request)
        if self._summons.pending:
            self._summons.answer(outcome)

    def dispatch_later(self, request: Request, delay: float) -> None:
        """The same in `delay` seconds."""
        self._waiting.for_moment(request, delay)

    def proceed(self, link: BackendConnection, request: Request) -> None:
        """Run `request` on `link`."""
        self._sending.proceed(link, request)

    def accept(self, request: Request, exchange: Exchange, link: BackendConnection, reply: bytes) -> None:
        """The error `reply` is for the client after all."""
        self._delivery.accept(request, exchange, link, reply)

    def give_up(self) -> None:
        """The request at work is over for the client; nothing more will come of it."""
        self._delivery.over()

    def refuse(self, request: Request, err: Err) -> None:
        """Answer a request with an error of ours."""
        self._killer.over(err.errno)
        self._turn.over()
        self._delivery.refuse(request, err)

    def stream(self, data: bytes) -> None:
        """Pass on more bytes of a large request that was sent, or of a file that the server asked for."""
        if self._turn.link is not None:
            self._turn.link.write(data)

    def file_sent(self, sequence: int) -> None:
        """The client has sent the whole file, up to packet number `sequence`."""
        if self._turn.exchange is not None:
            self._turn.exchange.sequence = sequence

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

    def _go_on(self) -> None:
        """Begin what had to wait."""
        if (postponed := self._postponed) is not None:
            self._postponed = None
            postponed()

    def _kill_over(self, link: BackendConnection) -> None:
        """The KILL of a statement that ran for too long is answered, and `link` may be used again."""
        self._go_on()
        self._servers.over(link)

    # --- others need connections -------------------------------------------------------------------------------------

    def may_part(self, link: BackendConnection) -> bool:
        """Called by the pool: whether another session can have `link`."""
        return not self._arriving and not self._killer.busy and self._lending.may_part(link, self._turn.link)

    def owes(self, link: BackendConnection) -> bool:
        """Called by the pool: whether the client may ask for the warnings of a statement that ran on `link`."""
        return self._lending.owes(link)

    def part(self, link: BackendConnection, done: Callable[[Told | None], None]) -> None:
        """Called by the pool: another session gets `link`."""
        self._lending.part(link, done)

    def _may_leave_behind(self, link: BackendConnection) -> bool:
        return self._lending.may_leave_behind(link, self._turn.link)

    def _left(self, link: BackendConnection) -> Told:
        return self._machine.left(link.seen, warned=self._lending.owes(link))

    # --- a server goes away ------------------------------------------------------------------------------------------

    def heed(self, level: Level) -> None:
        """Later reads must see as much as `level` says, unless a hint or a rule says another."""
        self._servers.consistency.level = level

    def abandon(self, server: Server) -> None:
        """`server` does not answer its probes: a read that waits for its first byte from there need not wait longer."""
        self._losses.abandon(server)

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        """Called by a connection of this session."""
        if self._arriving:
            # The login hears of it as well, and tries again.
            self._links.remove(connection)
        else:
            self._losses.connection_broken(connection, reason)

    def follow(self) -> None:
        """Servers are not what they were: what leads to those of before is given up."""
        self._losses.follow()

    # --- back-pressure -----------------------------------------------------------------------------------------------

    def client_slow(self) -> None:
        """The client does not take its reply: stop reading from the server that sends it."""
        self._turn.client_slow = True
        if self._turn.link is not None:
            self._turn.link.pause_reading()

    def client_ready(self) -> None:
        """The client takes bytes again."""
        self._turn.client_slow = False
        # The connection that was paused may have no request any more: its reply can be over before the client took it.
        for link in self._links.values():
            link.resume_reading()

    def pause_client(self) -> None:
        """Called by a connection of this session."""
        self._client.pause_client()

    def resume_client(self) -> None:
        """Called by a connection of this session."""
        self._client.resume_client()
