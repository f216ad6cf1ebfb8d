"""Answers what the proxy is asked itself, with what it knows of its sessions and servers at that moment."""

import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Final, Protocol

from proxy.admin import shows
from proxy.admin.figures import Figures, Parts, digest_views, summed
from proxy.admin.route import RouteView, explained
from proxy.admin.tables import Table
from proxy.routing.policy import REPLICA
from proxy.routing.state import SessionState
from proxy.session.core.request import Explained, Request
from proxy.session.shared.context import Context
from proxy.session.shared.overview import server_views
from proxy.session.shared.rights import NO_PROCESS, NO_SUPER, may_command, may_see_all
from proxy.sql.own import Order, Show, Topic
from proxy.sql.statement import OWN
from proxy.wire import constants as c
from proxy.wire.framing import frame
from proxy.wire.replies import Err, err_payload
from proxy.wire.resultset import Cell, ResultForm, result_set
from topology.consistency import Level
from topology.freshness import NOTHING
from topology.servers import Server

_NO_POSITION: Final = Err(c.ER_UNKNOWN_ERROR, "The primary does not tell its position")
_ABOUT_OTHERS: Final = frozenset({Topic.POOLS, Topic.DIGESTS})


class Asker(Protocol):
    """The session that asks."""

    @property
    def user(self) -> str:
        """Whose it is."""

    @property
    def address(self) -> str:
        """The client's IP address."""

    @property
    def own(self) -> int:
        """The number of its last write, NOTHING if it has not written."""

    @property
    def located(self) -> int:
        """The number of the last write when it asked for the primary's position."""

    def level_of(self, request: Request) -> Level:
        """What a read must see."""

    def limit_of(self, request: Request) -> float:
        """For how many seconds it may run; 0 for any number."""

    def foresee(self, request: Request) -> Server | None:
        """The server that `request` would go to now."""


def asks_primary(asked: Show | Explained) -> bool:
    """Whether the primary's position should be asked for before this is answered."""
    return isinstance(asked, Show) and asked.topic is Topic.POSITION


def asks_others(asked: Show | Explained) -> Parts | None:
    """What of the figures of all processes is needed to answer this; None when nothing is."""
    return _PARTS.get(asked.topic) if isinstance(asked, Show) else None


def answer(
    context: Context, asker: Asker, state: SessionState, asked: Show | Explained, figures: Figures, capabilities: int
) -> bytes:
    """The whole reply to what `asker` asks, numbered from 1."""
    if isinstance(asked, Explained):
        return told(_routed(context, asker, state, asked), state, capabilities)
    return told(_shown(context, asker, asked, figures), state, capabilities)


def told(found: Table | Err, state: SessionState, capabilities: int) -> bytes:
    """A reply, numbered from 1."""
    if isinstance(found, Err):
        return frame(err_payload(found), 1)
    form = ResultForm(capabilities, state.reading.charset, state.reading.meaning.python_codec, state.status)
    return result_set(found.columns, found.rows, form)


async def ordered(context: Context, asker: Asker, order: Order) -> Table | Err:
    """Have a replica drained or put back, and tell how it is then."""
    if not may_command(context, asker.user, asker.address):
        return NO_SUPER
    if not await context.colleagues.order(order):
        return Err(c.ER_UNKNOWN_ERROR, f"There is no replica '{order.server}'; SHOW PROXY SERVERS has their names")
    figures = await context.colleagues.figures(Parts())
    return shows.servers(view for view in server_views(context, figures.given) if view.server.name == order.server)


def _routed(context: Context, asker: Asker, state: SessionState, asked: Explained) -> Table:
    request = asked.request
    own = request.statement.kind is OWN
    _, *replicas = server_views(context, {})
    server = None if own else asker.foresee(request)
    view = RouteView(
        request.statement,
        request.route,
        server,
        asked.digest,
        tuple(state.pins.reasons()),
        state.in_transaction,
        tuple(replicas),
        request.rule,
        request.wish,
        asker.level_of(request),
        context.settings.freshness_wait if request.waits else 0.0,
        _balance(context) if request.route.target is REPLICA else "",
        asker.limit_of(request),
    )
    return explained(view)


def _balance(context: Context) -> str:
    """By which method, and what it goes by."""
    snapshot, balancer = context.monitor.snapshot, context.balancer
    standing = [f"{server.name} {balancer.standing(snapshot, server.name)}" for server in snapshot.readers]
    return f"{balancer.name}: {'; '.join(standing)}" if standing else balancer.name


def _shown(context: Context, asker: Asker, show: Show, figures: Figures) -> Table | Err:
    all_ = may_see_all(context, asker.user, asker.address)
    if show.topic in _ABOUT_OTHERS and not all_:
        return NO_PROCESS
    if show.topic is Topic.POSITION:
        return _position(context, asker)
    if show.topic is Topic.SESSIONS:
        return shows.sessions(view for view in figures.sessions if all_ or view.user == asker.user).like(show.like)
    return _TABLES[show.topic](context, figures).like(show.like)


def _position(context: Context, asker: Asker) -> Table | Err:
    freshness = context.monitor.freshness
    everybody, own = freshness.position_after(asker.located), ""
    if everybody is None:
        return _NO_POSITION
    if asker.own != NOTHING:
        own = freshness.position_after(asker.own) or everybody
    return shows.position(own, everybody)


def _status(context: Context, figures: Figures) -> Table:
    counts, levels, given = figures.counts, figures.levels, figures.given.values()
    shown: dict[str, Cell] = {
        "version": version("manyreads"),
        "uptime_seconds": int(time.monotonic() - context.since),
        "sessions": levels["sessions"],
        "logins_under_way": levels["logins"],
        "digests_remembered": levels["digests"],
        "reads": sum(one.reads for one in given),
        "other_statements": sum(one.others for one in given),
        "writes_acknowledged": counts["writes"],
        "consistency": context.settings.consistency,
        "reads_that_wait": levels["waiting"],
        "reads_that_waited": counts["waited"],
        "reads_that_waited_in_vain": counts["in_vain"],
        "transactions_promoted": counts["promoted"],
        "transactions_promoted_in_vain": counts["promoted_in_vain"],
        "transactions_replayed": counts["replayed"],
        "transactions_replayed_in_vain": counts["replayed_in_vain"],
        "memory_held": levels["memory"],
        "replicas_healthy": len(context.monitor.snapshot.readers),
        "draining": "yes" if context.draining else "no",
    }
    return shows.status(shown)


_TABLES: Final[dict[Topic, Callable[[Context, Figures], Table]]] = {
    Topic.POOLS: lambda _, figures: shows.pools(summed(figures.pools)),
    Topic.SERVERS: lambda context, figures: shows.servers(server_views(context, figures.given)),
    Topic.DIGESTS: lambda _, figures: shows.digests(digest_views(figures.digests)),
    Topic.ROUTES: lambda _, figures: shows.routes(figures.ways),
    Topic.STATUS: _status,
    Topic.VERSION: lambda *_: shows.version(version("manyreads")),
    Topic.HELP: lambda *_: shows.explanation(),
}
_PARTS: Final = {
    Topic.SESSIONS: Parts(sessions=sys.maxsize),
    Topic.POOLS: Parts(pools=True),
    Topic.SERVERS: Parts(),
    Topic.DIGESTS: Parts(digests=True),
    Topic.ROUTES: Parts(),
    Topic.STATUS: Parts(),
}
