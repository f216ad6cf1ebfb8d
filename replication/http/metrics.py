"""The report as Prometheus metrics, made anew for each scrape."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from replication.http.views import serves
from replication.states import State
from replication.telling import Report


def exposition(latest: Callable[[], Report | None]) -> bytes:
    """The text that Prometheus reads."""
    registry = CollectorRegistry()
    registry.register(_Reports(latest))
    return generate_latest(registry)


class _Reports(Collector):
    def __init__(self, latest: Callable[[], Report | None]) -> None:
        self._latest = latest

    def collect(self) -> Iterator[Metric]:
        report = self._latest()
        if report is None:
            return
        yield _gauge("manyreads_primary_up", "1 if the primary answers", not report.primary.error)
        yield _gauge("manyreads_watch_acting", "1 if this watcher is the one that mends", report.leads)
        yield from _replicas(report)
        yield _counter("manyreads_repairs", "Repairs that were done", report.repairs)
        yield _counter("manyreads_repair_failures", "Repairs that failed", report.failures)


def _gauge(name: str, text: str, value: bool) -> Metric:
    return GaugeMetricFamily(name, text, value=int(value))


def _counter(name: str, text: str, value: int) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _replicas(report: Report) -> Iterator[Metric]:
    state = GaugeMetricFamily("manyreads_replica_state", "1 for the state it is in", labels=("replica", "state"))
    healthy = GaugeMetricFamily("manyreads_replica_healthy", "1 if it may get reads", labels=("replica",))
    lag = GaugeMetricFamily("manyreads_replica_lag_seconds", "Seconds behind; none if unknown", labels=("replica",))
    behind = GaugeMetricFamily(
        "manyreads_replica_transactions_behind", "Transactions behind; none if unknown", labels=("replica",)
    )
    for each in report.replicas:
        for possible in State:
            state.add_metric((each.name, possible), int(each.verdict.state is possible))
        healthy.add_metric((each.name,), int(serves(each, None)))
        if each.verdict.lag is not None:
            lag.add_metric((each.name,), each.verdict.lag)
        if each.verdict.behind is not None:
            behind.add_metric((each.name,), each.verdict.behind)
    equal = GaugeMetricFamily("manyreads_replica_equal", "1 if the last comparison found it equal", labels=("replica",))
    for last in report.verified:
        if last.found.error is None:
            equal.add_metric((last.name,), int(last.found.equal))
    yield from (state, healthy, lag, behind, equal)
