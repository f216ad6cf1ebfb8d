"""What a client sends in so many bytes that they are passed on as they come: a large command, or a file."""

from time import perf_counter
from typing import Final, Protocol

from proxy.flow import Hold, ReadGate
from proxy.session.core.inbox import Inbox, check_header
from proxy.session.core.machine import Machine
from proxy.session.core.memory import Memory
from proxy.session.core.passage import Passage
from proxy.session.core.phases import STREAMING, UPLOADING, WORKING, Phase
from proxy.session.core.request import Request
from proxy.session.running.runner import Runner
from proxy.session.shared.counting import Book
from proxy.session.shared.gate import in_progress
from proxy.wire import constants as c
from proxy.wire.exchange import Reply
from proxy.wire.replies import Err
from proxy.wire.stream import BodyStream, FileStream, PacketNumbers

_HEADER: Final = c.HEADER_SIZE


class Client(Protocol):
    """The session whose client sends it. With COM_CHANGE_USER its machine and its runner become others."""

    machine: Machine
    runner: Runner

    def enter(self, phase: Phase) -> None:
        """Go on in another phase."""

    def send_error(self, err: Err, sequence: int) -> None:
        """Answer with an error, in a packet of this number."""

    def request_over(self) -> None:
        """The command is over for the client."""


class Bulk:
    """That of one session. `passage` is what is under way, `renumbers` says that the client may count packets wrong."""

    def __init__(
        self, client: Client, inbox: Inbox, gate: ReadGate, memory: Memory, book: Book, *, renumbers: bool
    ) -> None:
        self._client = client
        self._inbox = inbox
        self._gate = gate
        self._memory = memory
        self._book = book
        self._renumbers = renumbers
        self.passage: Passage | None = None

    def take(self, length: int, head: bytes) -> None:
        """A command of `length` bytes has begun to come: run it, unless it is refused."""
        check_header(length, head[3])
        machine = self._client.machine
        if self._memory.full and not in_progress(machine.state):
            self.pass_over(length, head, self._memory.refused("statement"))
            return
        request = machine.requests.streamed(head)
        if not isinstance(request, Request):
            self.pass_over(length, head, request)
            return
        self._client.enter(STREAMING)
        answered = request.reply is not Reply.NONE
        self.passage = Passage(BodyStream(length), self._numbers(0), answered=answered, skip=_HEADER)
        if self._book.timing:
            self._book.came(request, perf_counter())
        request.packet, rest = self.passage.feed(head)
        self._inbox.add(rest)
        self._gate.hold(Hold.NO_SERVER_YET)
        self._client.runner.start(request)

    def pass_over(self, length: int, head: bytes, refusal: Err | None) -> None:
        """Have a large command read and not run; it is answered once all of it was read, unless it has no reply."""
        self._client.enter(STREAMING)
        if head[_HEADER] == c.COM_STMT_SEND_LONG_DATA:
            refusal = None if refusal is None or refusal.errno == c.ER_OUT_OF_RESOURCES else refusal
        self.passage = Passage(BodyStream(length), self._numbers(0), wanted=False, refusal=refusal, skip=_HEADER)
        self.stream(head)

    def take_file(self, sequence: int) -> None:
        """The client was asked for a file, in a packet of this number; all that it sends now belongs to that."""
        self._client.enter(UPLOADING)
        self.passage = Passage(FileStream(), self._numbers(sequence + 1))
        self._gate.release(Hold.INBOX_FULL)
        self.stream(self._inbox.take_all())

    def _numbers(self, first: int) -> PacketNumbers | None:
        """A client that compresses may have counted wrong, and nobody has looked so far."""
        return PacketNumbers(first) if self._renumbers else None

    def stream(self, data: bytes) -> None:
        """Pass the next bytes on."""
        passage = self.passage
        if passage is None:
            return
        piece, rest = passage.feed(data)
        if passage.wanted:
            self._client.runner.stream(piece)
        if passage.done:
            self.passage = None
            self._inbox.add(rest)
            self._passed(passage)

    def _passed(self, passage: Passage) -> None:
        if passage.is_file:
            self._client.enter(WORKING)
            self._client.runner.file_sent(passage.last)
        elif passage.wanted and passage.answered:
            self._client.enter(WORKING)
        else:
            if passage.refusal is not None:
                self._client.send_error(passage.refusal, (passage.last + 1) & 0xFF)
            self._client.request_over()
