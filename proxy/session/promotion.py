"""Moves a transaction that has read on a replica to the primary, before it does anything there that binds it.

Its reads are run again on the primary, inside of the transaction. If they give the same rows it is as if they had run
there in the first place. If not, the transaction is rolled back there, and the client gets the error of a deadlock,
which it has to expect of any transaction, and after which it tries again.
"""

import functools
import logging
from collections.abc import Callable
from typing import Final, Protocol

from proxy.backend.connection import BackendConnection, Owner, Sink
from proxy.routing.policy import IN_TRANSACTION
from proxy.session.machine import Machine
from proxy.session.preludes import PreludeRun
from proxy.session.promotions import Promotions
from proxy.session.request import Prelude, Request
from proxy.session.seenreads import SeenRead, SeenReads
from proxy.session.turn import Turn
from proxy.session.twin import Twin
from proxy.session.wording import reads_changed
from proxy.sql.effects import Hold, SetVariable
from proxy.sql.statement import SESSION
from proxy.sql.transactions import SAVEPOINTS
from proxy.wire import constants as c
from proxy.wire.capabilities import Layout
from proxy.wire.commands import EXECUTIONS
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Exchange
from proxy.wire.replies import Err
from proxy.wire.rowdigest import RowDigest

log = logging.getLogger(__name__)

_Chunk = Callable[[BackendConnection, Exchange, bytes], None]

# Whatever completion_type says.
_ROLLBACK: Final = b"ROLLBACK AND NO CHAIN NO RELEASE"


class Attempts(Owner, Protocol):
    """Where the request that waits for the promotion goes on, or is refused."""

    def proceed(self, link: BackendConnection, request: Request) -> None:
        """Run it on `link`."""

    def refuse(self, request: Request, err: Err) -> None:
        """Answer it with an error of ours."""


class Promotion:
    """One session's, one at a time. `seen` is what its transaction has read, `layout` that of its client; `name` is for
    the log."""

    def __init__(
        self,
        counts: Promotions,
        machine: Machine,
        turn: Turn,
        twin: Twin,
        attempts: Attempts,
        layout: Layout,
        name: str,
        seen: SeenReads,
    ) -> None:
        self._counts = counts
        self._machine = machine
        self._turn = turn
        self._twin = twin
        self._attempts = attempts
        self._layout = layout
        self._name = name
        self._seen = seen

    @property
    def on(self) -> bool:
        """Whether transactions are promoted at all."""
        return self._machine.state.twins.optimistic

    @property
    def possible(self) -> bool:
        """Whether the transaction has read something that can be read again."""
        return bool(self._seen.reads) and bool(self._seen.of(self._machine.state.twins.number))

    def keeps(self, request: Request) -> bool:
        """Whether `request`, a read of a transaction, can run on a replica, so that it can be repeated."""
        return self._seen.repeatable(request, self._machine.state.twins.number)

    def recorder(self, request: Request, sink: Sink) -> Sink:
        """Who gets the reply to such a read in the place of `sink`, which still gets it after that."""
        digest = RowDigest(self._layout)
        return _Digesting(sink, digest, functools.partial(self._record, request, sink, digest))

    def _record(
        self,
        request: Request,
        sink: Sink,
        digest: RowDigest,
        connection: BackendConnection,
        exchange: Exchange,
        chunk: bytes,
    ) -> None:
        if exchange.done and not exchange.errno:
            self._seen.keep(request, self._machine.state.twins.number, digest.value, IN_TRANSACTION)
        sink.reply_chunk(connection, exchange, chunk)

    def rescue(self) -> bool:
        """The replica is lost on which the transaction has read: whether it can go on with the same reads elsewhere."""
        if self.on:
            self._machine.state.twins.leave()
        return self.on

    def due(self, request: Request) -> bool:
        """Whether the transaction has to be promoted before `request` can run on the primary."""
        if not self.possible:
            return False
        return self._machine.requests.binds(request) or _changes_readings(request) or self._tells_of_it(request)

    def _tells_of_it(self, request: Request) -> bool:
        """Whether the primary's answer tells whether there is a transaction, which has not begun there yet."""
        status = self._machine.state.status
        return Hold(SAVEPOINTS) in request.statement.effects and not status & c.SERVER_STATUS_IN_TRANS

    def begin(self, link: BackendConnection, request: Request) -> None:
        """Promote the transaction on `link`, to the primary, and then run `request` there."""
        self._counts.begun += 1
        self._next(link, request, list(self._seen.reads))

    def _next(self, link: BackendConnection, request: Request, left: list[SeenRead]) -> None:
        if not left:
            self._machine.state.twins.leave()
            self._seen.of(0)
            self._attempts.proceed(link, request)
            return
        again = left[0].request
        prelude = self._machine.steps.prelude(link.seen, again)
        self._turn.prelude_sent(link)
        if prelude is not None:
            done = functools.partial(self._prelude_over, link, request, left, prelude)
            PreludeRun(self._attempts, done).start(link, prelude)
            return
        digest = RowDigest(self._layout)
        read = functools.partial(self._read, request, left, digest)
        packet = self._machine.steps.packet_for(link.seen, again)
        link.send(packet, Exchange(again.reply, link.layout), _Digesting(self._attempts, digest, read))

    def _prelude_over(
        self,
        link: BackendConnection,
        request: Request,
        left: list[SeenRead],
        prelude: Prelude,
        exchange: Exchange,
        _: bytes,
    ) -> None:
        if exchange.errno and not self._machine.steps.prelude_failed(prelude, link.seen):
            self._lose(link, request, exchange.errno)
            return
        if not exchange.errno:
            self._machine.steps.prelude_done(prelude, link.seen, exchange)
        self._next(link, request, left)

    def _read(
        self,
        request: Request,
        left: list[SeenRead],
        digest: RowDigest,
        link: BackendConnection,
        exchange: Exchange,
        _: bytes,
    ) -> None:
        if exchange.file_wanted:
            link.abort("it asks for a file where nobody can send one")
        if not exchange.done:
            return
        if exchange.status >= 0:
            self._machine.state.status = exchange.status
        if exchange.errno or digest.value != left[0].value:
            self._lose(link, request, exchange.errno)
        else:
            self._next(link, request, left[1:])

    def _lose(self, link: BackendConnection, request: Request, errno: int) -> None:
        self._counts.in_vain += 1
        why = f"error {errno}" if errno else "other rows"
        log.info("%s: reads of a transaction gave %s on %s; rolled back", self._name, why, link.server)
        done = functools.partial(self._rolled_back, link, request)
        PreludeRun(self._attempts, done).start(link, Prelude(self._machine.steps.query(_ROLLBACK)))

    def _rolled_back(self, link: BackendConnection, request: Request, exchange: Exchange, _: bytes) -> None:
        if exchange.errno:
            link.abort(f"it does not roll back (error {exchange.errno})")
            return
        self._machine.state.status = exchange.status
        self._machine.state.twins.lost()
        if self._twin.open:
            self._twin.request_over(None)
        self._attempts.refuse(request, reads_changed())


def _changes_readings(request: Request) -> bool:
    """Whether texts, or the values that they give, may be others after a request."""
    if request.code == c.COM_INIT_DB:
        return True
    if request.statement.kind is not SESSION or (request.code != c.COM_QUERY and request.code not in EXECUTIONS):
        return False
    return any(
        not isinstance(effect, SetVariable) or effect.name != "autocommit" for effect in request.statement.effects
    )


class _Digesting:
    """The sink of a read whose rows are digested. `then` gets each chunk afterwards, `owner` hears of all else."""

    def __init__(self, owner: Owner, digest: RowDigest, then: _Chunk) -> None:
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
