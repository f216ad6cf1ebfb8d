"""Transactions that have a twin: they begin on the primary, and their plain reads run in the twin on one replica. Pure.

The primary refuses what a read-only transaction may not do, and tells when a transaction is over. What the reads see is
decided by the replica's snapshot, so the twin is used from the first read on, or not at all. A transaction that may
write has one only if that was asked for (`transaction_reads`): before anything else of it runs on the primary, its
reads have to be seen to give the same there (`proxy.session.running.promotion`).
"""

from typing import Final

from proxy.sql.effects import Begin
from proxy.sql.statement import DIAGNOSTIC, OWN, SESSION, TRANSACTION, Statement
from proxy.wire.constants import SERVER_STATUS_AUTOCOMMIT, SERVER_STATUS_IN_TRANS, SERVER_STATUS_IN_TRANS_READONLY

# Only this keeps what a transaction has read as it was, and leaves rows unlocked.
REPEATABLE_READ: Final = "REPEATABLE READ"

# Reasons of statements that see no snapshot: refused in a read-only transaction, or about the newest rows, or no rows.
_NO_SNAPSHOT: Final = frozenset(
    "write temp-table lock unlock flush-lock backup handler xa binlog kill prepare deallocate set-global "
    "connection-variable next-transaction locking-read server-local command empty".split()
)
# These see one only if they name a table.
_BY_TABLE: Final = frozenset("primary-function user-variable select-into do set-expression show-expression".split())


class Twins:
    """What is known of the session's transaction in this respect.

    `number` tells transactions of the session apart. `barred` says that read-only ones are to have no more twins,
    `optimistic` that those that may write have one, too. `isolation` is that of the server's sessions to begin with.
    """

    __slots__ = (
        *("_begun", "_by_session", "_default", "_isolation", "_left", "_next_isolation", "_spared", "_used"),
        *("barred", "number", "optimistic"),
    )

    def __init__(self, isolation: str = REPEATABLE_READ, *, optimistic: bool = False) -> None:
        self.number = 1
        self.barred = False
        self.optimistic = optimistic
        self._default = self._isolation = self._next_isolation = isolation
        self._begun = False
        self._by_session = False
        self._left = self._used = 0
        self._spared = False

    def reset(self) -> None:
        """The session is as after its login."""
        self._next_isolation = self._default
        self._next()
        self.barred = self._begun = self._by_session = self._spared = False

    def begin(self, effect: Begin) -> None:
        """A statement began a transaction. A snapshot that was taken with it is the primary's."""
        self._next()
        self._begun = not effect.snapshot

    def end(self) -> None:
        """COMMIT or ROLLBACK, which may begin another one of the same kind."""
        self._next()
        self._spared = False

    def of_session(self, read_only: bool | None, isolation: str) -> None:
        """What transactions of the session are, unless their beginning says otherwise; None or empty for no change."""
        if read_only is not None:
            self._by_session = read_only
        self._next_isolation = isolation or self._next_isolation
        if self._used != self.number:
            self._isolation = self._next_isolation

    def use(self) -> None:
        """The transaction has a twin."""
        self._used = self.number

    def _next(self) -> None:
        self.number += 1
        self._isolation = self._next_isolation

    def status_changed(self, before: int, now: int) -> None:
        """The primary's status word is another."""
        ended = before & SERVER_STATUS_IN_TRANS and not now & SERVER_STATUS_IN_TRANS
        if ended:
            self._begun = self._spared = False
        if ended or ((before ^ now) & SERVER_STATUS_AUTOCOMMIT and not now & SERVER_STATUS_IN_TRANS):
            self._next()

    def leave(self) -> None:
        """The transaction reads on the primary from now on: its snapshot is there, or what it has written."""
        self._left = self.number

    def lost(self) -> None:
        """The primary gave other rows, and has rolled the transaction back: the next one is spared that."""
        self._next()
        self._spared = True

    def readable(self, status: int) -> bool:
        """Whether plain reads can run in a twin; `status` is the primary's status word."""
        if self.barred or self._left == self.number or self._isolation != REPEATABLE_READ:
            return False
        # A connection that was told that the session only reads could not have the twin of one that may write.
        if not self.read_only(status) and (not self.optimistic or self._spared or self._by_session):
            return False
        # Without a statement that began it, something on the primary did.
        return self._begun if status & SERVER_STATUS_IN_TRANS else not status & SERVER_STATUS_AUTOCOMMIT

    def read_only(self, status: int) -> bool:
        """Whether the transaction may not write."""
        if status & SERVER_STATUS_IN_TRANS:
            return bool(status & SERVER_STATUS_IN_TRANS_READONLY)
        return self._by_session


def sees_snapshot(statement: Statement, text: bytes) -> bool:
    """Whether a statement that runs on the primary may read rows there as the transaction's snapshot has them."""
    if statement.kind in (SESSION, TRANSACTION, DIAGNOSTIC, OWN) or statement.reason in _NO_SNAPSHOT:
        return False
    return statement.reason not in _BY_TABLE or b"from" in text.lower()
