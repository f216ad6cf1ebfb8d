"""Moves a transaction that has read on a replica to the primary, before it does anything there that binds it.

Its reads are run again on the primary, inside of the transaction. If they give the same rows it is as if they had run
there in the first place. If not, the transaction is rolled back there, and the client gets the error of a deadlock,
which it has to expect of any transaction, and after which it tries again.
"""

import functools
import logging
from typing import Final, Protocol

from proxy.backend.connection import BackendConnection, Owner, Sink
from proxy.routing.policy import IN_TRANSACTION
from proxy.session.core.request import Prelude, Request
from proxy.session.core.seenreads import SeenReads
from proxy.session.core.transactionlog import TransactionLog
from proxy.session.core.wording import reads_changed
from proxy.session.running.common import Common
from proxy.session.running.preludes import PreludeRun
from proxy.session.running.repetition import Repeated, Repetition, digesting
from proxy.sql.effects import Hold, SetVariable
from proxy.sql.statement import SESSION
from proxy.sql.transactions import SAVEPOINTS
from proxy.wire import constants as c
from proxy.wire.commands import EXECUTIONS
from proxy.wire.exchange import Exchange
from proxy.wire.replies import Err

log = logging.getLogger(__name__)

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
    the log. Where transactions are replayed, `log` is told what one has read."""

    def __init__(self, common: Common, attempts: Attempts, seen: SeenReads, log: TransactionLog | None) -> None:
        self._counts = common.context.promotions
        self._machine = common.machine
        self._twin = common.twin
        self._repetition = Repetition(common, attempts)
        self._attempts = attempts
        self._layout = common.layout
        self._name = common.name
        self._seen = seen
        self._log = log

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
        return digesting(sink, self._layout, functools.partial(self._record, request))

    def _record(self, request: Request, exchange: Exchange, value: tuple[int, ...]) -> bool:
        if not exchange.errno:
            self._seen.keep(request, self._machine.state.twins.number, value, IN_TRANSACTION)
        return True

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
        self._repetition.run(link, list(self._seen.reads), functools.partial(self._read_again, request))

    def _read_again(self, request: Request, link: BackendConnection, repeated: Repeated) -> None:
        if repeated.status >= 0:
            self._machine.state.status = repeated.status
        if not repeated.equal:
            self._lose(link, request, repeated.errno)
            return
        self._machine.state.twins.leave()
        if self._log is not None:
            self._log.adopt(self._seen.reads)
        self._seen.of(0)
        self._attempts.proceed(link, request)

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
