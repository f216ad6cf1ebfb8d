"""An OpenTelemetry collector, as far as it takes spans: OTLP over HTTP, in protobuf."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.waiting import DEADLINE

Value = str | int | float


@dataclass(frozen=True)
class Told:
    """A span that came in, with the attributes of it and of the process that sent it."""

    span: Span
    attributes: dict[str, Value]
    resource: dict[str, Value]

    @property
    def summary(self) -> str:
        """Its statement, without literals."""
        return str(self.attributes.get("db.query.summary", ""))

    @property
    def trace(self) -> str:
        """The id of its trace, in hexadecimal digits."""
        return self.span.trace_id.hex()


class Collector:
    """`url` is where spans are posted to, `bodies` what was; each is answered with `answer`, once `free` is set."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1/traces"
        self.bodies: list[bytes] = []
        self.answer = 200
        self.free = threading.Event()
        self.free.set()

    def spans(self, word: str = "") -> list[Told]:
        """Those whose summaries have the word."""
        return [told for body in list(self.bodies) for told in _told(body) if word in told.summary]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.free.wait(DEADLINE)
            if self.path == "/v1/traces" and collector.answer == 200:
                collector.bodies.append(body)
            self.send_response(collector.answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        collector = Collector(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def _told(body: bytes) -> Iterator[Told]:
    for group in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = _values(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield Told(span, _values(span.attributes), resource)


def _values(pairs: Iterable[KeyValue]) -> dict[str, Value]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Value:
    if value.HasField("int_value"):
        return value.int_value
    return value.double_value if value.HasField("double_value") else value.string_value
