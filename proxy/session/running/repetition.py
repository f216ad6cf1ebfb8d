"""Runs requests once more on another connection than they ran on, and compares what they give with what they gave."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from proxy.backend.connection import BackendConnection, Owner, Sink
from proxy.session.core.request import Prelude, Ran
from proxy.session.running.common import Common
from proxy.session.running.preludes import PreludeRun
from proxy.wire.capabilities import Layout
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Exchange
from proxy.wire.rowdigest import RowDigest

_VARIABLE: Final = "manyreads_replay"
# The version of a user variable that is none of the session's: without it the connection can be nobody else's.
_OURS: Final = -1
# In front of a statement that has made a number, which may have to be made once more.
_BEFORE: Final = (b"SET @manyreads_replay = LAST_INSERT_ID()", b"SAVEPOINT manyreads_replay")
_TO_SAVEPOINT: Final = b"ROLLBACK TO SAVEPOINT manyreads_replay"

Chunk = Callable[[BackendConnection, Exchange, bytes], None]


@dataclass(frozen=True, slots=True)
class Repeated:
    """How it went: whether all gave the same, else the error that came instead of it (0 for none), and the last status
    word that the server has told, -1 for none."""

    equal: bool
    errno: int
    status: int


Done = Callable[[BackendConnection, Repeated], None]


class Repetition:
    """One session's, one at a time. `owner` hears what happens to the connection, `layout` is that of the client."""

    def __init__(self, common: Common, owner: Owner) -> None:
        self._steps = common.machine.steps
        self._turn = common.turn
        self._owner = owner
        self._layout = common.layout
        self._status = -1

    def run(self, link: BackendConnection, all_: Sequence[Ran], done: Done) -> None:
        """Run all of these on `link`, each once the one before gave the same, and then call `done`."""
        self._status = -1
        self._next(link, all_, done)

    def _next(self, link: BackendConnection, left: Sequence[Ran], done: Done) -> None:
        if not left:
            done(link, Repeated(True, 0, self._status))
        elif left[0].insert_id:
            link.seen.variables[_VARIABLE] = _OURS
            self._tell(link, _BEFORE, done, functools.partial(self._bring_in_step, link, left, done))
        else:
            self._bring_in_step(link, left, done)

    def _tell(self, link: BackendConnection, texts: Sequence[bytes], done: Done, then: Callable[[], None]) -> None:
        """Run texts of our own, and then go on."""
        if not texts:
            then()
            return

        def over(exchange: Exchange, _: bytes) -> None:
            if exchange.errno:
                done(link, Repeated(False, exchange.errno, self._status))
            else:
                self._tell(link, texts[1:], done, then)

        self._turn.prelude_sent(link)
        PreludeRun(self._owner, over).start(link, Prelude(self._steps.query(texts[0])))

    def _bring_in_step(
        self, link: BackendConnection, left: Sequence[Ran], done: Done, *, as_before: bool = False
    ) -> None:
        prelude = self._steps.prelude(link.seen, left[0].request)
        self._turn.prelude_sent(link)
        if prelude is None:
            self._send(link, left, done, as_before)
            return

        def over(exchange: Exchange, _: bytes) -> None:
            if exchange.errno and not self._steps.prelude_failed(prelude, link.seen):
                done(link, Repeated(False, exchange.errno, self._status))
                return
            if not exchange.errno:
                self._steps.prelude_done(prelude, link.seen, exchange)
            self._bring_in_step(link, left, done, as_before=as_before)

        PreludeRun(self._owner, over).start(link, prelude)

    def _send(self, link: BackendConnection, left: Sequence[Ran], done: Done, as_before: bool) -> None:
        again, digest = left[0].request, RowDigest(self._layout)
        chunk = functools.partial(self._answered, left, done, digest, as_before)
        packet = self._steps.packet_for(link.seen, again)
        link.send(packet, Exchange(again.reply, link.layout), Digesting(self._owner, digest, chunk))

    def _answered(
        self,
        left: Sequence[Ran],
        done: Done,
        digest: RowDigest,
        as_before: bool,
        link: BackendConnection,
        exchange: Exchange,
        _: bytes,
    ) -> None:
        if exchange.file_wanted:
            link.abort("it asks for a file where nobody can send one")
        if not exchange.done:
            return
        if exchange.status >= 0:
            self._status = exchange.status
        if digest.value == left[0].value:
            self._next(link, left[1:], done)
        elif left[0].insert_id and not (exchange.errno or as_before):
            self._insert_as_before(link, left, done)
        else:
            done(link, Repeated(False, exchange.errno, self._status))

    def _insert_as_before(self, link: BackendConnection, left: Sequence[Ran], done: Done) -> None:
        """The server made another number than before, which it had given away: it is told which one to make.

        Not before: where the statement itself has the number, what was told would be left for the next one.
        """
        again = functools.partial(self._bring_in_step, link, left, done, as_before=True)
        numbers = b"SET insert_id = %d, last_insert_id = @manyreads_replay" % left[0].insert_id
        self._tell(link, (_TO_SAVEPOINT, numbers), done, again)


class Digesting:
    """The sink of a reply that is digested. `then` gets each chunk afterwards, `owner` hears of all else."""

    def __init__(self, owner: Owner, digest: RowDigest, then: Chunk) -> None:
        self._digest = digest
        self._then = then
        self.connection_broken = owner.connection_broken
        self.pause_client = owner.pause_client
        self.resume_client = owner.resume_client

    def reply_chunk(self, connection: BackendConnection, exchange: Exchange, chunk: bytes) -> None:
        """Called by the connection."""
        try:
            self._digest.feed(chunk)
        except MalformedPacket as error:
            connection.abort(f"malformed reply: {error}")
            return
        self._then(connection, exchange, chunk)


def digesting(sink: Sink, layout: Layout, over: Callable[[Exchange, tuple[int, ...]], bool]) -> Sink:
    """The sink of a reply that `sink` gets, too; right before its end `over` is told its digest, and may keep the end
    from `sink` by returning False."""
    digest = RowDigest(layout)

    def then(connection: BackendConnection, exchange: Exchange, chunk: bytes) -> None:
        if not exchange.done or over(exchange, digest.value):
            sink.reply_chunk(connection, exchange, chunk)

    return Digesting(sink, digest, then)
