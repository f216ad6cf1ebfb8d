"""What a reply changes in a session. Pure."""

from dataclasses import replace
from typing import Final

from proxy.routing.state import Seen, SessionState
from proxy.session.core.prepared import Prepared
from proxy.session.core.request import Request
from proxy.session.core.requests import Requests
from proxy.session.core.statements import Statements
from proxy.sql.changes import only_temporary
from proxy.sql.classify import MULTI_STATEMENT
from proxy.sql.settings import SET_STATEMENT
from proxy.sql.statement import NO_TABLES, PRIMARY, SESSION, TRANSACTION, Tables, touched
from proxy.wire import constants as c
from proxy.wire.commands import EXECUTIONS
from proxy.wire.exchange import Exchange
from proxy.wire.sessiontrack import SessionTrack
from topology.freshness import resolved

# In a transaction these commit first.
_COMMITTING: Final = frozenset({"lock", "unlock", "flush-lock", "backup"})
# Of a transaction that has written to more, any table is taken for written.
_MOST_WRITTEN: Final = 100


class Outcomes:
    """Keeps one session's state in step with its replies.

    `written` are the tables, by their full names, that have been written since the last commit, the one under way
    included.
    """

    def __init__(self, state: SessionState, statements: Statements, requests: Requests) -> None:
        self.written: Tables = NO_TABLES
        self._dirty = False
        self._state = state
        self._statements = statements
        self._requests = requests

    @property
    def dirty(self) -> bool:
        """Whether the transaction that is open has written."""
        return self._dirty

    def wrote(self, request: Request, status: int = -1) -> bool:
        """Whether others may see changed data now that (a part of) the reply to `request` is here.

        `status` are the flags that the server has told in it, -1 when none are known.
        """
        statement = request.statement
        if request.code == c.COM_STMT_PREPARE:
            return False
        if statement.kind is TRANSACTION or statement.kind is SESSION or statement.reason in _COMMITTING:
            # COMMIT, or a SET autocommit that commits: counts only if something was written in the transaction.
            return self._dirty
        if statement.writes:
            self._dirty = True
            self._add_written(request)
            return True
        # The server has the last word on whether its transaction is over.
        ended = status >= 0 and not status & c.SERVER_STATUS_IN_TRANS
        return self._dirty and ended and statement.kind is PRIMARY

    def _add_written(self, request: Request) -> None:
        statement, schema = request.statement, self._state.schema
        if request.prepared is not None:
            schema = request.prepared.schema
        # The text that is executed may have been prepared, and one of several may be run, in another schema.
        uncertain = bool(request.named) or statement.reason == MULTI_STATEMENT
        tables = None if uncertain else resolved(touched(statement), schema)
        if self.written is None or tables is None or len(self.written) > _MOST_WRITTEN:
            self.written = None
        else:
            self.written |= tables

    def replied(self, request: Request, exchange: Exchange, seen: Seen, on_primary: bool) -> None:
        """The reply to `request` is complete."""
        before = self._state.status
        if on_primary and exchange.status >= 0:
            self._state.status = exchange.status
            self._dirty = self._dirty and self._state.in_transaction
            if not self._dirty:
                self.written = NO_TABLES
        elif on_primary and exchange.errno and not self._state.status & c.SERVER_STATUS_AUTOCOMMIT:
            # An error does not tell the status, and what failed may have begun a transaction all the same.
            self._state.status |= c.SERVER_STATUS_IN_TRANS
        if request.code == c.COM_STMT_PREPARE:
            if exchange.errno:
                self._statements.failed()
            return
        if on_primary and self._state.in_transaction and self._state.has_twin and self._leaves_twin(request, exchange):
            self._state.twins.leave()
        if request.prepared is not None:
            self._prepared_replied(request.code, request.prepared, exchange, seen)
        if request.code == c.COM_QUERY or request.code in EXECUTIONS:
            self._take_effect(request, exchange, seen, before)
        elif not exchange.errno:
            self._command_done(request, seen)
        if exchange.told is not None and on_primary and request.code in _TELLING:
            self._take_report(request, exchange.told, bool(exchange.errno), seen)
        if self._state.reading.meaning is not self._requests.reading:
            self._requests.read_anew()

    def _leaves_twin(self, request: Request, exchange: Exchange) -> bool:
        """Whether the transaction may have read on the primary, or be over though nothing tells so."""
        statement = request.statement
        # What commits first has done so even if it then failed, and an error has no status.
        over = bool(exchange.errno) and (statement.defines or statement.reason in _COMMITTING)
        return over or self._requests.binds(request)

    def prepared(self, request: Request, exchange: Exchange, seen: Seen) -> int:
        """A COM_STMT_PREPARE succeeded on the primary: the number under which the client shall know the statement."""
        assert exchange.prepared is not None
        number, _, parameters = exchange.prepared
        prepared = self._statements.add(request.packet, request.statement, parameters, self._state)
        seen.statements[prepared.form] = number
        request.made = prepared
        if request.definitions is not None:
            prepared.definitions = seen.definitions[prepared.form] = request.definitions
        return prepared.number

    def _prepared_replied(self, code: int, prepared: Prepared, exchange: Exchange, seen: Seen) -> None:
        if code == c.COM_STMT_FETCH:
            if exchange.errno or exchange.status & c.SERVER_STATUS_LAST_ROW_SENT:
                prepared.cursor = None
            return
        self._statements.drop(prepared)
        if not exchange.errno:
            # After an error the server may remember that the long data was wrong, until the statement is reset.
            prepared.spilled = prepared.cursor = None
            if exchange.status & c.SERVER_STATUS_CURSOR_EXISTS and code in EXECUTIONS:
                prepared.cursor = seen

    def _take_effect(self, request: Request, exchange: Exchange, seen: Seen, before: int) -> None:
        statement = request.statement
        if not (statement.effects or statement.writes):
            return
        if exchange.errno:
            self._state.failed(statement, exchange.errno, exchange.begun, seen)
            return
        self._state.apply(statement, self._requests.text(request), seen)
        self._state.leave_access(statement.effects, before)

    def _take_report(self, request: Request, told: SessionTrack, failed: bool, seen: Seen) -> None:
        """Believe the server over the text, in all that the text did not tell, or that did not come about."""
        if request.statement.reason == SET_STATEMENT:
            # What it sets for one statement is reported as if it were to stay.
            told = replace(told, variables={})
        if request.named:
            # EXECUTE as text always says that something has changed.
            told = replace(told, changed=None)
        statement = request.statement
        only_defines = statement.defines or only_temporary(statement)
        triggers = statement.writes and (statement.reason == MULTI_STATEMENT or not only_defines)
        self._state.reported(told, () if failed else statement.effects, seen, triggers=triggers)

    def _command_done(self, request: Request, seen: Seen) -> None:
        if request.code == c.COM_INIT_DB:
            name = request.packet[5:]
            self._state.use(name.decode("utf-8", "replace"), name, seen)
        elif request.code == c.COM_SET_OPTION:
            self._state.set_option(request.packet, seen)
        elif request.code == c.COM_RESET_CONNECTION:
            self.reset(seen)
        elif request.code == c.COM_REGISTER_SLAVE:
            # The primary's connection is that of a replica from now on.
            self._state.pin_down("replica")

    def reset(self, seen: Seen) -> None:
        """The primary's connection, and so the session, was set back to where its login had left it."""
        self._state.reset()
        self._statements.clear()
        seen.resets = self._state.repeatable.resets
        seen.forget_all()
        self._requests.read_anew()


# After other commands there is nothing to be told that is not known.
_TELLING: Final = frozenset({c.COM_QUERY, *EXECUTIONS})
