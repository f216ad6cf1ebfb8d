"""What the process knows as Prometheus metrics, read when they are asked for: a statement costs nothing more."""

import platform
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.metadata import version

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from proxy.admin.views import ServerView
from proxy.routing.policy import routes
from proxy.session.context import Context
from proxy.session.overview import pool_figures, server_views
from topology.servers import Health

Labels = tuple[str, ...]
Samples = Iterable[tuple[Labels, float]]


class Metrics:
    """Those of one process."""

    def __init__(self, context: Context) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Process(context))
        ProcessCollector(registry=self._registry)

    def exposition(self) -> bytes:
        """The text that Prometheus reads (version 0.0.4 of its format)."""
        return generate_latest(self._registry)


class _Process(Collector):
    def __init__(self, context: Context) -> None:
        self._context = context

    def collect(self) -> Iterator[Metric]:
        context = self._context
        yield InfoMetricFamily("manyreads_build", "What runs", value=_build())
        yield _gauge(
            "event_loop_late_seconds", "By how much the event loop's last timer was late", [((), context.late)]
        )
        yield from _sessions(context)
        yield from _statements(context)
        yield from _servers(server_views(context))
        yield from _pools(context)
        yield from _freshness(context)


def _build() -> dict[str, str]:
    return {"version": version("manyreads"), "python": platform.python_version()}


def _gauge(name: str, text: str, samples: Samples, labels: Labels = ()) -> Metric:
    family = GaugeMetricFamily(f"manyreads_{name}", text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _counter(name: str, text: str, samples: Samples, labels: Labels = ()) -> Metric:
    family = CounterMetricFamily(f"manyreads_{name}", text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _sessions(context: Context) -> Iterator[Metric]:
    views = [session.view() for session in context.sessions]
    phases = Counter((view.phase,) for view in views)
    pins = Counter((reason,) for view in views for reason in view.pins)
    yield _gauge("sessions", "Clients that are logged in, by what they do", phases.items(), ("phase",))
    yield _gauge("sessions_pinned", "Those that read on the primary only, by reason", pins.items(), ("reason",))
    yield _gauge("sessions_limit", "max_connections", [((), context.settings.max_connections)])
    yield _gauge("logins_under_way", "Clients that are logging in", [((), len(context.logins))])


def _statements(context: Context) -> Iterator[Metric]:
    ways = [
        ((kind, route.reason), count)
        for route in routes()
        for kind, count in (("primary", route.on_primary), ("replica", route.on_replicas))
        if count
    ]
    yield _counter("statements", "By where they ran, and why", ways, ("target", "reason"))
    given = [
        ((name, kind), count)
        for name, traffic in context.traffic.items()
        for kind, count in (("read", traffic.reads), ("other", traffic.others))
    ]
    yield _counter("server_statements", "What each server was given", given, ("server", "kind"))
    errors = [((name,), traffic.errors) for name, traffic in context.traffic.items()]
    yield _counter("server_errors", "Statements that a server answered with an error", errors, ("server",))
    remembered = len(context.cache) if context.cache is not None else 0
    yield _gauge("digests_remembered", "Statement digests in the cache", [((), remembered)])


def _servers(views: list[ServerView]) -> Iterator[Metric]:
    states = [((view.server.name, state), int(view.health == state)) for view in views for state in Health]
    lags = [((view.server.name,), view.lag) for view in views if view.lag is not None]
    roles = [((view.server.name, str(view.server.role)), 1) for view in views]
    fresh = [((view.server.name,), int(view.fresh)) for view in views]
    yield _gauge("server_role", "1 for the role it has", roles, ("server", "role"))
    yield _gauge("server_state", "1 for the state it is in", states, ("server", "state"))
    yield _gauge("server_lag_seconds", "Seconds behind by the last probe; none if unknown", lags, ("server",))
    yield _gauge("server_fresh", "1 if it is known to have every write of this proxy's clients", fresh, ("server",))


def _pools(context: Context) -> Iterator[Metric]:
    opened: Counter[Labels] = Counter()
    waiting: Counter[Labels] = Counter()
    limits: dict[Labels, float] = {}
    for one in pool_figures(context):
        for state, count in (("in_use", one.in_use), ("idle", one.idle), ("free", one.free)):
            opened[one.server, state] += count
        waiting[(one.server,)] += one.waiting
        limits[(one.server,)] = one.most
    yield _gauge("server_connections", "To each server, by use", opened.items(), ("server", "state"))
    yield _gauge("server_connections_limit", "So many at most; 0 for no limit", limits.items(), ("server",))
    yield _gauge("server_connections_waiting", "Sessions that wait for one", waiting.items(), ("server",))


def _freshness(context: Context) -> Iterator[Metric]:
    freshness, waits = context.monitor.freshness, context.waits
    yield _counter("writes_acknowledged", "Writes that reads have to see", [((), freshness.writes)])
    yield _gauge("reads_waiting", "Reads that wait for a replica to have them", [((), freshness.waiters)])
    yield _counter("reads_waited", "Reads that had to", [((), waits.begun)])
    yield _counter("reads_waited_in_vain", "Those that the primary served then", [((), waits.in_vain)])
