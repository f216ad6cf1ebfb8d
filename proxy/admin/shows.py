"""The tables of SHOW PROXY."""

import heapq
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from proxy.admin.figures import Way
from proxy.admin.tables import Table, columns
from proxy.admin.views import DigestView, PoolFigure, ServerView, SessionView
from proxy.routing.policy import Target
from proxy.sql.digest import digest_id, digest_text
from proxy.sql.tally import Histogram, Tally
from proxy.wire.resultset import Cell

# The shown text of a digest takes some time to make, and nobody reads more of them.
MOST_DIGESTS: Final = 1000
_LONGEST_DIGEST: Final = 1024  # as performance_schema's, unless told otherwise

_SESSIONS: Final = columns(
    "id# user client schema phase pinned in_transaction server connections statements# replay holds",
)
_POOLS: Final = columns("server user open# in_use# idle# free# waiting# most#")
_SERVERS: Final = columns("server address role state reason lag fresh reads# others# weight# share")
_DIGESTS: Final = columns(
    "digest_id digest count# primary# replicas# errors# rows_sent# rows_affected# reason last_seen total_ms mean_ms "
    "p95_ms example"
)
_ROUTES: Final = columns("reason target count# on_primary# on_replicas#")
_STATUS: Final = columns("name value")
_POSITION: Final = columns("scope token")
_VERSION: Final = columns("version")
_HELP: Final = columns("statement shows")
_HELP_ROWS: Final = (
    ("EXPLAIN ROUTE statement", "where a statement of this session would go now, and why; it is not run"),
    ("SHOW PROXY SESSIONS [LIKE 'user']", "clients, what they do, what keeps them on the primary"),
    ("SHOW PROXY POOLS [LIKE 'server']", "connections to servers"),
    ("SHOW PROXY SERVERS [LIKE 'server']", "servers, their state, which replicas are up to date"),
    ("SHOW PROXY DIGESTS [LIKE 'text']", f"the {MOST_DIGESTS} digests that ran most often, and where"),
    ("SHOW PROXY ROUTES [LIKE 'reason']", "how often each reason decided"),
    ("SHOW PROXY STATUS [LIKE 'name']", "figures of the whole proxy"),
    ("SHOW PROXY POSITION", "tokens for /* manyreads: after=TOKEN */: what this session, and all, have written"),
    ("PROXY DRAIN SERVER name", "give a replica no more reads; those that run there go on"),
    ("PROXY RESUME SERVER name", "put it back into use"),
    ("PROXY WEIGHT SERVER name TO n", "give it so many parts of the reads: 1 to 100"),
    ("SHOW PROXY VERSION", "the proxy's version"),
    ("PROXY PAUSE WRITES [FOR n SECONDS]", "hold writes and new transactions, once those under way are over"),
    ("PROXY RESUME WRITES", "let them go on, at the server that is the primary by then"),
    ("SHOW PROXY HELP", "this"),
)


def sessions(views: Iterable[SessionView]) -> Table:
    """SHOW PROXY SESSIONS."""
    rows: list[tuple[Cell, ...]] = [
        (
            *(view.number, view.user, view.client, view.schema or None, view.phase, ", ".join(view.pins) or None),
            *(
                _yes(view.in_transaction),
                view.server or None,
                ", ".join(view.connections),
                view.statements,
                view.replay or None,
                ", ".join(view.holds) or None,
            ),
        )
        for view in sorted(views, key=lambda view: view.number)
    ]
    return Table(_SESSIONS, [*rows], key=1)


def pools(figures: Iterable[PoolFigure]) -> Table:
    """SHOW PROXY POOLS."""
    ordered = sorted(figures, key=lambda figure: (figure.server, figure.user))
    return Table(
        _POOLS,
        [
            (one.server, one.user, one.opened, one.in_use, one.idle, one.free, one.waiting, one.most or None)
            for one in ordered
        ],
    )


def servers(views: Iterable[ServerView]) -> Table:
    """SHOW PROXY SERVERS."""
    rows: list[tuple[Cell, ...]] = [
        (
            *(view.server.name, view.server.address, str(view.server.role), view.health, view.reason or None),
            *(None if view.lag is None else f"{round(view.lag, 2):g}", _yes(view.fresh), view.reads, view.others),
            *(view.weight, None if view.share is None else f"{view.share:.0%}"),
        )
        for view in views
    ]
    return Table(_SERVERS, [*rows])


def digests(views: Iterable[DigestView]) -> Table:
    """SHOW PROXY DIGESTS. No text holds a literal."""
    ordered = sorted(views, key=lambda view: view.primary + view.replicas, reverse=True)
    return Table(_DIGESTS, [_digest_row(view) for view in ordered[:MOST_DIGESTS]], key=1)


def most_frequent(tallies: Iterable[Tally]) -> list[DigestView]:
    """The digests that ran most often."""
    first = heapq.nlargest(MOST_DIGESTS, tallies, key=lambda tally: tally.ran)
    return merged(tally for tally in first if tally.ran)


def merged(tallies: Iterable[Tally]) -> list[DigestView]:
    """What was counted by digest: several keys can be shown as one."""
    found: dict[str, DigestView] = {}
    for tally in tallies:
        text = digest_text(tally.key)
        known = found.get(text) or DigestView(text, 0, 0, 0, 0, 0, "", 0.0, Histogram(), "")
        last = tally.seen >= known.seen
        known.served.add(tally.served)
        found[text] = DigestView(
            text,
            known.primary + tally.primary,
            known.replicas + tally.replicas,
            known.errors + tally.errors,
            known.rows + tally.rows,
            known.affected + tally.affected,
            tally.reason if last else known.reason,
            max(tally.seen, known.seen),
            known.served,
            known.example or tally.example,
        )
    return list(found.values())


def _digest_row(view: DigestView) -> tuple[Cell, ...]:
    seen = datetime.fromtimestamp(view.seen, UTC).strftime("%Y-%m-%d %H:%M:%S")
    text = view.digest or "(texts that are not remembered)"
    counts = (view.primary + view.replicas, view.primary, view.replicas, view.errors, view.rows, view.affected)
    served = view.served
    mean = served.seconds / max(1, served.total)
    times = [f"{seconds * 1000:.3f}" for seconds in (served.seconds, mean, served.quantile(0.95))]
    return digest_id(view.digest), text[:_LONGEST_DIGEST], *counts, view.reason, seen, *times, view.example or None


def routes(ways: Mapping[tuple[Target, str], Way]) -> Table:
    """SHOW PROXY ROUTES."""
    rows = [
        (reason, target.name.lower(), way.on_primary + way.on_replicas, way.on_primary, way.on_replicas)
        for (target, reason), way in sorted(ways.items(), key=lambda item: (item[0][1], item[0][0]))
    ]
    return Table(_ROUTES, [*rows])


def status(figures: dict[str, Cell]) -> Table:
    """SHOW PROXY STATUS."""
    return Table(_STATUS, [*figures.items()])


def position(own: str, everybody: str) -> Table:
    """SHOW PROXY POSITION: GTID positions, empty where there is none, as they can be written in a hint."""
    rows = (("session", own), ("all", everybody))
    return Table(_POSITION, [(scope, gtid.replace(",", "+") or None) for scope, gtid in rows])


def version(number: str) -> Table:
    """SHOW PROXY VERSION."""
    return Table(_VERSION, [(number,)])


def explanation() -> Table:
    """SHOW PROXY HELP."""
    return Table(_HELP, [*_HELP_ROWS])


def _yes(value: bool) -> str:
    return "yes" if value else "no"
