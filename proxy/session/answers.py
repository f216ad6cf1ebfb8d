"""Answers what the proxy is asked itself, with what it knows of its sessions and servers at that moment."""

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Final, Protocol

from proxy.admin import shows
from proxy.admin.route import RouteView, explained
from proxy.admin.tables import Table
from proxy.routing.policy import REPLICA, routes
from proxy.routing.state import SessionState
from proxy.session.context import Context
from proxy.session.overview import pool_figures, server_views
from proxy.session.request import Explained, Request
from proxy.session.rights import NO_PROCESS, NO_SUPER, may_command, may_see_all
from proxy.sql.own import Order, Show, Topic
from proxy.sql.statement import OWN
from proxy.sql.tally import UNREMEMBERED
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


def asks_primary(asked: Show | Order | Explained) -> bool:
    """Whether the primary's position should be asked for before this is answered."""
    return isinstance(asked, Show) and asked.topic is Topic.POSITION


def answer(
    context: Context, asker: Asker, state: SessionState, asked: Show | Order | Explained, capabilities: int
) -> bytes:
    """The whole reply to what `asker` asks, numbered from 1."""
    found = _found(context, asker, state, asked)
    if isinstance(found, Err):
        return frame(err_payload(found), 1)
    form = ResultForm(capabilities, state.reading.charset, state.reading.meaning.python_codec, state.status)
    return result_set(found.columns, found.rows, form)


def _found(context: Context, asker: Asker, state: SessionState, asked: Show | Order | Explained) -> Table | Err:
    if isinstance(asked, Explained):
        return _routed(context, asker, state, asked)
    return _ordered(context, asker, asked) if isinstance(asked, Order) else _shown(context, asker, asked)


def _ordered(context: Context, asker: Asker, order: Order) -> Table | Err:
    if not may_command(context, asker.user, asker.address):
        return NO_SUPER
    if not context.monitor.order(order.server, drain=order.drain):
        return Err(c.ER_UNKNOWN_ERROR, f"There is no replica '{order.server}'; SHOW PROXY SERVERS has their names")
    return shows.servers(view for view in server_views(context) if view.server.name == order.server)


def _routed(context: Context, asker: Asker, state: SessionState, asked: Explained) -> Table:
    request = asked.request
    own = request.statement.kind is OWN
    _, *replicas = server_views(context)
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


def _shown(context: Context, asker: Asker, show: Show) -> Table | Err:
    all_ = may_see_all(context, asker.user, asker.address)
    if show.topic in _ABOUT_OTHERS and not all_:
        return NO_PROCESS
    if show.topic is Topic.POSITION:
        return _position(context, asker)
    if show.topic is Topic.SESSIONS:
        views = (one.view() for one in context.sessions if all_ or one.user == asker.user)
        return shows.sessions(views).like(show.like)
    return _TABLES[show.topic](context).like(show.like)


def _position(context: Context, asker: Asker) -> Table | Err:
    freshness = context.monitor.freshness
    everybody, own = freshness.position_after(asker.located), ""
    if everybody is None:
        return _NO_POSITION
    if asker.own != NOTHING:
        own = freshness.position_after(asker.own) or everybody
    return shows.position(own, everybody)


def _pools(context: Context) -> Table:
    return shows.pools(pool_figures(context))


def _digests(context: Context) -> Table:
    known = context.cache.tallies() if context.cache is not None else []
    return shows.digests([*known, UNREMEMBERED])


def _status(context: Context) -> Table:
    traffic = context.traffic.values()
    figures: dict[str, Cell] = {
        "version": version("manyreads"),
        "uptime_seconds": int(time.monotonic() - context.since),
        "sessions": len(context.sessions),
        "logins_under_way": len(context.logins),
        "digests_remembered": len(context.cache) if context.cache is not None else 0,
        "reads": sum(one.reads for one in traffic),
        "other_statements": sum(one.others for one in traffic),
        "writes_acknowledged": context.monitor.freshness.writes,
        "consistency": context.settings.consistency,
        "reads_that_wait": context.monitor.freshness.waiters,
        "reads_that_waited": context.waits.begun,
        "reads_that_waited_in_vain": context.waits.in_vain,
        "transactions_promoted": context.promotions.begun,
        "transactions_promoted_in_vain": context.promotions.in_vain,
        "memory_held": context.memory.held,
        "replicas_healthy": len(context.monitor.snapshot.readers),
        "draining": "yes" if context.draining else "no",
    }
    return shows.status(figures)


_TABLES: Final[dict[Topic, Callable[[Context], Table]]] = {
    Topic.POOLS: _pools,
    Topic.SERVERS: lambda context: shows.servers(server_views(context)),
    Topic.DIGESTS: _digests,
    Topic.ROUTES: lambda context: shows.routes(routes()),
    Topic.STATUS: _status,
    Topic.VERSION: lambda context: shows.version(version("manyreads")),
    Topic.HELP: lambda context: shows.explanation(),
}
