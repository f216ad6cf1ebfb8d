"""Statements that change data or definitions: in which tables, and which temporary ones they make or drop."""

from itertools import pairwise
from typing import Final

from proxy.sql.effects import DropSchema, Effect, Pin, Renamed, Unpin
from proxy.sql.queries import sources
from proxy.sql.statement import NO_TABLES, Statement, Table, Tables, primary
from proxy.sql.words import MARK, Words

TEMP_TABLE: Final = "temp-table"
_MODIFIERS: Final = ("LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE", "CONCURRENT", "LOCAL")
_BEHIND_A_TABLE: Final = ("", "WHERE", "ORDER", "LIMIT", "RETURNING", "SET")
_EXISTENCE: Final = (("IF", "NOT", "EXISTS"), ("IF", "EXISTS"))


def insert(words: Words) -> Tables:
    """INSERT and REPLACE, behind that word."""
    words.skip(*_MODIFIERS)
    words.take("INTO")
    return _one(words.table())


def update(words: Words) -> Tables:
    """UPDATE, behind that word: known for a single table."""
    words.skip(*_MODIFIERS)
    return _single(words)


def delete(words: Words) -> Tables:
    """DELETE, behind that word: known for a single table."""
    words.skip(*_MODIFIERS)
    return _single(words) if words.take("FROM") else None


def read_by(verb: str, words: Words) -> Tables:
    """The tables in the queries of a statement, what follows `verb` being a digest; None when they may be any."""
    if "SELECT" not in words.upper and "TABLE" not in words.upper:
        return NO_TABLES
    return sources(f"{verb} {words.text_from(0).replace(MARK, '0')}")


def _single(words: Words) -> Tables:
    table = words.table()
    if words.peek() not in _BEHIND_A_TABLE:
        words.take("AS")
        words.name()
    return _one(table) if words.peek() in _BEHIND_A_TABLE else None


def truncate(words: Words) -> Tables:
    """TRUNCATE [TABLE] t, behind TRUNCATE."""
    words.take("TABLE")
    return _one(words.table())


def load(words: Words) -> Tables:
    """LOAD DATA or LOAD XML, behind LOAD."""
    while not words.over and not words.take("INTO", "TABLE"):
        words.at += 1
    return _one(words.table())


def _one(table: Table | None) -> Tables:
    return frozenset([table]) if table else None


def create(words: Words) -> Statement:
    """CREATE, behind that word."""
    words.take("OR", "REPLACE")
    if words.take("TEMPORARY"):
        words.at += 1
        _skip_existence(words)
        table = words.table()
        written = None if _query(words) is not None else _one(table)
        return primary("temp-table", Pin(TEMP_TABLE, table=table or ("", "")), written=written, defines=False)
    if words.take("TABLE"):
        _skip_existence(words)
        table = words.table()
        return primary("write", written=None if _query(words) is not None else _one(table), defines=True)
    return primary("write")


def _query(words: Words) -> int | None:
    """Where the query begins that fills a table, of whose definition the head was read: SELECT, TABLE or VALUES.

    VALUES also says what is in a partition, with other words behind it.
    """
    for at in range(words.at, len(words.upper)):
        word, behind = words.upper[at], words.upper[at + 1 : at + 2]
        if word in ("SELECT", "TABLE") or (word == "VALUES" and behind in (["ROW"], ["("])):
            return at
    return None


def only_temporary(statement: Statement) -> bool:
    """Whether all it does is to make temporary tables, not from a query, or to drop some: nothing else runs with it."""
    pins = (effect for effect in statement.effects if isinstance(effect, Pin | Unpin))
    return statement.written is not None and any(effect.reason == TEMP_TABLE for effect in pins)


def is_filled(words: Words) -> bool:
    """Whether a CREATE, of which the head was read, is that of a table from a query; if so, go on to the query."""
    query = _query(words) if "TABLE" in words.upper[: words.at] else None
    if query is None:
        return False
    words.at = query
    return True


def drop(words: Words) -> Statement:
    """DROP, behind that word."""
    temporary = words.take("TEMPORARY")
    if words.take_any("DATABASE", "SCHEMA"):
        _skip_existence(words)
        name = words.name()
        return primary("write", DropSchema(name))
    if not words.take_any("TABLE", "TABLES", "SEQUENCE"):
        return primary("write")
    _skip_existence(words)
    tables = _list(words)
    effects = (Unpin(TEMP_TABLE, table=table) for table in tables)
    return primary("write", *effects, written=frozenset(tables) or None, defines=not temporary)


def _list(words: Words) -> list[Table]:
    tables = []
    while (table := words.table()) is not None:
        tables.append(table)
        if not words.take(","):
            break
    return tables


def alter(words: Words) -> Statement:
    """ALTER, behind that word."""
    words.skip("ONLINE", "IGNORE")
    if not words.take("TABLE"):
        return primary("write")
    _skip_existence(words)
    table = words.table()
    moves = "EXCHANGE" in words.upper or any(
        word == "RENAME" and behind not in ("COLUMN", "INDEX", "KEY") for word, behind in pairwise(words.upper)
    )
    effects: tuple[Effect, ...] = (Renamed(table),) if table and moves else ()
    return primary("write", *effects, written=None if moves else _one(table), defines=True)


def rename(words: Words) -> Statement:
    """RENAME TABLE or RENAME USER, behind RENAME."""
    effects: list[Effect] = []
    if words.take_any("TABLE", "TABLES"):
        _skip_existence(words)
        while (table := words.table()) is not None:
            effects.append(Renamed(table))
            while not words.over and not words.take(","):
                words.at += 1
    return primary("write", *effects)


def _skip_existence(words: Words) -> None:
    for existence in _EXISTENCE:
        words.take(*existence)
