"""SHOW: which of them any server can answer."""

import re
from typing import Final

from proxy.sql.own import PROXY_SHOWN, shown
from proxy.sql.statement import SERVER_SCHEMAS, Kind, Statement, primary
from proxy.sql.variables import may_be_server_local
from proxy.sql.words import Words

_DIAGNOSTIC: Final = Statement(Kind.DIAGNOSTIC, "diagnostic")
_SERVER_LOCAL: Final = primary("server-local", writes=False)
# What is shown of definitions depends on any table's.
_READ: Final = Statement(Kind.READ, "read", reads=None)
_OF_THE_SESSION: Final = Statement(Kind.READ, "read")

# EVENTS are not among them: they are switched off on replicas, and say so.
_READS: Final = (
    *("DATABASES", "SCHEMAS", "TABLES", "TABLE STATUS", "COLUMNS", "FIELDS", "INDEX", "INDEXES", "KEYS", "TRIGGERS"),
    *("COLLATION", "CHARACTER SET", "CHARSET", "ENGINES", "STORAGE ENGINES", "PRIVILEGES", "PLUGINS"),
    *("PROCEDURE STATUS", "FUNCTION STATUS", "PACKAGE STATUS", "PACKAGE BODY STATUS"),
    *("CREATE TABLE", "CREATE VIEW", "CREATE DATABASE", "CREATE SCHEMA", "CREATE PROCEDURE", "CREATE FUNCTION"),
    *("CREATE TRIGGER", "CREATE SEQUENCE", "CREATE PACKAGE"),
)
_SHOWN: Final = sorted((tuple(words.split()) for words in _READS), key=len, reverse=True)
_PATTERN: Final = re.compile(r"'([A-Za-z0-9_%$-]+)'")


def show(words: Words) -> Statement:
    """SHOW, behind that word, with its literals."""
    if words.peek() == "PROXY":
        return PROXY_SHOWN if shown(words) else _SERVER_LOCAL
    if words.take("COUNT", "(", "*", ")") or words.peek() in ("WARNINGS", "ERRORS"):
        return _DIAGNOSTIC if words.peek() in ("WARNINGS", "ERRORS") else _SERVER_LOCAL
    words.skip("FULL", "EXTENDED")
    if words.take_any("SESSION", "LOCAL") or words.peek() == "VARIABLES":
        return _variables(words)
    if not any(words.take(*shown) for shown in _SHOWN):
        return _SERVER_LOCAL
    # The condition of a SHOW can call functions and hold queries.
    if any(word.startswith(("(", "@")) for word in words.rest()):
        return primary("show-expression", variables=None)
    return _SERVER_LOCAL if _names_a_server_schema(words) else _READ


def _variables(words: Words) -> Statement:
    """SHOW [SESSION] VARIABLES LIKE '...', if none of those that tell about the server can be among them."""
    if not words.take("VARIABLES", "LIKE"):
        return _SERVER_LOCAL
    pattern = _PATTERN.fullmatch(words.texts[words.at]) if len(words.texts) - words.at == 1 else None
    if pattern is None:
        return _SERVER_LOCAL
    return _SERVER_LOCAL if may_be_server_local(pattern[1].lower()) else _OF_THE_SESSION


def _names_a_server_schema(words: Words) -> bool:
    return any(word.strip("`").lower() in SERVER_SCHEMAS for word in words.rest())
