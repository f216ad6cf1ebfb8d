"""What the dashboard and `manyreads top` show, as one JSON object. docs/observing.md describes the keys."""

import heapq
import time
from collections.abc import Iterable
from importlib.metadata import version
from itertools import islice
from typing import Any, Final

from proxy.admin.reasons import sentence
from proxy.admin.shows import merged
from proxy.admin.views import DigestView, PoolFigure, ServerView, SessionView
from proxy.logs import RECENT
from proxy.routing.policy import routes
from proxy.session.context import Context
from proxy.session.overview import pool_figures, server_views
from proxy.sql.digest import digest_id
from proxy.sql.tally import BOUNDS, Histogram, Tally

MOST_DIGESTS: Final = 20
MOST_SESSIONS: Final = 100
# To look at one takes some microseconds, and meanwhile no statement is passed on.
_LOOKED_AT: Final = 1000
_MOST_ROUTES: Final = 20
_RANKING_SECONDS: Final = 5.0


class Heaviest:
    """The digests that servers spent most time on; which ones these are is looked up every few seconds at most.

    Among 10,000 that takes 10 ms.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._found: list[Tally] = []
        self._until = 0.0

    def views(self) -> list[DigestView]:
        """They, with what is counted of them by now."""
        now = time.monotonic()
        if now >= self._until:
            self._found, self._until = self._look(), now + _RANKING_SECONDS
        return merged(self._found)

    def _look(self) -> list[Tally]:
        tallies: list[Tally] = self._context.cache.tallies() if self._context.cache is not None else []
        ran = heapq.nlargest(MOST_DIGESTS, tallies, key=lambda tally: tally.served.seconds)
        return [tally for tally in ran if tally.primary + tally.replicas]


def status(context: Context, heaviest: Heaviest) -> dict[str, Any]:
    """The whole proxy now. Times are in seconds, counts are since the start."""
    sessions = [session.view() for session in islice(context.sessions, _LOOKED_AT)]
    pools = list(pool_figures(context))
    return {
        "version": version("manyreads"),
        "uptime": time.monotonic() - context.since,
        "draining": context.draining,
        "event_loop_late": context.late,
        "consistency": str(context.settings.consistency),
        "bounds": BOUNDS,
        "servers": [_server(context, view, pools) for view in server_views(context)],
        "freshness": _freshness(context),
        "routes": _routes(),
        "digests": [_digest(view) for view in heaviest.views()],
        "sessions": {
            "all": len(context.sessions),
            "limit": context.settings.max_connections,
            "logging_in": len(context.logins),
            "shown": [_session(view) for view in sorted(sessions, key=_interest)[:MOST_SESSIONS]],
        },
        "events": list(reversed(RECENT.lines)),
    }


def _server(context: Context, view: ServerView, pools: Iterable[PoolFigure]) -> dict[str, Any]:
    traffic = context.traffic[view.server.name]
    own = [figure for figure in pools if figure.server == view.server.name]
    return {
        "name": view.server.name,
        "address": view.server.address,
        "role": str(view.server.role),
        "state": view.health,
        "reason": view.reason,
        "lag": view.lag,
        "fresh": view.fresh,
        "reads": traffic.reads,
        "others": traffic.others,
        "errors": traffic.errors,
        "served": _histogram(traffic.served),
        "connections": {
            **{key: sum(getattr(figure, key) for figure in own) for key in ("in_use", "idle", "free", "waiting")},
            "limit": max((figure.most for figure in own), default=0),
        },
    }


def _histogram(of: Histogram) -> dict[str, Any]:
    return {"counts": of.counts, "seconds": of.seconds}


def _freshness(context: Context) -> dict[str, int]:
    freshness, waits = context.monitor.freshness, context.waits
    return {
        "writes": freshness.writes,
        "waiting": freshness.waiters,
        "waited": waits.begun,
        "in_vain": waits.in_vain,
    }


def _routes() -> list[dict[str, Any]]:
    often = heapq.nlargest(_MOST_ROUTES, routes(), key=lambda route: route.on_primary + route.on_replicas)
    return [
        {
            "reason": route.reason,
            "means": sentence(route.reason),
            "primary": route.on_primary,
            "replicas": route.on_replicas,
        }
        for route in often
        if route.on_primary + route.on_replicas
    ]


def _digest(view: DigestView) -> dict[str, Any]:
    return {
        "id": digest_id(view.digest),
        "digest": view.digest[:1024],
        "primary": view.primary,
        "replicas": view.replicas,
        "errors": view.errors,
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
        "in_transaction": view.in_transaction,
        "server": view.server,
        "statements": view.statements,
    }
