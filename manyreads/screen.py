"""What `manyreads top` shows of two looks at a proxy's /status. Pure."""

from collections.abc import Iterator
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_WAITING: Final = ("lagging", "catching-up", "draining", "unknown")
_STYLES: Final = {"healthy": "green", **dict.fromkeys(_WAITING, "yellow")}
_NARROW: Final = 100
# Lines that the parts without statements and sessions take.
_FRAME: Final = 8

Status = dict[str, Any]


def screen(before: Status, now: Status, width: int, height: int | None) -> RenderableType:
    """Everything, in as many lines as the terminal has; in all that there are without `height`."""
    servers = _servers(before, now)
    room = 1000 if height is None else max(2, height - _FRAME - len(now["servers"]))
    digests, sessions = now["digests"][: room // 2], now["sessions"]["shown"][: room // 2]
    parts: list[RenderableType] = [_summary(before, now), servers, _digests(digests, width), _sessions(sessions, width)]
    return Group(*(part for part in parts if not isinstance(part, Table) or part.row_count))


def _table(*columns: str) -> Table:
    """A `#` behind a column's name puts it to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.rstrip("#"), justify="right" if column.endswith("#") else "left", no_wrap=True)
    return table


def _summary(before: Status, now: Status) -> Text:
    sessions, freshness = now["sessions"], now["freshness"]
    rate = sum(reads + others for reads, others in _rates(before, now))
    text = (
        f"manyreads {now['version']}, up {now['uptime']:.0f} s: {rate:,.0f} statements/s, "
        f"{sessions['all']:,} of {sessions['limit']:,} sessions, {freshness['waiting']} reads wait, "
        f"event loop {now['event_loop_late'] * 1000:.1f} ms late\n"
    )
    return Text(text, "bold red" if now["draining"] else "")


def _rates(before: Status, now: Status) -> Iterator[tuple[float, float]]:
    """Reads and other statements per second, server by server. A proxy that began anew counts from there."""
    seconds = now["uptime"] - before["uptime"]
    known = {server["name"]: server for server in before["servers"]} if seconds > 0 else {}
    for server in now["servers"]:
        old = known.get(server["name"], server)
        yield (
            (server["reads"] - old["reads"]) / max(seconds, 0.001),
            (server["others"] - old["others"]) / max(seconds, 0.001),
        )


def _servers(before: Status, now: Status) -> Table:
    table = _table("server", "role", "state", "lag#", "fresh", "reads/s#", "others/s#", "in use#", "idle#", "errors#")
    for server, (reads, others) in zip(now["servers"], _rates(before, now), strict=True):
        used = server["connections"]
        table.add_row(
            server["name"],
            server["role"],
            Text(server["state"], _STYLES.get(server["state"], "red")),
            _lag(server),
            "yes" if server["fresh"] else "no",
            f"{reads:,.0f}",
            f"{others:,.0f}",
            f"{used['in_use']:,}",
            f"{used['idle'] + used['free']:,}",
            f"{server['errors']:,}",
        )
    return table


def _lag(server: Status) -> str:
    """The primary has none."""
    if server["lag"] is None:
        return "" if server["role"] == "primary" else "unknown"
    return f"{round(server['lag'], 2):g} s"


def _digests(digests: list[Status], width: int) -> Table:
    table = _table("count#", "total s#", "mean ms#", "p95 ms#", "replicas#", "reason", "statement")
    table.columns[-1].overflow = "ellipsis"
    for digest in digests:
        runs = digest["primary"] + digest["replicas"]
        table.add_row(
            f"{runs:,}",
            f"{digest['seconds']:.2f}",
            f"{digest['seconds'] / max(1, runs) * 1000:.2f}",
            f"{digest['p95'] * 1000:g}",
            f"{digest['replicas'] / max(1, runs):.0%}",
            digest["reason"][: 12 if width < _NARROW else 30],
            Text(digest["digest"]),
        )
    return table


def _sessions(sessions: list[Status], width: int) -> Table:
    table = _table("session", "user", "client", "doing", "statements#", "pinned by")
    table.columns[-1].overflow = "ellipsis"
    for session in sessions:
        doing = f"{session['phase']} {session['server']}".strip() + (" (trx)" if session["in_transaction"] else "")
        user = session["user"][: 16 if width < _NARROW else 32]
        pins = ", ".join(session["pins"])
        table.add_row(
            *map(Text, (str(session["number"]), user, session["client"], doing, f"{session['statements']:,}", pins))
        )
    return table
