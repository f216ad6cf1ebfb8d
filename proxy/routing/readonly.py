"""Read-only transactions: they begin on the primary, and their plain reads run in a twin of them on one replica. Pure.

The primary refuses what a read-only transaction may not do, and tells when it is over. What the reads see is decided by
the replica's snapshot, so the twin is used from the first read on, or not at all.
"""

from typing import Final

from proxy.sql.effects import Begin
from proxy.sql.statement import DIAGNOSTIC, OWN, SESSION, TRANSACTION, Statement
from proxy.wire.constants import SERVER_STATUS_AUTOCOMMIT, SERVER_STATUS_IN_TRANS, SERVER_STATUS_IN_TRANS_READONLY

TWIN: Final = b"START TRANSACTION READ ONLY"

# Reasons of statements that see no snapshot: refused in a read-only transaction, or about the newest rows, or no rows.
_NO_SNAPSHOT: Final = frozenset(
    "write temp-table lock unlock flush-lock backup handler xa binlog kill prepare deallocate set-global "
    "connection-variable next-transaction locking-read server-local command empty".split()
)
# These see one only if they name a table.
_BY_TABLE: Final = frozenset("primary-function user-variable select-into do set-expression show-expression".split())


class ReadOnlyTransaction:
    """What is known of the session's transaction in this respect.

    `number` tells transactions of the session apart. `barred` says that no more twins are to be opened.
    """

    __slots__ = ("_begun", "_by_session", "barred", "number")

    def __init__(self) -> None:
        self.number = 1
        self.barred = False
        self._begun = False
        self._by_session = False

    def reset(self) -> None:
        """The session is as after its login."""
        self.number += 1
        self.barred = self._begun = self._by_session = False

    def begin(self, effect: Begin) -> None:
        """A statement began a transaction. A snapshot that was taken with it is the primary's."""
        self.number += 1
        self._begun = not effect.snapshot

    def end(self) -> None:
        """COMMIT or ROLLBACK, which may begin another one of the same kind."""
        self.number += 1

    def of_session(self, read_only: bool) -> None:
        """What transactions of the session are, unless their beginning says otherwise."""
        self._by_session = read_only

    def status_changed(self, before: int, now: int) -> None:
        """The primary's status word is another."""
        ended = before & SERVER_STATUS_IN_TRANS and not now & SERVER_STATUS_IN_TRANS
        if ended:
            self._begun = False
        if ended or (before ^ now) & SERVER_STATUS_AUTOCOMMIT:
            self.number += 1

    def seen_on_primary(self) -> None:
        """A statement has read on the primary: the transaction's snapshot is there now."""
        self._begun = False

    def readable(self, status: int) -> bool:
        """Whether plain reads can run in a twin; `status` is the primary's status word."""
        if self.barred:
            return False
        if status & SERVER_STATUS_IN_TRANS:
            # Without a statement that began it, a read on the primary did.
            return self._begun and bool(status & SERVER_STATUS_IN_TRANS_READONLY)
        return self._by_session and not status & SERVER_STATUS_AUTOCOMMIT


def sees_snapshot(statement: Statement, text: bytes) -> bool:
    """Whether a statement that runs on the primary may read rows there as the transaction's snapshot has them."""
    if statement.kind in (SESSION, TRANSACTION, DIAGNOSTIC, OWN) or statement.reason in _NO_SNAPSHOT:
        return False
    return statement.reason not in _BY_TABLE or b"from" in text.lower()
