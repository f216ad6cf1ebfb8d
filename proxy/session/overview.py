"""The servers and their connections as the whole process sees them, as values to be shown."""

from collections.abc import Iterable
from typing import Final

from proxy.admin.views import PoolFigure, PoolFigures, ServerView
from proxy.session.context import Context
from topology.servers import ServerState

# The state of each of several servers that accept writes.
SPLIT: Final = "split"


class SessionFigures:
    """Server connections as the sessions have them."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def figures(self) -> Iterable[PoolFigure]:
        """One for each server and user."""
        return summed(figure for session in self._context.sessions for figure in session.figures())


def summed(figures: Iterable[PoolFigure]) -> Iterable[PoolFigure]:
    """One for each server and user."""
    found: dict[tuple[str, str], PoolFigure] = {}
    for one in figures:
        key = one.server, one.user
        sum_ = found.get(key) or PoolFigure(*key)
        found[key] = PoolFigure(
            *key,
            sum_.opened + one.opened,
            sum_.in_use + one.in_use,
            sum_.idle + one.idle,
            sum_.waiting + one.waiting,
        )
    return found.values()


def pool_figures(context: Context) -> Iterable[PoolFigure]:
    """Server connections, one for each server and user."""
    source: PoolFigures = context.pool or SessionFigures(context)
    return source.figures()


def server_views(context: Context) -> list[ServerView]:
    """All servers, the primary first."""
    return [_server(context, state) for state in context.monitor.snapshot.states()]


def _server(context: Context, state: ServerState) -> ServerView:
    name, traffic = state.server.name, context.traffic[state.server.name]
    snapshot = context.monitor.snapshot
    on_primary = state is snapshot.primary
    health, reason = str(state.health), state.reason
    if name in snapshot.rivals:
        health, reason = SPLIT, "several servers accept writes"
    fresh = on_primary or context.monitor.freshness.fresh(name)
    return ServerView(state.server, health, reason, state.lag, fresh, traffic.reads, traffic.others)
