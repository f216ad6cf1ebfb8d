"""Where a statement would go, and why, told without any server. Pure."""

import json
from collections.abc import Iterable
from typing import Any

from proxy.routing.policy import Target, decide, route_to
from proxy.routing.rules import Rules
from proxy.routing.state import Baseline, SessionState
from proxy.sql.cache import StatementCache
from proxy.sql.classify import Classifier
from proxy.sql.comments import Unreadable, server_version, uncomment
from proxy.sql.describe import describe
from proxy.sql.digest import digest_id, digest_text
from proxy.sql.lexer import digest
from proxy.sql.statement import KINDS, Tables, Variables
from proxy.wire.constants import SERVER_STATUS_AUTOCOMMIT, SERVER_STATUS_NO_BACKSLASH_ESCAPES
from topology.servers import Vendor


def explanation(
    text: str,
    vendor: Vendor,
    version: str,
    schema: str,
    sql_mode: str,
    charset: str = "utf8mb4",
    rules: Rules | None = None,
    user: str = "",
    readers: Iterable[str] = (),
) -> dict[str, Any]:
    """What the router knows of a statement, for a session of `user` that has just begun; `readers` are functions that
    only read."""
    server = server_version(vendor, version)
    status = SERVER_STATUS_AUTOCOMMIT
    if "NO_BACKSLASH_ESCAPES" in sql_mode.upper():
        status |= SERVER_STATUS_NO_BACKSLASH_ESCAPES
    state = SessionState(schema, status, Baseline(sql_mode, charset))
    encoded = text.encode("utf-8", "surrogateescape")
    statement = StatementCache(Classifier(server, readers)).reader(state.reading.meaning)(encoded)
    route = decide(statement, state)
    decided = rules.decide(user, schema, statement.tally) if rules and route.target is Target.REPLICA else None
    if decided is not None and not statement.hint.decides and decided.wish.primary:
        route = route_to(Target.PRIMARY, "rule")
    try:
        bare = state.reading.meaning.canonical(uncomment(encoded, server, state.reading.meaning.quoting).text)
        shown = digest_text(digest(bare))
    except Unreadable:
        shown = ""
    return {
        "target": route.target.name.lower(),
        "reason": route.reason,
        "kind": KINDS[statement.kind],
        "digest": shown,
        "digest_id": digest_id(shown),
        "writes": statement.writes,
        "effects": [describe(effect) for effect in statement.effects],
        "reads": _tables(statement.reads),
        "written": _tables(statement.written),
        "variables": _variables(statement.variables),
        "rule": str(decided.number) if decided and decided.number and not statement.hint.decides else "",
        "hint_problems": list(statement.hint.problems),
    }


def explained(statement: dict[str, Any], as_json: bool) -> str:
    """An explanation as JSON, or as lines for people."""
    if as_json:
        return json.dumps(statement, indent=2)
    return "\n".join(f"{name:14} {_line(value)}" for name, value in statement.items() if value not in ([], ""))


def _line(value: Any) -> str:
    if value is None:
        return "any"
    return "; ".join(value) if isinstance(value, list) else str(value)


def _tables(tables: Tables) -> list[str] | None:
    return None if tables is None else sorted(".".join(part for part in table if part) for table in tables)


def _variables(variables: Variables) -> list[str] | None:
    return None if variables is None else sorted(f"@{name}" for name in variables)
