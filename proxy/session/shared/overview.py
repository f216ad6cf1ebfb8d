"""The servers and their connections as the whole process sees them, as values to be shown."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final

from proxy.admin import shows
from proxy.admin.figures import Figures, Given, Parts, Way, digest_of, summed, times
from proxy.admin.views import PoolFigure, PoolFigures, ServerView
from proxy.logs import RECENT
from proxy.routing.policy import routes
from proxy.session.shared.context import Context
from proxy.sql.tally import UNREMEMBERED
from topology.servers import Health, ServerState
from topology.shares import FULL

# The state of each of several servers that accept writes.
SPLIT: Final = "split"


class SessionFigures:
    """Server connections as the sessions have them."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def figures(self) -> Iterable[PoolFigure]:
        """One for each server and user."""
        return summed(figure for session in self._context.sessions for figure in session.figures())


def pool_figures(context: Context) -> Iterable[PoolFigure]:
    """Server connections, one for each server and user."""
    source: PoolFigures = context.pool or SessionFigures(context)
    return source.figures()


def server_views(context: Context, given: Mapping[str, Given]) -> list[ServerView]:
    """All servers, the primary first, with what they were `given` by all processes."""
    return [_server(context, state, given) for state in context.monitor.snapshot.states()]


def _server(context: Context, state: ServerState, given: Mapping[str, Given]) -> ServerView:
    name = state.server.name
    traffic = given.get(name) or Given()
    snapshot = context.monitor.snapshot
    on_primary = state is snapshot.primary
    health, reason = str(state.health), state.reason
    if name in snapshot.rivals:
        health, reason = SPLIT, "several servers accept writes"
    # What was confirmed of a server that is down may have gone with it.
    fresh = on_primary or (state.health is not Health.DOWN and context.monitor.freshness.fresh(name))
    weight, share = (None, None) if on_primary else _weight(state)
    return ServerView(state.server, health, reason, state.lag, fresh, traffic.reads, traffic.others, weight, share)


def _weight(state: ServerState) -> tuple[int, float | None]:
    """The weight of a replica, and the part of it that it gets while it is used."""
    return state.weight, state.share / (state.weight * FULL) if state.usable else None


def figures(context: Context, parts: Parts) -> Figures:
    """What this process has counted, and the parts that are wanted."""
    context.book.add_up()
    found = Figures(_counts(context), _levels(context), context.late)
    found.given = {
        name: Given(one.reads, one.others, one.errors, times(one.served)) for name, one in context.traffic.items()
    }
    found.ways = {
        (route.target, route.reason): Way(route.on_primary, route.on_replicas)
        for route in routes()
        if route.on_primary + route.on_replicas
    }
    found.sessions = [session.view() for session in islice(context.sessions, parts.sessions)]
    found.pools = list(pool_figures(context)) if parts.pools else []
    if parts.digests:
        found.digests = [digest_of(view) for view in shows.most_frequent([*context.tallies(), UNREMEMBERED])]
    if parts.heaviest:
        found.digests = [digest_of(view) for view in context.heaviest.views()]
    found.events = list(RECENT.lines) if parts.events else []
    return found


def _counts(context: Context) -> dict[str, int]:
    return {
        "writes": context.monitor.freshness.writes,
        "waited": context.waits.begun,
        "in_vain": context.waits.in_vain,
        "promoted": context.promotions.begun,
        "promoted_in_vain": context.promotions.in_vain,
        "replayed": context.replays.begun,
        "replayed_in_vain": context.replays.in_vain,
    }


def _levels(context: Context) -> dict[str, int]:
    return {
        "sessions": len(context.sessions),
        "logins": len(context.logins),
        "digests": len(context.cache) if context.cache is not None else 0,
        "waiting": context.monitor.freshness.waiters,
        "memory": context.memory.held,
    }
