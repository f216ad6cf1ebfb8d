"""What the process knows as Prometheus metrics, read when they are asked for: that costs a statement nothing."""

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from itertools import accumulate
from math import inf
from typing import cast

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from proxy.admin.errorclasses import error_class
from proxy.admin.traffic import OWN_TIME_SHARE, Traffic
from proxy.admin.views import ServerView
from proxy.routing.policy import routes
from proxy.session.core.memory import Memory
from proxy.session.login.refused import REASONS
from proxy.session.shared.context import Context
from proxy.session.shared.overview import pool_figures, server_views
from proxy.session.shared.replays import Replays
from proxy.sql.tally import BOUNDS, Histogram
from proxy.tracing.span import Sent
from topology.servers import Circuit, Health

Labels = tuple[str, ...]
Samples = Iterable[tuple[Labels, float]]


class Metrics:
    """Those of one process."""

    def __init__(self, context: Context) -> None:
        self._process = _Process(context)
        self._system = ProcessCollector(registry=None)

    def families(self) -> list[Metric]:
        """All of them now."""
        return [*self._process.collect(), *self._system.collect()]

    async def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        return text_of(self.families())


class _Now(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def text_of(families: list[Metric]) -> bytes:
    """Version 0.0.4 of Prometheus's format."""
    return generate_latest(cast(CollectorRegistry, _Now(families)))


class _Process(Collector):
    def __init__(self, context: Context) -> None:
        self._context = context

    def collect(self) -> Iterator[Metric]:
        context = self._context
        context.book.add_up()
        yield InfoMetricFamily("manyreads_build", "What runs", value=_build())
        yield _gauge(
            "event_loop_late_seconds", "By how much the event loop's last timer was late", [((), context.late)]
        )
        yield from _sessions(context)
        yield from _statements(context)
        yield _timed_out(context)
        yield from _users(context)
        yield from _errors(context.traffic)
        yield from _times(context.traffic)
        yield from _servers(server_views(context, {}))
        yield from _primary(context)
        yield from _pools(context)
        yield from _freshness(context)
        yield from _memory(context.memory)
        yield from _replays(context.replays)
        if context.spans is not None:
            yield _spans(context.spans.exporter.counts())


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
    refused = [((why,), context.logins_refused[why]) for why in REASONS]
    yield _counter("logins_refused", "Logins that were not let in, by reason", refused, ("reason",))
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
    sent = [
        ((name, way), count)
        for name, traffic in context.traffic.items()
        for way, count in (("sent", traffic.sent), ("received", traffic.received))
    ]
    yield _counter("server_bytes", "Of commands to each server, and of its replies", sent, ("server", "way"))
    volume = context.volume
    of_clients = [(("received",), volume.received), (("sent",), volume.sent)]
    yield _counter("client_bytes", "Of clients' commands, and of what they were answered", of_clients, ("way",))
    at_work = [((name,), traffic.at_work) for name, traffic in context.traffic.items()]
    yield _gauge("server_at_work", "Commands that a server has yet to answer", at_work, ("server",))
    remembered = len(context.cache) if context.cache is not None else 0
    yield _gauge("digests_remembered", "Statement digests in the cache", [((), remembered)])


def _timed_out(context: Context) -> Metric:
    return _counter("statements_timed_out", "Killed because they ran for too long", [((), context.timed_out)])


def _users(context: Context) -> Iterator[Metric]:
    ways = [
        ((user, target), count)
        for user, usage in context.usages.items()
        for target, count in (("primary", usage.primary), ("replica", usage.replicas))
    ]
    yield _counter("user_statements", "By user, and where they ran", ways, ("user", "target"))
    errors = [((user,), usage.errors) for user, usage in context.usages.items()]
    yield _counter("user_errors", "Statements that servers answered with an error, by user", errors, ("user",))


def _errors(traffic: Mapping[str, Traffic]) -> Iterator[Metric]:
    found: Counter[Labels] = Counter()
    for server, one in traffic.items():
        for errno, count in one.errnos.items():
            found[server, error_class(errno)] += count
    text = "Statements that a server answered with an error, by the kind of error"
    yield _counter("server_errors", text, found.items(), ("server", "class"))


def _times(traffic: Mapping[str, Traffic]) -> Iterator[Metric]:
    def family(name: str, text: str, of: Callable[[Traffic], tuple[Histogram, int]]) -> Metric:
        found = HistogramMetricFamily(f"manyreads_{name}_seconds", text, labels=("server",))
        for server, one in traffic.items():
            histogram, at_once = of(one)
            found.add_metric((server,), list(_buckets(histogram, at_once)), histogram.seconds)
        return found

    def queued(one: Traffic) -> tuple[Histogram, int]:
        return one.queued, one.served.total - one.queued.total

    yield family("served", "From a statement's last byte to its reply's", lambda one: (one.served, 0))
    yield family("queued", "Before that, for a replica or a connection; mostly none", queued)
    text = f"The proxy's own, for one statement in {OWN_TIME_SHARE} at least"
    yield family("own", text, lambda one: (one.own, 0))


def _buckets(histogram: Histogram, at_once: int) -> Iterator[tuple[str, float]]:
    """Those of Prometheus, each with all that is below; `at_once` more took no time."""
    _, *sums = accumulate(histogram.counts, initial=at_once)
    for bound, sum_ in zip((*BOUNDS, inf), sums, strict=True):
        yield ("+Inf" if bound == inf else str(bound)), sum_


def _servers(views: list[ServerView]) -> Iterator[Metric]:
    states = [((view.server.name, state), int(view.health == state)) for view in views for state in Health]
    lags = [((view.server.name,), view.lag) for view in views if view.lag is not None]
    roles = [((view.server.name, str(view.server.role)), 1) for view in views]
    fresh = [((view.server.name,), int(view.fresh)) for view in views]
    yield _gauge("server_role", "1 for the role it has", roles, ("server", "role"))
    yield _gauge("server_state", "1 for the state it is in", states, ("server", "state"))
    yield _gauge("server_lag_seconds", "Seconds behind by the last probe; none if unknown", lags, ("server",))
    yield _gauge("server_fresh", "1 if it is known to have every write of this proxy's clients", fresh, ("server",))


def _primary(context: Context) -> Iterator[Metric]:
    snapshot, gate = context.monitor.snapshot, context.gate
    circuits = [
        ((state.server.name, circuit), int(state.circuit is circuit))
        for state in snapshot.states()
        for circuit in Circuit
    ]
    text = "1 for what a server's circuit breaker lets through"
    yield _gauge("server_circuit", text, circuits, ("server", "circuit"))
    rivals = [((state.server.name,), int(state.server.name in snapshot.rivals)) for state in snapshot.states()]
    yield _gauge("server_split", "1 for each of several servers that accept writes", rivals, ("server",))
    yield _gauge("primary_in_doubt", "1 while it is not certain who is primary", [((), int(bool(snapshot.doubt)))])
    yield _gauge("statements_held", "Those that wait until something may begin on the primary", [((), gate.waiting)])


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
    shed = context.pool.shed.counts if context.pool is not None else {}
    text = "Statements and logins that got none, because too many waited, or it took too long"
    yield _counter("server_connections_refused", text, shed.items(), ("server", "reason"))


def _memory(memory: Memory) -> Iterator[Metric]:
    yield _gauge("memory_held_bytes", "Of commands, replies and what else is held for clients", [((), memory.held)])
    yield _gauge("memory_limit_bytes", "memory_limit", [((), memory.limit)])
    shed = [((what,), memory.shed[what]) for what in ("login", "statement", "client")]
    yield _counter("memory_shed", "What was refused or ended because so much is held", shed, ("what",))


def _replays(replays: Replays) -> Iterator[Metric]:
    results = [(("equal",), replays.begun - replays.in_vain), (("other",), replays.in_vain)]
    yield _counter("transactions_replayed", "Run again after the loss of the primary, by result", results, ("result",))
    lost = [((reason,), count) for reason, count in replays.not_run.items()]
    yield _counter("transactions_lost", "Lost with the primary, by why they were not run again", lost, ("reason",))


def _spans(counts: Sent) -> Metric:
    results = [(("sent",), counts.sent), (("failed",), counts.failed), (("dropped",), counts.dropped)]
    text = "Of statements: taken by the collector, given up, or dropped because too many were queued"
    return _counter("spans", text, results, ("result",))


def _freshness(context: Context) -> Iterator[Metric]:
    freshness, waits = context.monitor.freshness, context.waits
    yield _counter("writes_acknowledged", "Writes that reads have to see", [((), freshness.writes)])
    yield _gauge("reads_waiting", "Reads that wait for a replica to have them", [((), freshness.waiters)])
    yield _counter("reads_waited", "Reads that had to", [((), waits.begun)])
    yield _counter("reads_waited_in_vain", "Those that the primary served then", [((), waits.in_vain)])
