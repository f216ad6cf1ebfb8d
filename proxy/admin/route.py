"""The table of EXPLAIN ROUTE."""

from dataclasses import dataclass
from typing import Final

from proxy.admin.tables import Table, columns
from proxy.admin.views import ServerView
from proxy.routing.policy import Route
from proxy.sql.digest import digest_id
from proxy.sql.hints import Hint
from proxy.sql.statement import KINDS, Statement, Tables
from proxy.wire.resultset import Cell
from topology.consistency import Level
from topology.servers import Role, Server

_COLUMNS: Final = columns("item value")


@dataclass(frozen=True, slots=True)
class RouteView:
    """One statement of one session, judged: `server` is where it would go now, None when its connection is gone.

    `wish` is what a hint, or the rule of number `rule`, says about the replica. `pins` keep the session on the primary,
    `replicas` are all that there are. A read must see what `level` says; if no replica has that, one is waited for, up
    to `wait` seconds. `balance` is how one of several replicas is chosen,
    `timeout` for how many seconds it may run.
    """

    statement: Statement
    route: Route
    server: Server | None
    digest: str
    pins: tuple[str, ...]
    in_transaction: bool
    replicas: tuple[ServerView, ...]
    rule: int = 0
    wish: Hint | None = None
    level: Level = Level.GLOBAL
    wait: float = 0.0
    balance: str = ""
    timeout: float = 0.0


def explained(view: RouteView) -> Table:
    """EXPLAIN ROUTE: a row for each thing there is to know."""
    statement, server = view.statement, view.server
    items: dict[str, Cell] = {
        "server": None if server is None else f"{server.name} ({server.address})",
        "target": view.route.target.name.lower(),
        "reason": view.route.reason,
        "kind": KINDS[statement.kind],
        "digest": view.digest or None,
        "digest_id": digest_id(view.digest) if view.digest else None,
        "writes": "yes" if statement.writes else "no",
        "tables": _tables(statement.written if statement.writes else statement.reads),
        "in_transaction": "yes" if view.in_transaction else "no",
        "pinned": ", ".join(view.pins) or None,
        "rule": view.rule or None,
        "consistency": _consistency(view.level, view.wish),
        "wait": f"for a replica, up to {view.wait * 1000:g} ms" if view.wait else None,
        "balance": view.balance or None,
        "replicas": "; ".join(map(_replica, view.replicas)) or "there are none",
        "statement_timeout": f"{view.timeout:g} s" if view.timeout else None,
        "hint_problems": ", ".join(statement.hint.problems) or None,
    }
    return Table(_COLUMNS, [*items.items()])


def _tables(tables: Tables) -> str | None:
    if tables is None:
        return "any"
    return ", ".join(sorted(".".join(part for part in table if part) for table in tables)) or None


def _consistency(level: Level, wish: Hint | None) -> str:
    if wish is None:
        return str(level)
    lag = "" if wish.max_lag is None else f", no more than {wish.max_lag:g} s behind"
    return f"{level}{lag}{f', rather {wish.server}' if wish.server else ''}"


def _replica(view: ServerView) -> str:
    assert view.server.role is Role.REPLICA
    if view.health != "healthy":
        return f"{view.server.name} {view.health}: {view.reason}"
    return f"{view.server.name} {'fresh' if view.fresh else 'lacks the last write'}"
