"""Statements that take or give back locks of the connection, and handlers of tables."""

from typing import Final

from proxy.sql.effects import EVERY, Pin, Unpin
from proxy.sql.statement import Statement, primary
from proxy.sql.transactions import TABLE_LOCKS
from proxy.sql.words import Words

GLOBAL_LOCK: Final = "global-lock"
INSTANCE_LOCK: Final = "instance-lock"
BACKUP_STAGE: Final = "backup-stage"
BACKUP_LOCK: Final = "backup-lock"
HANDLER: Final = "handler"


def lock(words: Words) -> Statement:
    """LOCK TABLES, LOCK INSTANCE FOR BACKUP, and MySQL's LOCK TABLES FOR BACKUP of old; behind LOCK."""
    if words.take("INSTANCE"):
        return primary("lock", Pin(INSTANCE_LOCK), writes=False)
    return primary("lock", Pin(TABLE_LOCKS), writes=False)


def unlock(words: Words) -> Statement:
    """UNLOCK TABLES or UNLOCK INSTANCE, behind UNLOCK."""
    if words.take("INSTANCE"):
        return primary("unlock", Unpin(INSTANCE_LOCK), writes=False)
    return primary("unlock", Unpin(TABLE_LOCKS), Unpin(GLOBAL_LOCK), writes=False)


def flush(words: Words) -> Statement:
    """FLUSH, behind that word: with a lock that stays, or without."""
    words.take_any("NO_WRITE_TO_BINLOG", "LOCAL")
    tables = words.take_any("TABLES", "TABLE")
    text = " ".join(words.upper[words.at :])
    if not tables or ("READ LOCK" not in text and "FOR EXPORT" not in text):
        return primary("write")
    return primary("flush-lock", Pin(GLOBAL_LOCK if words.peek() == "WITH" else TABLE_LOCKS), writes=False)


def backup(words: Words) -> Statement:
    """MariaDB's BACKUP STAGE, BACKUP LOCK and BACKUP UNLOCK, behind BACKUP."""
    if words.take("STAGE"):
        effect = Unpin(BACKUP_STAGE) if words.peek() == "END" else Pin(BACKUP_STAGE)
        return primary("backup", effect, writes=False)
    if words.take("UNLOCK"):
        return primary("backup", Unpin(BACKUP_LOCK), writes=False)
    return primary("backup", Pin(BACKUP_LOCK), writes=False)


def handler(words: Words) -> Statement:
    """HANDLER t OPEN, READ, CLOSE, behind HANDLER."""
    table = words.table()
    name = table[1] if table else ""
    if words.take("OPEN"):
        words.take("AS")
        return primary("handler", Pin(HANDLER, words.name() or name), writes=False)
    if words.take("CLOSE") and name:
        return primary("handler", Unpin(HANDLER, name), writes=False)
    return primary("handler", writes=False)


ALL_NAMED_LOCKS: Final = Unpin("named-lock", EVERY)
