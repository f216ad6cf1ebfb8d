"""Classifying texts in tests, and a statement's facts as one line."""

from collections.abc import Iterable
from typing import Final

from proxy.sql.cache import StatementCache
from proxy.sql.classify import Classifier
from proxy.sql.comments import ServerVersion
from proxy.sql.describe import describe
from proxy.sql.statement import Statement
from topology.servers import Vendor

MYSQL: Final = ServerVersion(Vendor.MYSQL, 90704)
MARIADB: Final = ServerVersion(Vendor.MARIADB, 101119)
SERVERS: Final = (MYSQL, MARIADB)


def cache_of(server: ServerVersion = MYSQL, size: int = 10_000) -> StatementCache:
    """An empty cache for texts to a server of this version."""
    return StatementCache(Classifier(server), size)


def classified(text: str | bytes, server: ServerVersion = MYSQL) -> Statement:
    """The facts about a text; one that is no string of characters as its bytes."""
    return cache_of(server).statement(text.encode() if isinstance(text, str) else text)


def facts(statement: Statement) -> str:
    """Kind, reason, effects, tables written (W: when data may have changed afterwards) and user variables asked for,
    with `|` between; `-` stands for nothing, `*` for anything."""
    effects = "; ".join(map(describe, statement.effects)) or "-"
    tables = None if statement.written is None else map(_dotted, statement.written)
    variables = None if statement.variables is None else (f"@{name}" for name in statement.variables)
    written = f"W:{_listed(tables)}" if statement.writes else "-"
    return "|".join((statement.kind.name, statement.reason, effects, written, _listed(variables)))


def _dotted(table: tuple[str, str]) -> str:
    return ".".join(part for part in table if part)


def _listed(names: Iterable[str] | None) -> str:
    return "*" if names is None else ",".join(sorted(names)) or "-"
