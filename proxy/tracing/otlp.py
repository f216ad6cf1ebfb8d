"""Sends spans to a collector by OTLP over HTTP, in a thread of OpenTelemetry's SDK and in batches.

The variables OTEL_* that the SDK and its exporter know are heeded: OTEL_EXPORTER_OTLP_HEADERS, OTEL_BSP_MAX_QUEUE_SIZE
and the like, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES. Which statements are traced was decided before.
"""

import os
import threading
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import OTEL_BSP_MAX_QUEUE_SIZE
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from proxy.tracing.span import Parent, Sent, Span

_MOST_QUEUED: Final = 2048  # the SDK's own default
_FAILED: Final = Status(StatusCode.ERROR)


class Otlp:
    """The exporter of one process; `endpoint` is the URL that spans are posted to, the SDK's without one."""

    def __init__(self, endpoint: str | None) -> None:
        self._most = int(os.environ.get(OTEL_BSP_MAX_QUEUE_SIZE, _MOST_QUEUED))
        self._queued = 0
        self._dropped = 0
        self._sender = _Sender(OTLPSpanExporter(endpoint=endpoint))
        # What is still queued at the end is `close`'s.
        self._provider = TracerProvider(sampler=ALWAYS_ON, resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._sender, max_queue_size=self._most))
        self._tracer = self._provider.get_tracer("manyreads", version("manyreads"))

    def export(self, span: Span) -> None:
        """Queue one; it is dropped if as many are queued as may be, those included that are just being sent."""
        if self._queued - self._sender.finished >= self._most:
            self._dropped += 1
            return
        self._queued += 1
        context = None if span.parent is None else set_span_in_context(NonRecordingSpan(_context_of(span.parent)))
        made = self._tracer.start_span(
            span.name, context, SpanKind.CLIENT, attributes=span.attributes, start_time=span.begin
        )
        for event in span.events:
            made.add_event(event.name, event.attributes, event.at)
        if span.failed:
            made.set_status(_FAILED)
        made.end(span.end)

    def counts(self) -> Sent:
        """What became of them."""
        return Sent(self._sender.sent, self._sender.failed, self._dropped)

    def close(self, within: float) -> None:
        """Send what is queued, for so many seconds at most; the SDK itself would try for half a minute. Blocks."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(within)


class _Sender(SpanExporter):
    """Counts what `exporter` does with spans. Only the SDK's thread writes the counts."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.sent = 0
        self.failed = 0

    @property
    def finished(self) -> int:
        """How many are queued no longer."""
        return self.sent + self.failed

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            if result is SpanExportResult.SUCCESS:
                self.sent += len(spans)
            else:
                self.failed += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _resource() -> Resource:
    own: dict[str, str | int] = {
        "service.name": "manyreads",
        "service.version": version("manyreads"),
        "process.pid": os.getpid(),
    }
    return Resource.create(own).merge(OTELResourceDetector().detect())


def _context_of(parent: Parent) -> SpanContext:
    return SpanContext(parent.trace, parent.span, is_remote=True, trace_flags=TraceFlags(int(parent.sampled)))
