"""A client's connection after its login: takes commands in, has them run, and passes replies on."""

import asyncio
import logging
from time import perf_counter
from typing import Final, Protocol, cast

from proxy.backend.connection import BackendConnection
from proxy.backend.login import Identity
from proxy.channel import PacketChannel
from proxy.flow import Hold, ReadGate
from proxy.parting import part
from proxy.session.asking import Asking
from proxy.session.bulk import Bulk
from proxy.session.core.inbox import HIGH_WATER, Inbox, is_one_packet
from proxy.session.core.machine import Machine
from proxy.session.core.memory import Holdings
from proxy.session.core.phases import CHANGING, CLOSED, DUMPING, IDLE, STREAMING, TRANSITIONS, UPLOADING, WORKING, Phase
from proxy.session.core.request import Asked, Request
from proxy.session.core.understood import understood
from proxy.session.presence import Presence
from proxy.session.running.runner import Runner
from proxy.session.shared.context import Context
from proxy.session.shared.gate import in_progress
from proxy.transport.compressed import CompressedToClient
from proxy.wire import constants as c
from proxy.wire.commands import EXECUTIONS
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Reply
from proxy.wire.framing import frame
from proxy.wire.replies import Err, err_payload

log = logging.getLogger(__name__)

# A slow client holds at most about this much of a reply in memory before its server is no longer read.
_WRITE_HIGH_WATER: Final = 512 * 1024
# A command of so many bytes is counted in the memory.
_LONG: Final = 16 * 1024
# What is refused while that is full.
_COSTLY: Final = frozenset({c.COM_QUERY, c.COM_STMT_PREPARE, *EXECUTIONS})


class Changer(Protocol):
    """Who logs another user in on the connection of a session."""

    async def change(self, session: "ClientSession", channel: PacketChannel, payload: bytes) -> None:
        """Do what a COM_CHANGE_USER asks for, and end with `changed`, `unchanged` or `close` of the session."""


class ClientSession(asyncio.Protocol):
    """One logged-in client. `name` is for the log, `connection_id` is the one that the client was greeted with."""

    def __init__(
        self,
        context: Context,
        identity: Identity,
        machine: Machine,
        name: str,
        connection_id: int,
        changer: Changer,
    ) -> None:
        self._context = context
        self.machine = machine
        self._name = name
        self.identity = identity
        self.statements = 0
        self.phase: Phase = IDLE
        self._inbox = Inbox()
        self._proceeding = False
        self._doomed = False
        self._farewell = b""
        self._slow = False
        self._compressed: CompressedToClient | None = None
        self._changer = changer
        self._memory = context.memory
        self._volume = context.volume
        self._book = context.book
        self._dialogue: PacketChannel | None = None
        self._change: asyncio.Task[None] | None = None
        self.presence = Presence(self, connection_id)
        self.runner = Runner(context, identity, machine, name, self)
        self._asking = self._new_asking()

    def _new_asking(self) -> Asking:
        who, state = self.identity, self.machine.state
        return Asking(self._context, self.runner, state, who.user, who.origin.address, who.capabilities, self._tell)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called when the login is over."""
        self._transport = cast(asyncio.Transport, transport)
        self._gate = ReadGate(self._transport)
        self._holdings = Holdings(self._memory, self._inbox, self._transport, self._at_work, self._part)
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH_WATER)
        self.runner.attach(self._transport.write)
        if isinstance(transport, CompressedToClient):
            self._compressed = transport
        renumbers = isinstance(transport, CompressedToClient)
        self._bulk = Bulk(self, self._inbox, self._gate, self._memory, self._book, renumbers=renumbers)
        self._context.enter(self.presence)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        if self._dialogue is not None:
            self._dialogue.connection_lost(exc)
        self.close()

    def pause_writing(self) -> None:
        """Called by the event loop: the client does not take its reply."""
        self._slow = True
        self._holdings.weigh()
        self.runner.client_slow()
        self._asking.client_slow()

    def resume_writing(self) -> None:
        """Called by the event loop."""
        self._slow = False
        self._holdings.weigh()
        self.runner.client_ready()
        self._asking.client_ready()

    def close(self) -> None:
        """End the session and give up its server connections. Safe to call twice."""
        # Whoever is still sending a command shall be able to read why it was refused.
        sending = self._bulk.passage is not None
        if self.phase is CLOSED:
            return
        under_way = self.phase is WORKING or self.phase is DUMPING
        self.enter(CLOSED)
        self._holdings.end()
        self._context.leave(self.presence)
        if self._change is not None:
            self._change.cancel()
        self.runner.close(under_way)
        if sending:
            part(self._transport)
        else:
            self._transport.close()

    def enter(self, phase: Phase) -> None:
        """Go on in another phase."""
        if phase not in TRANSITIONS[self.phase]:
            raise AssertionError(f"a session cannot go from {self.phase.name} to {phase.name}")
        self.phase = phase

    # --- commands in -------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self._volume.received += len(data)
        try:
            if self.phase is IDLE and not self._inbox and is_one_packet(data):
                self._take(data)
            elif (self.phase is STREAMING and not self._gate.held(Hold.NO_SERVER_YET)) or self.phase is UPLOADING:
                self._bulk.stream(data)
            elif self.phase is DUMPING:
                self.runner.stream(data)
            elif self._dialogue is not None:
                self._dialogue.data_received(data)
            else:
                self._inbox.add(data)
                self._proceed()
                self._holdings.weigh()
        except MalformedPacket as error:
            self.refuse_malformed(error)

    def _proceed(self) -> None:
        """Take commands from the inbox as long as they can be dealt with at once."""
        if self._proceeding:
            return
        self._proceeding = True
        try:
            while self.phase is IDLE and self._inbox:
                if (packet := self._inbox.take()) is not None:
                    self._take(packet)
                elif (large := self._inbox.take_large()) is not None:
                    self._bulk.take(*large)
                elif self._memory.full and (begun := self._inbox.take_begun()) is not None:
                    self._bulk.pass_over(*begun, self._memory.refused("statement"))
                else:
                    break
        except MalformedPacket as error:
            # Here, because it is a server's reply that lets the next command be looked at.
            self.refuse_malformed(error)
        finally:
            self._proceeding = False
        if self.phase is WORKING and len(self._inbox) > (0 if self._memory.full else HIGH_WATER):
            self._gate.hold(Hold.INBOX_FULL)

    def _take(self, packet: bytes) -> None:
        code = packet[c.HEADER_SIZE]
        if code == c.COM_QUIT:
            self.close()
            return
        if code == c.COM_STMT_CLOSE:
            self.runner.close_statement(packet)
            return
        if code == c.COM_PING and self._context.draining and self.runner.insight.at_rest:
            # A pool asks before it gives the connection to somebody, and opens another one instead.
            self.close()
            return
        begun = perf_counter() if self._book.timing else 0.0
        request = self.machine.requests.make(packet)
        if isinstance(request, Request):
            if self._memory.full and self._shed(request):
                return
            if begun:
                self._book.came(request, begun)
            self.statements += 1
            self.enter(WORKING)
            if len(packet) >= _LONG:
                self._holdings.command = len(packet)
                self._holdings.weigh()
            self.runner.start(request)
        elif isinstance(request, Asked):
            self.enter(WORKING)
            self._asking.ask(request)
        elif code == c.COM_CHANGE_USER:
            self._change_user(packet)
        elif request is not None:
            self.machine.last.refused(request)
            self._answer(request)

    def _answer(self, err: Err) -> None:
        """Answer a command with an error at once."""
        self.send_error(err, 1)
        if self._compressed is not None:
            self._compressed.reply_over()

    def _shed(self, request: Request) -> bool:
        """Whether a command is refused for want of memory: none that ends something, nor what a transaction needs."""
        if request.code not in _COSTLY or request.kill is not None or in_progress(self.machine.state):
            return False
        self._answer(self._memory.refused("statement"))
        return True

    def _at_work(self) -> bool:
        """Whether a server has to do something next, and not the client."""
        return self.phase is WORKING and not self._slow

    def _part(self) -> None:
        """The memory that is held for the client is needed."""
        log.warning(
            "%s: took nothing of its reply, nor sent the rest of a command, for long (memory_limit)", self._name
        )
        self.close()
        self._transport.abort()

    def _tell(self, reply: bytes) -> None:
        """Answer with a whole reply of the proxy's own."""
        self._write(reply)
        self.request_over()

    def _write(self, reply: bytes) -> None:
        self._volume.sent += len(reply)
        self._transport.write(reply)

    def _change_user(self, packet: bytes) -> None:
        self.enter(CHANGING)
        self._dialogue = PacketChannel.amid(self._transport, 1)
        self._dialogue.data_received(self._inbox.take_all())
        payload = packet[c.HEADER_SIZE :]
        self._change = self._context.spawn(self._changer.change(self, self._dialogue, payload))

    def send_error(self, err: Err, sequence: int) -> None:
        """Answer with an error, in a packet of this number."""
        self._write(frame(err_payload(understood(err, self.identity.attributes)), sequence))

    def refuse_malformed(self, error: MalformedPacket) -> None:
        """What the client sent makes no sense: say so, and close."""
        log.warning("%s: malformed packet: %s; connection closed", self._name, error)
        self.send_error(Err(c.ER_NET_PACKETS_OUT_OF_ORDER, "Malformed packet", "08S01"), 1)
        self.close()

    # --- what a change of the user tells -----------------------------------------------------------------------------

    def changed(self, identity: Identity, machine: Machine, link: BackendConnection) -> None:
        """Go on as another user, whose connection to the primary is `link`, with nothing of the one before."""
        self.runner.close(under_way=False)
        self.machine, self.identity = machine, identity
        self.runner = Runner(self._context, identity, machine, self._name, self)
        self.runner.attach(self._transport.write)
        self._asking = self._new_asking()
        if self._slow:
            self.runner.client_slow()
            self._asking.client_slow()
        self._go_on(link)

    def unchanged(self, link: BackendConnection) -> None:
        """Go on as the user that the session had. The primary has set the session back, but not the whole of it."""
        self.machine.outcomes.reset(link.seen)
        self.machine.state.pin_down("change-user")
        self.machine.state.status = c.SERVER_STATUS_AUTOCOMMIT
        self._go_on(link)

    def _go_on(self, link: BackendConnection) -> None:
        if self.phase is CLOSED:
            link.close()
            return
        self.runner.adopt(link)
        dialogue, self._dialogue = self._dialogue, None
        assert dialogue is not None
        self._inbox.add(dialogue.end())
        self.request_over()

    # --- what the runner tells ---------------------------------------------------------------------------------------

    def request_sent(self) -> None:
        """Called by the runner: the rest of a large command may follow, or what answers the events of a dump."""
        if self.phase is WORKING:
            self.enter(DUMPING)
            # As servers do: they close when the last event was sent.
            self._doomed = True
            self._gate.release(Hold.INBOX_FULL)
            self.runner.stream(self._inbox.take_all())
            return
        self._gate.release(Hold.NO_SERVER_YET)
        self._bulk.stream(self._inbox.take_all())

    def file_wanted(self, sequence: int) -> None:
        """Called by the runner: the client was asked for a file, and all that it sends now belongs to that."""
        if self.phase is not WORKING:
            # No server asks in the middle of a command.
            self.close()
            return
        self._bulk.take_file(sequence)

    def reply_goes_on(self) -> None:
        """Called by the runner."""
        self._holdings.weigh()

    def request_over(self) -> None:
        """Called by the runner."""
        self.enter(IDLE)
        if self._holdings.held:
            self._holdings.over()
        if self._compressed is not None:
            self._compressed.reply_over()
        # Answered before the whole of it was sent, a large command or a file leaves bytes behind that are no commands.
        if self._bulk.passage is not None or self._doomed or (self._context.hurrying and self.runner.insight.at_rest):
            self._leave()
        elif self._inbox:
            self._gate.release(Hold.INBOX_FULL)
            self._proceed()

    def refuse(self, request: Request, err: Err) -> None:
        """Called by the runner."""
        if request.reply is not Reply.NONE:
            self.send_error(err, 1)
        self.request_over()

    def lose(self, err: Err, sequence: int) -> None:
        """Called by the runner."""
        # A client that sends a file expects no packet before the end of that; no server has one for it either.
        if sequence and self.phase is not UPLOADING:
            self.send_error(err, sequence)
        self.close()

    def state_lost(self, farewell: bytes) -> None:
        """Called by the runner: what the primary's connection took with it, a plain server would have taken too."""
        self._doomed, self._farewell = True, farewell
        if self.phase is IDLE:
            self._leave()

    def refuse_waiting(self, err: Err) -> None:
        """Called by the runner."""
        if self.phase is not WORKING and self.phase is not STREAMING:
            return
        if self._farewell:
            self._leave()
        else:
            self.lose(err, 1)

    def _leave(self) -> None:
        """Close, with the primary's last words if there are any."""
        self._write(self._farewell)
        self.close()

    def pause_client(self) -> None:
        """Called by the runner."""
        self._gate.hold(Hold.BACKEND_FULL)

    def resume_client(self) -> None:
        """Called by the runner."""
        self._gate.release(Hold.BACKEND_FULL)
