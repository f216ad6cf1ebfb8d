"""Runs a transaction again that was lost with the primary, as long as its COMMIT was not sent: the client notices
nothing but a pause.

What it has done runs once more where the primary is now, and each reply is compared by its digest with what the client
was given. If one differs, the transaction is rolled back, and the client gets the error of a deadlock, after which it
tries again itself.
"""

import asyncio
import functools
import logging
from collections.abc import Callable
from typing import Final, Protocol

from proxy.backend.connection import CLOSED, BackendConnection, Owner, Sink
from proxy.backend.login import server_lost
from proxy.routing.policy import Target, route_to
from proxy.session.core.remedies import MOST_REPEATS
from proxy.session.core.request import Prelude, Request
from proxy.session.core.transactionlog import TransactionLog, tables_of
from proxy.session.core.wording import replay_differs
from proxy.session.running.common import Common
from proxy.session.running.preludes import PreludeRun
from proxy.session.running.repetition import Repeated, Repetition, digesting
from proxy.sql.effects import End
from proxy.sql.statement import TRANSACTION, Kind, Statement, Table
from proxy.wire import constants as c
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.replies import Err
from proxy.wire.rowdigest import RowDigest
from topology.servers import Server, Vendor

Step = Callable[[BackendConnection, Request], None]

log = logging.getLogger(__name__)

_ROLLED_BACK: Final = Statement(Kind.TRANSACTION, "transaction", (End(),))
_TO_PRIMARY: Final = route_to(Target.PRIMARY, "replay")
# Whatever completion_type says.
_ROLLBACK: Final = b"ROLLBACK AND NO CHAIN NO RELEASE"
# ER_OPTION_PREVENTS_STATEMENT (read_only), ER_READ_ONLY_MODE, ER_SERVER_SHUTDOWN: it is no primary yet, or no more.
_NOT_THERE: Final = frozenset({1290, 1836, c.ER_SERVER_SHUTDOWN})
# A table that can roll back. A view is none.
_CAN_ROLL_BACK: Final = (
    "SELECT 1 FROM information_schema.tables t JOIN information_schema.engines e ON e.engine = t.engine "
    "WHERE e.transactions = 'YES' AND t.table_schema = CONVERT(0x{} USING utf8mb4) "
    "AND t.table_name = CONVERT(0x{} USING utf8mb4)"
)
_STARTED_SINCE: Final = (
    "SHOW GLOBAL STATUS WHERE Variable_name = 'Uptime' AND (Value + 0 <= {} OR @@server_uuid <> '{}')"
)
# Since before a connection was opened: then the number of its thread is nobody else's. Seconds are whole ones there.
_UP_SINCE: Final = "SHOW GLOBAL STATUS WHERE Variable_name = 'Uptime' AND Value + 0 > {} AND {} = '{}'"
_SECONDS_OFF: Final = 2
_IDENTITY: Final = {Vendor.MARIADB: "@@server_id", Vendor.MYSQL: "@@server_uuid"}


class Attempts(Owner, Protocol):
    """Where the request that waits for the replay goes on, or is given up."""

    def run_on(self, link: BackendConnection, request: Request) -> None:
        """Run it on `link`, in its transaction."""

    def refuse(self, request: Request, err: Err) -> None:
        """Answer it with an error of ours."""


class Replay:
    """One session's, one at a time. `due` says that its transaction is lost, and has to be run again first.

    `layout` is that of the client; `name` is for the log.
    """

    def __init__(self, common: Common, attempts: Attempts, kept: TransactionLog) -> None:
        self.due = False
        self._counts = common.context.replays
        self._monitor = common.context.monitor
        self._machine = common.machine
        self._turn = common.turn
        self._servers = common.servers
        self._waiting = common.waiting
        self._client = common.client
        self._twin = common.twin
        self._attempts = attempts
        self._layout = common.layout
        self._name = common.name
        self._log = kept
        self._repetition = Repetition(common, attempts)
        self._silent: Server | None = None
        self._identity = ""
        self._since = 0.0
        self._left: tuple[int, float] | None = None

    def end(self) -> None:
        """The session has ended."""
        self._log.clear()

    # --- what the transaction does -----------------------------------------------------------------------------------

    def recorder(self, request: Request, sink: Sink) -> Sink:
        """Who gets the primary's reply to a request in the place of `sink`, which still gets it after that."""
        state = self._machine.state
        self._log.follow(state)
        if not self._log.wants(request, state):
            return sink
        return digesting(sink, self._layout, functools.partial(self._record, request))

    def _record(self, request: Request, exchange: Exchange, value: tuple[int, ...]) -> bool:
        state, link = self._machine.state, self._turn.link
        if exchange.errno == c.ER_SERVER_SHUTDOWN and link is not None and not self._obstacle(link, request):
            # It closes next, and its transactions are lost with that.
            link.abort("it shuts down")
            return False
        known = not state.wrote
        self._log.note(request, self._text(request), state, exchange.status, value, known=known)
        return True

    def _text(self, request: Request) -> bytes:
        textual = request.code == c.COM_QUERY or request.prepared is not None
        return self._machine.requests.text(request) if textual else b""

    @property
    def outlook(self) -> str:
        """Whether the open transaction could be run again: yes, or why not; empty while there is none."""
        if not (self.due or self._machine.state.status & c.SERVER_STATUS_IN_TRANS):
            return ""
        return self._log.reason or self._tied() or "yes"

    # --- it is lost --------------------------------------------------------------------------------------------------

    def saves(self, link: BackendConnection, reason: str, request: Request | None = None) -> bool:
        """Whether the transaction that was lost with `link` will be run again, before `request` if there is one at
        work. If not, it is lost for good."""
        if not self._concerns(request):
            return False
        if why := self._obstacle(link, request):
            self._give_up(why)
            return False
        silent = reason == CLOSED and not link.farewell and self._machine.vendor is Vendor.MYSQL
        self._silent, self._since = link.server if silent else None, asyncio.get_running_loop().time()
        # If it is still the server that it was, that may not have noticed.
        unnoticed = reason != CLOSED and not link.farewell and self._monitor.current(link.server)
        self._left = (link.thread, link.opened) if unnoticed else None
        observation = self._monitor.snapshot.primary.observation
        self._identity = observation.identity if observation is not None else ""
        self.due = True
        if self._log.insert_id:
            self._machine.state.insert_id_lost = False
        return True

    def _concerns(self, request: Request | None) -> bool:
        """Whether there is a transaction, or `request` begins one."""
        if self._log.begun or self.due:
            return True
        if request is None:
            return False
        return self._machine.state.in_transaction or request.statement.kind is TRANSACTION

    def _obstacle(self, link: BackendConnection, request: Request | None) -> str:
        if self._log.reason:
            return self._log.reason
        if len(link.farewell) > 7 and int.from_bytes(link.farewell[5:7], "little") != c.ER_SERVER_SHUTDOWN:
            return "closed"
        if why := self._tied():
            return why
        if request is None:
            return ""
        if request.streamed:
            return "too-large"
        if self._turn.exchange is None:
            return "too-often" if request.repeats > MOST_REPEATS else ""
        if self._turn.forwarded:
            return "reply-begun"
        return "too-often" if request.lost else self._may_rerun(request)

    def _tied(self) -> str:
        if why := self._machine.tied(self._log.beside):
            return why
        return "prepared" if any(map(self._machine.steps.out_of_reach, self._log.prepared)) else ""

    def _may_rerun(self, request: Request) -> str:
        return self._log.may_rerun(request, self._text(request), self._machine.state)

    def _give_up(self, why: str) -> None:
        # Without what follows a colon, which is a name out of a text.
        self._counts.not_run[why.partition(":")[0]] += 1
        log.info("%s: a transaction is lost with the primary, and not run again: %s", self._name, why)
        self.due = False
        self._log.clear()

    def forgoes(self, request: Request) -> bool:
        """Whether a request ends the transaction without a commit, so that it need not be run again for that."""
        ends = request.code == c.COM_RESET_CONNECTION or (
            any(isinstance(effect, End) for effect in request.statement.effects)
            and b"ROLLBACK" in self._text(request).upper()
        )
        if ends:
            self.due = False
            self._log.clear()
        return ends

    # --- it is run again ---------------------------------------------------------------------------------------------

    def begin(self, link: BackendConnection, request: Request) -> None:
        """Run the transaction again on `link`, to the primary, and then `request` there."""
        self._ask_whether_closed(link, request)

    def _ask_whether_closed(self, link: BackendConnection, request: Request) -> None:
        """MySQL closes without a word when a connection is killed, as it does when it dies itself. If it has been up
        all the time, somebody wanted the transaction to end."""
        if link.server is not self._silent:
            self._ask_for_thread(link, request)
            return
        seconds = int(asyncio.get_running_loop().time() - self._since) + 1
        text = _STARTED_SINCE.format(seconds, self._identity)
        self._ask(link, request, text, 1, "closed", self._ask_for_thread)

    def _ask_for_thread(self, link: BackendConnection, request: Request) -> None:
        """Where only the network was cut the server may still have the lost connection, and the transaction's locks."""
        left, self._left = self._left, None
        if left is None:
            self._ask_for_engines(link, request)
            return

        thread, opened = left

        def told(rows: int) -> None:
            if rows:
                self._count_rows(link, request, f"KILL {thread}", lambda _: self._ask_for_engines(link, request))
            else:
                self._ask_for_engines(link, request)

        seconds = int(asyncio.get_running_loop().time() - opened) + _SECONDS_OFF
        text = _UP_SINCE.format(seconds, _IDENTITY[self._machine.vendor], self._identity)
        self._count_rows(link, request, text, told)

    def _ask_for_engines(self, link: BackendConnection, request: Request) -> None:
        """What a table without transactions has taken is not rolled back, and would be written twice."""
        own = tables_of(request, self._machine.state.schema) if request.lost else set()
        tables = sorted(self._log.tables | own)
        text = " UNION ALL ".join(map(_can_roll_back, tables))
        if text:
            self._ask(link, request, text, len(tables), "no-rollback", self._run)
        else:
            self._run(link, request)

    def _ask(self, link: BackendConnection, request: Request, text: str, rows: int, otherwise: str, then: Step) -> None:
        """Go on with `then` if the answer has so many rows; else the transaction is lost, the reason is `otherwise`."""

        def told(found: int) -> None:
            if found == rows:
                then(link, request)
            else:
                self._give_up(otherwise)
                self._end_session(link, f"the transaction cannot be run again ({otherwise})")

        self._count_rows(link, request, text, told)

    def _count_rows(self, link: BackendConnection, request: Request, text: str, then: Callable[[int], None]) -> None:
        """Run a statement of our own, and go on with the number of its rows: none where it gives an error."""

        def answered(exchange: Exchange, reply: bytes) -> None:
            digest = RowDigest(self._layout)
            digest.feed(reply)
            if exchange.errno in _NOT_THERE:
                self._postpone(link, request)
            else:
                then(digest.rows)

        self._turn.prelude_sent(link)
        PreludeRun(self._attempts, answered).start(link, Prelude(self._machine.steps.query(text.encode())))

    def _run(self, link: BackendConnection, request: Request) -> None:
        log.info("%s: %d statements of a transaction run again on %s", self._name, len(self._log.entries), link.server)
        self._repetition.run(link, list(self._log.entries), functools.partial(self._ran_again, request))

    def _ran_again(self, request: Request, link: BackendConnection, repeated: Repeated) -> None:
        if self._log.writes:
            # What LAST_INSERT_ID() gives there, only it knows.
            self._machine.state.insert_id = link.seen.insert_id = None
        if repeated.errno in _NOT_THERE:
            self._postpone(link, request)
        elif repeated.equal and self._is_open(repeated.status):
            self._counts.begun += 1
            self.due = False
            self._attempts.run_on(link, request)
        else:
            self._lose(link, request, repeated.errno)

    def _postpone(self, link: BackendConnection, request: Request) -> None:
        """`link` leads to a server that is no primary yet, or no more: part from it, and wait for one."""
        self._servers.remove(link)
        link.close()
        self._turn.unsent()
        self._monitor.look()
        if not self._waiting.for_primary(request):
            self.abandon()
            self._attempts.refuse(request, server_lost(link.server, "it does not accept writes"))

    def abandon(self) -> None:
        """No primary was there in time: what the transaction has done is lost, and the session with it."""
        if self.due:
            self._give_up("no-primary")
            self._client.state_lost(b"")

    def _end_session(self, link: BackendConnection, reason: str) -> None:
        self._client.lose(server_lost(link.server, reason), 1)

    def _is_open(self, status: int) -> bool:
        """Whether the transaction is as far as it was; without a status it has only given errors."""
        within = self._machine.state.status & c.SERVER_STATUS_IN_TRANS
        return status < 0 or status & c.SERVER_STATUS_IN_TRANS == within

    def _lose(self, link: BackendConnection, request: Request, errno: int) -> None:
        self._counts.begun += 1
        self._counts.in_vain += 1
        why = f"error {errno}" if errno else "other results"
        log.warning("%s: a transaction gave %s on %s; rolled back", self._name, why, link.server)
        packet = self._machine.steps.query(_ROLLBACK)
        rollback = Request(packet, _ROLLED_BACK, _TO_PRIMARY, Reply.RESULT)
        done = functools.partial(self._rolled_back, link, request, rollback)
        PreludeRun(self._attempts, done).start(link, Prelude(packet))

    def _rolled_back(
        self, link: BackendConnection, request: Request, rollback: Request, exchange: Exchange, _: bytes
    ) -> None:
        self.due = False
        self._log.clear()
        if exchange.errno:
            self._end_session(link, f"it does not roll back (error {exchange.errno})")
            return
        self._machine.outcomes.replied(rollback, exchange, link.seen, on_primary=True)
        if self._twin.open:
            self._twin.request_over(None)
        self._attempts.refuse(request, replay_differs())


def _can_roll_back(table: Table) -> str:
    """Gives one row if it can."""
    return _CAN_ROLL_BACK.format(*(name.encode().hex() for name in table))
