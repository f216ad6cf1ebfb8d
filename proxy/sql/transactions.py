"""Statements that begin, end or shape transactions."""

from typing import Final

from proxy.sql.effects import Begin, Effect, End, Hold, Pin, SetTransaction, Unpin
from proxy.sql.statement import Kind, Statement, primary
from proxy.sql.words import Words

SAVEPOINTS: Final = "savepoint"
TABLE_LOCKS: Final = "table-locks"
XA: Final = "xa"
_ISOLATION: Final = {
    ("READ", "UNCOMMITTED"): "READ UNCOMMITTED",
    ("READ", "COMMITTED"): "READ COMMITTED",
    ("REPEATABLE", "READ"): "REPEATABLE READ",
    ("SERIALIZABLE",): "SERIALIZABLE",
}
ISOLATION_VALUES: Final = {level.replace(" ", "-"): level for level in _ISOLATION.values()}


def begin(words: Words) -> Statement:
    """BEGIN [WORK], behind BEGIN; MariaDB's BEGIN NOT ATOMIC opens a block of statements instead."""
    words.take("WORK")
    return _transaction(Begin(), Unpin(TABLE_LOCKS)) if words.over else compound(words)


def compound(_: Words) -> Statement:
    """A block of statements, which may hold any of them."""
    return primary("compound", Pin("compound-statement"))


def start_transaction(words: Words) -> Statement | None:
    """START TRANSACTION, behind these words; None for what has another ending."""
    read_only: bool | None = None
    snapshot = False
    while not words.over:
        if words.take("WITH", "CONSISTENT", "SNAPSHOT"):
            snapshot = True
        elif words.take("READ", "ONLY"):
            read_only = True
        elif words.take("READ", "WRITE"):
            read_only = False
        else:
            return None
        words.take(",")
    return _transaction(Begin(read_only, snapshot), Unpin(TABLE_LOCKS))


def end(words: Words) -> Statement:
    """COMMIT or ROLLBACK, behind that word."""
    words.take("WORK")
    if words.peek() == "TO":
        return _transaction()
    chain = words.take("AND", "CHAIN")
    words.take("AND", "NO", "CHAIN")
    return _transaction(End(chain, release=words.take("RELEASE"), keep=words.take("NO", "RELEASE")))


def savepoint(_: Words) -> Statement:
    """SAVEPOINT and RELEASE SAVEPOINT. Without a transaction the server's status does not tell of them (observed)."""
    return _transaction(Hold(SAVEPOINTS))


def xa(words: Words) -> Statement:
    """XA, behind that word. Only the server knows whether such a transaction is still this session's."""
    if words.take_any("START", "BEGIN"):
        return primary("xa", Pin(XA), writes=False)
    if words.take_any("COMMIT", "ROLLBACK"):
        return primary("xa", Unpin(XA))
    return primary("xa", writes=False)


def set_transaction(words: Words, session: bool) -> SetTransaction | None:
    """What SET TRANSACTION says, behind these words; None for what is not understood."""
    isolation, read_only = "", None
    while not words.over:
        if words.take("ISOLATION", "LEVEL"):
            isolation = _isolation(words)
            if not isolation:
                return None
        elif words.take("READ", "ONLY"):
            read_only = True
        elif words.take("READ", "WRITE"):
            read_only = False
        else:
            return None
        words.take(",")
    return SetTransaction(session, isolation, read_only)


def _isolation(words: Words) -> str:
    return next((level for wanted, level in _ISOLATION.items() if words.take(*wanted)), "")


def _transaction(*effects: Effect) -> Statement:
    return Statement(Kind.TRANSACTION, "transaction", effects)
