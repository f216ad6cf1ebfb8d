"""What a transaction has done on the primary, kept so that it can be run again elsewhere; or why it cannot be. Pure.

Only what is known to leave nothing outside of its transaction is kept, and only where the same text runs the same on
a connection that was brought into the session's state as it is at the end.
"""

import re
from typing import Final

from proxy.routing.policy import IN_TRANSACTION
from proxy.routing.state import SessionState
from proxy.session.core.memory import Memory
from proxy.session.core.prepared import Prepared
from proxy.session.core.request import Ran, Request
from proxy.session.core.seenreads import not_as_it_is, to_repeat
from proxy.sql import effects as e
from proxy.sql.classify import MULTI_STATEMENT
from proxy.sql.statement import DIAGNOSTIC, PRIMARY, READ, SESSION, TRANSACTION, Table
from proxy.sql.transactions import SAVEPOINTS
from proxy.wire import constants as c
from proxy.wire.commands import EXECUTIONS
from proxy.wire.exchange import Reply

# What one statement takes beside its packet, in bytes.
_EACH: Final = 256
# So many tables of one transaction are looked at before it is replayed.
_MOST_TABLES: Final = 50
# Commands that neither read nor change anything of a transaction's.
_NEUTRAL: Final = frozenset({c.COM_PING, c.COM_STATISTICS, c.COM_STMT_PREPARE, c.COM_STMT_RESET, c.COM_FIELD_LIST})
_SETTINGS: Final = frozenset({c.COM_INIT_DB, c.COM_SET_OPTION})
_NEXT: Final = "next-transaction"
# What a statement that a table's own engine runs begins with; of the other writes some commit first.
_CHANGES: Final = re.compile(rb"[\s(]*(?:INSERT|UPDATE|DELETE|REPLACE|WITH)\b", re.IGNORECASE)
_COMMENTS: Final = re.compile(rb"\A(?:\s+|/\*[^!M].*?\*/|(?:--\s|#)[^\n]*\n)+", re.DOTALL)
# Reasons of statements for the primary that do nothing outside of their transaction, as far as they have no effects.
_REPEATED: Final = frozenset({"write", "locking-read", "primary-function", "server-local"})
_INSERT_ID: Final = re.compile(rb"last_insert_id|identity", re.IGNORECASE)
# Errors that a statement gives again when it is run again, and that leave the transaction as it was.
_LASTING: Final = frozenset(
    {1048, 1054, 1062, 1064, 1136, 1142, 1143, 1146, 1216, 1217, 1242, 1264, 1265, 1292, 1305, 1364, 1365, 1366, 1406}
    | {1451, 1452, 1586, 1690, 3819, 4025}
)
# Those with which it has not even begun.
_NOT_BEGUN: Final = frozenset({1054, 1064, 1136, 1142, 1143, 1146})
# Settings that shape transactions: one that is open has those of its beginning.
_OF_TRANSACTIONS: Final = frozenset(
    "autocommit completion_type tx_isolation transaction_isolation tx_read_only transaction_read_only".split()
)


class TransactionLog:
    """That of the session's open transaction, of `limit` bytes at most, held in `memory`.

    `caches`: the client keeps column definitions. `open` says that it is about a transaction that is open; `reason` is
    why that cannot be run again, empty as long as it can. `tables` are those that it has written: (schema, name).
    """

    def __init__(self, memory: Memory, limit: int, *, caches: bool) -> None:
        self.entries: list[Ran] = []
        self.tables: set[Table] = set()
        self.open = False
        self.reason = ""
        self._memory = memory
        self._limit = limit
        self._caches = caches
        self._size = 0
        self._id_known = True

    @property
    def begun(self) -> bool:
        """Whether there is a transaction, or what the next one is to be."""
        return self.open or bool(self.entries)

    @property
    def writes(self) -> bool:
        """Whether the transaction has written."""
        return any(ran.request.statement.writes for ran in self.entries)

    @property
    def prepared(self) -> list[Prepared]:
        """What it has executed."""
        return [ran.request.prepared for ran in self.entries if ran.request.prepared is not None]

    @property
    def insert_id(self) -> bool:
        """Whether one of its statements has made LAST_INSERT_ID() known."""
        return any(ran.insert_id for ran in self.entries)

    @property
    def beside(self) -> frozenset[str]:
        """Reasons why the session is tied to its connection that come back with what is kept here."""
        shaped = any(_shapes_next(ran.request) for ran in self.entries)
        return frozenset({SAVEPOINTS, _NEXT}) if shaped else frozenset({SAVEPOINTS})

    def clear(self) -> None:
        """The transaction is over."""
        self._forget()
        self.open, self.reason = False, ""

    def spoil(self, reason: str) -> None:
        """The transaction cannot be run again."""
        self._forget()
        self.reason = self.reason or reason

    def _forget(self) -> None:
        self._memory.take(-self._size)
        self.entries, self.tables, self._size = [], set(), 0

    def follow(self, state: SessionState) -> None:
        """A request is about to be sent; `state` tells whether the transaction has ended unnoticed, or begun so."""
        within = bool(state.status & c.SERVER_STATUS_IN_TRANS)
        if (self.open or self.reason) and not within:
            self.clear()
        elif within and not self.open:
            self.open = True
            self.spoil("unseen")

    def wants(self, request: Request, state: SessionState) -> bool:
        """Whether the digest of the reply to a request is to be noted."""
        if request.reply is not Reply.RESULT:
            return False
        if request.statement.kind is TRANSACTION or _shapes_next(request):
            return True
        return not self.reason and (bool(self.entries) or state.in_transaction)

    def unrepeatable(self, request: Request, text: bytes) -> str:
        """Why a request, of this text, cannot be run again in a transaction that was rolled back; empty if it can."""
        code, statement = request.code, request.statement
        if code in _NEUTRAL or code in _SETTINGS:
            return ""
        if code != c.COM_QUERY and code not in EXECUTIONS:
            return "command"
        if why := not_as_it_is(request, caches=self._caches):
            return why
        if request.whole is not None or request.kept is not None or request.before or request.again:
            return "diagnostic"
        if statement.kind is PRIMARY:
            return self._unrepeatable_write(request, text)
        if any(isinstance(effect, e.End) for effect in statement.effects):
            return "commit"
        if statement.kind is DIAGNOSTIC and (statement.effects or not self.entries):
            return "diagnostic"
        return "" if statement.kind in (READ, SESSION, TRANSACTION, DIAGNOSTIC) else statement.reason

    def _unrepeatable_write(self, request: Request, text: bytes) -> str:
        statement = request.statement
        if _shapes_next(request) or _is_setting(request, text):
            return ""
        if statement.effects or statement.reason not in _REPEATED:
            return statement.reason if statement.reason != "write" else "session-state"
        if statement.asks:
            return "diagnostic"
        if statement.reason == "write":
            if statement.defines or not _CHANGES.match(_COMMENTS.sub(b"", text)):
                return "other-write"
            if statement.written is None:
                return "unknown-tables"
        return ""

    def may_rerun(self, request: Request, text: bytes, state: SessionState) -> str:
        """Why a request must not be run once more whose connection was lost under it; empty if it may be.

        It must be part of the transaction that was rolled back with that, or change nothing.
        """
        if why := self.unrepeatable(request, text):
            return why
        effects, within = request.statement.effects, bool(state.status & c.SERVER_STATUS_IN_TRANS)
        if within and any(isinstance(effect, e.Begin) or _is_of_transactions(effect) for effect in effects):
            return "commits"
        if request.statement.kind is not PRIMARY or state.in_transaction:
            return ""
        return "" if _shapes_next(request) or _is_setting(request, text) else "alone"

    def note(
        self, request: Request, text: bytes, state: SessionState, status: int, value: tuple[int, ...], *, known: bool
    ) -> None:
        """A request of this text was answered, with this status word (-1 for an error, which has none) and this digest.

        `state` is that of before. `known` says that more than its connection knows what LAST_INSERT_ID() gives.
        """
        if request.code in _NEUTRAL:
            return
        errno, effects = value[5], request.statement.effects
        ended = not errno and any(isinstance(effect, e.Begin | e.End) for effect in effects)
        if ended and self.open:
            self.clear()
        if not self.begun:
            self._id_known = known
        autocommit = state.status & c.SERVER_STATUS_AUTOCOMMIT
        within = bool(status & c.SERVER_STATUS_IN_TRANS) if status >= 0 else self.open or not autocommit
        if not within:
            self._note_alone(request, text, value)
            return
        self.open = True
        if not errno and any(isinstance(effect, e.End) for effect in effects):
            self.spoil("chained")
        elif not self.reason:
            self._note_within(request, text, value, state.schema)

    def _note_alone(self, request: Request, text: bytes, value: tuple[int, ...]) -> None:
        if _shapes_next(request) and not value[5]:
            self._keep(request, value)
        elif self.open or not _is_setting(request, text):
            self.clear()

    def _note_within(self, request: Request, text: bytes, value: tuple[int, ...], schema: str) -> None:
        errno, statement = value[5], request.statement
        if why := self.unrepeatable(request, text):
            self.spoil(why)
        elif errno and errno not in _LASTING:
            self.spoil("error")
        elif _is_setting(request, text):
            if not errno and (self._has_data or any(map(_is_of_transactions, statement.effects))):
                self.spoil("session-state")
        elif _INSERT_ID.search(text) and not (self._id_known or self.insert_id):
            self.spoil("insert-id")
        else:
            if errno not in _NOT_BEGUN:
                self._add_tables(request, schema)
            self._keep(request, value)

    @property
    def _has_data(self) -> bool:
        """Whether something has run whose outcome can depend on the session's state."""
        return any(ran.request.statement.kind is not TRANSACTION for ran in self.entries)

    def _add_tables(self, request: Request, schema: str) -> None:
        self.tables |= tables_of(request, schema)
        if len(self.tables) > _MOST_TABLES:
            self.spoil("many-tables")

    def _keep(self, request: Request, value: tuple[int, ...]) -> None:
        size = len(request.packet) + _EACH
        if self._size + size > self._limit:
            self.spoil("too-large")
        elif self._memory.full:
            self.spoil("memory")
        elif not self.reason:
            self.entries.append(Ran(to_repeat(request, IN_TRANSACTION), value))
            self._size += size
            self._memory.take(size)

    def adopt(self, reads: list[Ran]) -> None:
        """Reads that were run again in the transaction are part of it from now on."""
        self.open = True
        for ran in reads:
            self._keep(ran.request, ran.value)


def tables_of(request: Request, schema: str) -> set[Table]:
    """The tables that a request writes, by their full names; `schema` is the default one."""
    if request.prepared is not None:
        schema = request.prepared.schema
    return {(of or schema, name) for of, name in request.statement.written or ()}


def _shapes_next(request: Request) -> bool:
    """Whether it says what the next transaction is to be, and nothing else: SET TRANSACTION."""
    if request.statement.reason == MULTI_STATEMENT:
        return False
    return any(isinstance(effect, e.SetTransaction) and not effect.session for effect in request.statement.effects)


def _is_setting(request: Request, text: bytes) -> bool:
    """Whether it only sets what every connection of the session is told."""
    if request.code in _SETTINGS or request.statement.kind is SESSION:
        return True
    effects = request.statement.effects
    known = all(isinstance(effect, e.SetUserVariable) and bool(effect.value) for effect in effects)
    return bool(effects) and known and text.lstrip()[:3].upper() == b"SET"


def _is_of_transactions(effect: e.Effect) -> bool:
    """Whether it changes what transactions are."""
    if isinstance(effect, e.SetTransaction):
        return True
    return isinstance(effect, e.SetVariable) and effect.name in _OF_TRANSACTIONS
