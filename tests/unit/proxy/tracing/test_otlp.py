"""Spans are queued up to a limit, and what becomes of them is counted."""

import threading
from collections.abc import Iterator

import pytest

from proxy.tracing.otlp import Otlp
from proxy.tracing.span import Sent, Span
from proxy.tracing.start import exporter_of
from tests.support.collector import Collector, collecting
from tests.support.waiting import wait_until
from topology.errors import ConfigError
from topology.settings import load_settings

SPAN = Span("SELECT ?", 1, 2, failed=True, attributes={"server.port": 3306, "db.query.summary": "SELECT ?"})


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


def test_spans_are_sent(collector: Collector) -> None:
    exporter = Otlp(collector.url)
    exporter.export(SPAN)
    exporter.close(10)
    (told,) = collector.spans()
    assert told.attributes == SPAN.attributes
    assert told.resource["service.name"] == "manyreads"
    assert (told.span.kind, told.span.status.code) == (told.span.SPAN_KIND_CLIENT, 2)
    assert exporter.counts() == Sent(1, 0, 0)


def test_what_a_collector_refuses_is_counted(collector: Collector) -> None:
    collector.answer = 400
    exporter = Otlp(collector.url)
    exporter.export(SPAN)
    exporter.close(10)
    assert exporter.counts() == Sent(0, 1, 0)


def test_a_full_queue_drops_spans(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5")
    collector.free = threading.Event()
    exporter = Otlp(collector.url)
    for _ in range(30):
        exporter.export(SPAN)
    # The collector has answered to none, so all that are under way count as queued.
    assert exporter.counts() == Sent(0, 0, 20)
    collector.free.set()
    wait_until(lambda: exporter.counts().sent == 10, "those that were queued are sent")
    exporter.export(SPAN)
    exporter.close(10)
    assert exporter.counts() == Sent(11, 0, 20)


def test_none_unless_asked_for() -> None:
    assert exporter_of(load_settings(None, {}, {})) is None


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.tracing.start.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'manyreads\[otel\]'"):
        exporter_of(load_settings(None, {}, {"tracing": "otlp"}))
