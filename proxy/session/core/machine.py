"""The session without any I/O: its state, and the parts that take commands and replies in."""

from dataclasses import replace
from typing import Final

from proxy.routing.forms import Forms
from proxy.routing.policy import REPLICA
from proxy.routing.rules import Rules
from proxy.routing.state import Seen, SessionState
from proxy.routing.told import Told
from proxy.session.core.laststatement import LastStatement
from proxy.session.core.memory import Memory
from proxy.session.core.outcomes import Outcomes
from proxy.session.core.prepared import Prepared
from proxy.session.core.request import Prelude, Request
from proxy.session.core.requests import Requests
from proxy.session.core.statements import Limits, Statements
from proxy.session.core.steps import Steps
from proxy.session.core.wording import no_cursor
from proxy.sql.cache import StatementCache
from proxy.sql.classify import MULTI_STATEMENT
from proxy.sql.effects import SetTransaction
from proxy.sql.statement import TRANSACTION, Statement
from proxy.wire import constants as c
from proxy.wire.commands import EXECUTIONS
from proxy.wire.replies import Err
from topology.servers import Vendor

_RUNS: Final = frozenset({c.COM_QUERY, *EXECUTIONS})


class Machine:
    """One session. `cache` classifies its texts, `vendor` is that of the servers, `flags` the capabilities agreed.

    `rules` are for `user`, whose session it is. `requests` makes requests of packets, `steps` tells what connections
    lack for them, `outcomes` takes in what replies change, and `last` is about the statement that ran last. `memory` is
    that of all sessions.
    """

    def __init__(
        self,
        cache: StatementCache,
        state: SessionState,
        vendor: Vendor = Vendor.MYSQL,
        limits: Limits | None = None,
        flags: int = 0,
        forms: Forms | None = None,
        rules: Rules | None = None,
        user: str = "",
        memory: Memory | None = None,
    ) -> None:
        attributes = bool(flags & c.CLIENT_QUERY_ATTRIBUTES)
        self.state = state
        self.statements = Statements(vendor, limits or Limits(), forms or Forms(), memory or Memory(), named=attributes)
        self.steps = Steps(state, self.statements, attributes)
        self.requests = Requests(cache, state, self.statements, vendor, rules, user, attributes=attributes)
        self.outcomes = Outcomes(state, self.statements, self.requests)
        self.last = LastStatement(state, self.steps, self.requests, vendor)
        self.vendor = vendor

    @property
    def movable(self) -> bool:
        """Whether the session can go on with another connection to the primary when it loses the one it has."""
        state = self.state
        in_transaction = state.status & c.SERVER_STATUS_IN_TRANS
        return not (state.private or in_transaction or self.statements.bound_to(state.reading.version))

    def tied(self, beside: frozenset[str]) -> str:
        """Why the primary's connection cannot be replaced by one that is told the session's state, empty if it can be;
        the reasons `beside` do not count, nor does that a transaction is open."""
        if self.statements.bound_to(self.state.reading.version):
            return "prepared"
        return self.state.tied(beside)

    def commits(self, request: Request) -> bool:
        """Whether a request may make last what its transaction has written."""
        ends = request.statement.kind is TRANSACTION and self.outcomes.dirty
        return ends and b"ROLLBACK" not in self.requests.text(request).upper()

    def may_part(self, seen: Seen, on_primary: bool) -> bool:
        """Whether a connection at rest can go to another session, and this one go on with another."""
        if self.statements.tied_to(seen) or seen.transaction:
            return False
        return not on_primary or (self.state.transferable and not self.statements.bound_to(self.state.reading.version))

    def left(self, seen: Seen, *, warned: bool) -> Told:
        """What a connection has of the session; `warned` says that its last statement there has left warnings.

        MariaDB keeps them through statements without a table, and nobody else may see them.
        """
        told = self.state.repeatable.told(seen)
        leftover = warned or (seen.warned and self.vendor is Vendor.MARIADB)
        return replace(told, bare=False) if leftover else told

    def gone(self, request: Request) -> Err:
        """The error for a request whose connection is gone: the statement's cursor, or its long data, went with it."""
        prepared = request.prepared
        assert prepared is not None
        if request.code == c.COM_STMT_FETCH:
            prepared.cursor = None
            message = f"{no_cursor(prepared.number, Vendor.MARIADB).message}: the connection that held it was lost"
            return Err(c.ER_STMT_HAS_NO_OPEN_CURSOR, message)
        prepared.spilled = None
        message = f"The long data sent for statement ({prepared.number}) was lost with its connection; send it again"
        return Err(c.ER_UNKNOWN_STMT_HANDLER, message)

    def relief(self, seen: Seen) -> bytes:
        """COM_STMT_CLOSEs for a server that takes no more prepared statements; empty if there is nothing to close."""
        return self.statements.relief(seen, self.state.reading.version)

    def close_statement(self, packet: bytes) -> Prepared | None:
        """COM_STMT_CLOSE: forget the statement and return it, so that it can be closed where it is known."""
        return self.statements.remove(packet)

    def sent(self, request: Request, seen: Seen) -> None:
        """A request is on its way on a connection."""
        if (prepared := request.prepared) is None:
            return
        if request.code in EXECUTIONS:
            prepared.ran, prepared.cursor = seen, None
        elif request.code == c.COM_STMT_SEND_LONG_DATA:
            prepared.spilled = seen
            self.statements.drop(prepared)

    def refused_as_write(self, request: Request, statement: Statement) -> None:
        """A replica refused what was taken for a read; `statement` is what it is taken for from now on."""
        request.statement, request.plain = statement, False
        if request.prepared is not None:
            request.prepared.statement = statement

    def leaves_twin(self, request: Request) -> bool:
        """Whether a request would read in another snapshot than the reads before it, which had one on a replica, itself
        or because one of them runs again in front of it."""
        if request.route.target is REPLICA or not self.state.has_twin:
            return False
        if not (request.again or self.requests.binds(request)):
            return False
        self.state.twins.barred = True
        return True

    def is_for_next(self, request: Request) -> bool:
        """Whether a request sets what the next transaction is like, on a primary that has none open."""
        if request.statement.reason == MULTI_STATEMENT or request.code not in _RUNS:
            return False
        sets = (effect for effect in request.statement.effects if isinstance(effect, SetTransaction))
        return not self.state.status & c.SERVER_STATUS_IN_TRANS and any(not effect.session for effect in sets)

    def twin_over(self, seen: Seen) -> Prelude | None:
        """The end of a transaction on a replica, if the one that it is the twin of is over, or goes on without it."""
        if self.state.has_twin and seen.transaction == self.state.twins.number:
            return None
        return Prelude(self.steps.query(b"COMMIT"))
