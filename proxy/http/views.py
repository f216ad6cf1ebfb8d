"""What the dashboard and `manyreads top` show, as one JSON object. docs/observing.md describes the keys."""

import heapq
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, Final

from proxy.admin.figures import Digest, Figures, Given, Parts, Times, Way, digest_views, summed
from proxy.admin.reasons import sentence
from proxy.admin.views import DigestView, PoolFigure, ServerView, SessionView
from proxy.routing.policy import Target
from proxy.session.shared.context import Context
from proxy.session.shared.heaviest import MOST_DIGESTS
from proxy.session.shared.overview import server_views
from proxy.sql.digest import digest_id
from proxy.sql.tally import BOUNDS

MOST_SESSIONS: Final = 100
MOST_EVENTS: Final = 100
_MOST_ROUTES: Final = 20
# Of the sessions so many are looked at: that takes some microseconds for each, and meanwhile no statement is passed on.
PARTS: Final = Parts(sessions=1000, pools=True, heaviest=True, events=True)


def status(context: Context, figures: Figures) -> dict[str, Any]:
    """The whole proxy now. Times are in seconds, counts are since the start."""
    pools = list(summed(figures.pools))
    return {
        "version": version("manyreads"),
        "uptime": time.monotonic() - context.since,
        "draining": context.draining,
        "event_loop_late": figures.late,
        "consistency": str(context.settings.consistency),
        "bounds": BOUNDS,
        "servers": [
            _server(figures.given.get(view.server.name) or Given(), view, pools)
            for view in server_views(context, figures.given)
        ],
        "freshness": _freshness(figures),
        "routes": _routes(figures.ways),
        "digests": [_digest(view) for view in _heaviest(figures.digests)],
        "sessions": {
            "all": figures.levels["sessions"],
            "limit": context.settings.max_connections,
            "logging_in": figures.levels["logins"],
            "shown": [_session(view) for view in sorted(figures.sessions, key=_interest)[:MOST_SESSIONS]],
        },
        "events": sorted(figures.events, key=lambda event: str(event["at"]), reverse=True)[:MOST_EVENTS],
    }


def _heaviest(digests: Iterable[Digest]) -> list[DigestView]:
    return heapq.nlargest(MOST_DIGESTS, digest_views(digests), key=lambda view: view.served.seconds)


def _server(given: Given, view: ServerView, pools: Iterable[PoolFigure]) -> dict[str, Any]:
    own = [figure for figure in pools if figure.server == view.server.name]
    return {
        "name": view.server.name,
        "address": view.server.address,
        "role": str(view.server.role),
        "state": view.health,
        "reason": view.reason,
        "lag": view.lag,
        "weight": view.weight,
        "fresh": view.fresh,
        "reads": given.reads,
        "others": given.others,
        "errors": given.errors,
        "served": _histogram(given.served),
        "connections": {
            **{key: sum(getattr(figure, key) for figure in own) for key in ("in_use", "idle", "free", "waiting")},
            "limit": max((figure.most for figure in own), default=0),
        },
    }


def _histogram(of: Times) -> dict[str, Any]:
    return {"counts": of.counts, "seconds": of.seconds}


def _freshness(figures: Figures) -> dict[str, int]:
    return {"writes": figures.counts["writes"], "waiting": figures.levels["waiting"]} | {
        name: figures.counts[name] for name in ("waited", "in_vain")
    }


def _routes(ways: Mapping[tuple[Target, str], Way]) -> list[dict[str, Any]]:
    often = heapq.nlargest(_MOST_ROUTES, ways.items(), key=lambda item: item[1].on_primary + item[1].on_replicas)
    return [
        {"reason": reason, "means": sentence(reason), "primary": way.on_primary, "replicas": way.on_replicas}
        for (_, reason), way in often
    ]


def _digest(view: DigestView) -> dict[str, Any]:
    return {
        "id": digest_id(view.digest),
        "digest": view.digest[:1024],
        "primary": view.primary,
        "replicas": view.replicas,
        "errors": view.errors,
        "rows_sent": view.rows,
        "rows_affected": view.affected,
        "reason": view.reason,
        "means": sentence(view.reason),
        "seconds": view.served.seconds,
        "p95": view.served.quantile(0.95),
        "example": view.example,
    }


def _interest(view: SessionView) -> tuple[bool, bool, int]:
    """Those at work come first, then those that are pinned, in the order of their arrival."""
    return view.phase == "idle", not view.pins, view.number


def _session(view: SessionView) -> dict[str, Any]:
    return {
        "number": view.number,
        "user": view.user,
        "client": view.client,
        "schema": view.schema,
        "phase": view.phase,
        "pins": view.pins,
        "holds": view.holds,
        "in_transaction": view.in_transaction,
        "replay": view.replay,
        "server": view.server,
        "statements": view.statements,
    }
