"""Which statements leave the warnings of the one before as they are, unless they have some themselves.

Observed on MariaDB 10.11 and MySQL 9.7: MySQL begins a new list with each statement but SHOW WARNINGS, SHOW ERRORS and
GET DIAGNOSTICS, MariaDB only with those that use a table, or what is kept in one (SHOW TABLES, but not CREATE USER).
"""

import re
from collections.abc import Iterable
from typing import Final

from proxy.sql.effects import Prepare
from proxy.sql.statement import DIAGNOSTIC, PRIMARY, READ, Statement

_LISTING: Final = re.compile(r"\s*(?:SHOW|GET)\b", re.IGNORECASE)
_SHOW: Final = re.compile(r"\s*SHOW\b", re.IGNORECASE)
# Of the statements for the primary, those that use no table, or only in a subquery.
_WITHOUT_TABLES: Final = frozenset(
    "do user-variable primary-function unknown set-expression set-global connection-variable next-transaction "
    "deallocate unlock xa".split()
)
# And those that do so if they are queries, or HELP, not SHOW. HELP reads its tables behind the session's back.
_QUERIES_WITHOUT_TABLES: Final = frozenset({"server-local", "select-into"})
# Those that are certain to use some though their facts name none; what is locked are rows of tables.
_WITH_TABLES: Final = frozenset({"handler", "lock", "locking-read", "temp-table"})
# Of writes, of which it is not known in which tables they write.
_DEFINING_NO_TABLE: Final = re.compile(
    r"\s*(?:(?:CREATE|ALTER|DROP)\b(?:\s+OR\s+REPLACE\b)?(?:\s+DEFINER\s*=\s*\S+(?:\s*@\s*\S+)?)?(?:\s+AGGREGATE\b)?"
    r"\s+(?:DATABASE|SCHEMA|PROCEDURE|FUNCTION|EVENT|USER|ROLE|SERVER)|DROP\s+TRIGGER)\b",
    re.IGNORECASE,
)
_USING_TABLES: Final = re.compile(
    r"\s*(?:WITH|INSERT|REPLACE|UPDATE|DELETE|LOAD|TRUNCATE|RENAME\s+TABLES?|(?:ANALYZE|CHECK|OPTIMIZE|REPAIR)\s+TABLES?"
    r"|(?:CREATE|ALTER|DROP)\b(?:\s+OR\s+REPLACE\b)?(?:\s+(?:TEMPORARY|UNIQUE|FULLTEXT|SPATIAL)\b)?"
    r"\s+(?:TABLES?|VIEW|INDEX|SEQUENCE)|CREATE\b.*?\bTRIGGER|CREATE\b.*?\bVIEW)\b",
    re.IGNORECASE | re.DOTALL,
)
_QUERY: Final = re.compile(r"\s*(?:SELECT|WITH)\b", re.IGNORECASE)
_QUERY_OR_HELP: Final = re.compile(r"\s*(?:SELECT|WITH|HELP)\b", re.IGNORECASE)
# Of a query, a table outside of parentheses; one that is deeper than so many is taken for one that uses some.
_FROM: Final = re.compile(r"\s*(?:SELECT|WITH)\b[^()]*?\bFROM\s+(?!DUAL\b)", re.IGNORECASE)
_INNERMOST: Final = re.compile(r"\([^()]*\)")
_DEEPEST: Final = 32
# On MariaDB they are tables.
_SEQUENCE: Final = re.compile(r"\bVALUE\s+FOR\b|\b(?:NEXT|LAST|SET)VAL\s*\(", re.IGNORECASE)


def keeps_warnings(statement: Statement, text: str, *, mariadb: bool) -> bool | None:
    """Whether the warnings are those of before behind a statement; None if that depends on what it runs."""
    if not mariadb:
        return statement.kind is DIAGNOSTIC and _LISTING.match(text) is not None
    if statement.reads or statement.reads is None or statement.written:
        return False
    if statement.kind is READ:
        # Of SHOW there are tables behind the scenes.
        return _SHOW.match(text) is None
    if statement.kind is not PRIMARY:
        return True
    return _defines(statement, text) if statement.written is None else _runs(statement, text)


def keep_warnings(statements: Iterable[Statement]) -> bool | None:
    """The same of several statements, one after the other."""
    kept = {statement.keeps_warnings for statement in statements}
    return False if False in kept else None if None in kept else True


def _defines(statement: Statement, text: str) -> bool | None:
    if statement.reason == "xa":
        return True
    if statement.reason != "write":
        return False if statement.reason in _WITH_TABLES or _has_tables(text) else None
    if _DEFINING_NO_TABLE.match(text):
        return True
    return False if _USING_TABLES.match(text) else None


def _runs(statement: Statement, text: str) -> bool | None:
    reason = statement.reason
    if reason in _WITH_TABLES or _has_tables(text):
        return False
    prepared = [effect.statement for effect in statement.effects if isinstance(effect, Prepare)]
    if prepared:
        return _prepares(prepared[-1])
    without = reason in _WITHOUT_TABLES or (reason in _QUERIES_WITHOUT_TABLES and _QUERY_OR_HELP.match(text))
    return True if without else None


def _prepares(inner: Statement | None) -> bool | None:
    """PREPARE of what uses a table opens it."""
    if inner is None:
        return None
    if inner.reads or inner.written:
        return False
    return None if inner.reads is None or inner.written is None or inner.kind is PRIMARY else True


def _has_tables(text: str) -> bool:
    """Of queries for the primary it is not known from the statement's facts which tables they read."""
    if _SEQUENCE.search(text) is not None:
        return True
    if _QUERY.match(text) is None:
        return False
    for _ in range(_DEEPEST):
        text, count = _INNERMOST.subn(" ", text)
        if not count:
            return _FROM.match(text) is not None
    return True
