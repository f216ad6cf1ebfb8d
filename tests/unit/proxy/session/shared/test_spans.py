"""Which statements are traced, and what their spans say."""

from typing import Any

import pytest

from proxy.routing.policy import Target, route_to
from proxy.session.core.request import Request
from proxy.session.shared.ran import Ran, Whose
from proxy.session.shared.spans import Spans, span_of
from proxy.sql.cache import StatementCache
from proxy.sql.classify import Classifier
from proxy.sql.comments import ServerVersion
from proxy.tracing.span import Parent, Sent, Span
from proxy.wire.exchange import Reply
from proxy.wire.framing import frame
from topology.servers import Role, Server, Vendor

CACHE = StatementCache(Classifier(ServerVersion(Vendor.MYSQL, 90700)))
SECOND = 1_000_000_000
END = 100 * SECOND


class Kept:
    """Keeps spans."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def export(self, span: Span) -> None:
        self.spans.append(span)

    def counts(self) -> Sent:
        return Sent(0, 0, 0)

    def close(self, within: float) -> None:
        pass


def ran(text: str, *, errno: int = 0, queued: float = 0.0, **fields: Any) -> Ran:
    """A statement that took 3 seconds, the last of them on the server."""
    raw = text.encode()
    made = Request(frame(b"\x03" + raw, 0), CACHE.statement(raw), route_to(Target.REPLICA, "read"), Reply.RESULT)
    made.sent = 1.0
    for name, value in fields.items():
        setattr(made, name, value)
    server = Server("dbread1", "db.example", 3307, Role.REPLICA)
    return Ran(made, server, Whose("shop", "[::1]:5", Vendor.MARIADB), errno, 7, 3.0, queued, 1.0)


def test_what_a_span_says() -> None:
    span = span_of(ran("select 'hunter2' from t where id = 5"), Parent(1, 2, sampled=True), END)
    assert (span.name, span.begin, span.end, span.failed) == (
        "SELECT ? FROM `t` WHERE `id` = ?",
        END - 3 * SECOND,
        END,
        False,
    )
    assert span.parent == Parent(1, 2, sampled=True)
    assert {name: value for name, value in span.attributes.items() if name != "manyreads.digest.id"} == {
        "db.system.name": "mariadb",
        "db.operation.name": "SELECT",
        "db.query.summary": span.name,
        "db.query.text": span.name,
        "server.address": "db.example",
        "server.port": 3307,
        "client.address": "::1",
        "client.port": 5,
        "manyreads.server": "dbread1",
        "manyreads.server.role": "replica",
        "manyreads.route.reason": "read",
        "manyreads.user": "shop",
        "db.response.returned_rows": 7,
        "manyreads.queued": 0.0,
        "manyreads.served": 1.0,
    }
    assert "hunter2" not in repr(span)


def test_errors_have_a_number_and_no_message() -> None:
    span = span_of(ran("SELECT 1 AS failing", errno=1213), None, END)
    assert span.failed
    assert span.attributes["error.type"] == span.attributes["db.response.status_code"] == "1213"


@pytest.mark.parametrize(("waited", "what"), [(True, "freshness"), (False, "connection")])
def test_waits_are_events(waited: bool, what: str) -> None:
    waiting, sent = span_of(ran("SELECT 1 AS waiting", queued=0.5, waited=waited), None, END).events
    assert (waiting.name, waiting.at, dict(waiting.attributes)) == (
        "waiting",
        END - 3 * SECOND // 2,
        {"manyreads.wait.for": what},
    )
    assert (sent.name, sent.at) == ("sent", END - SECOND)


def test_what_was_not_sent_has_no_events() -> None:
    assert span_of(ran("SELECT 1 AS unsent", sent=0.0), None, END).events == ()


def test_what_the_proxy_refused_has_no_server() -> None:
    refused = ran("SELECT 1 AS refused", errno=1094, queued=0.5)
    refused.server, refused.served = None, 0.0
    span = span_of(refused, None, END)
    assert [(event.name, event.at) for event in span.events] == [("waiting", END - SECOND // 2)]
    assert span.failed
    assert not [name for name in span.attributes if "server" in name and name != "manyreads.served"]


def test_long_statements_are_cut_and_unknown_ones_are_nameless() -> None:
    columns = ", ".join(f"column_{number}" for number in range(400))
    span = span_of(ran(f"SELECT {columns} FROM t"), None, END)
    assert len(span.name) == 255
    assert len(str(span.attributes["db.query.text"])) == 4096
    nameless = span_of(ran("SELECT 'hunter2" + "x" * 40000), None, END)
    assert nameless.name == "statement"
    assert "db.query.text" not in nameless.attributes


def test_the_client_decides_for_its_own_traces_and_the_ratio_for_others() -> None:
    kept, draws = Kept(), iter([0.1, 0.3])
    spans = Spans(kept, 0.2, lambda: next(draws))
    trace = f"{7:032x}-{8:016x}"
    for text in (
        f"SELECT 1 AS yes /*traceparent='00-{trace}-01'*/",
        f"SELECT 1 AS no /*traceparent='00-{trace}-00'*/",
        "SELECT 1 AS lucky",
        "SELECT 1 AS unlucky",
    ):
        spans.note(ran(text))
    assert [(span.name, span.parent) for span in kept.spans] == [
        ("SELECT ? AS `yes`", Parent(7, 8, sampled=True)),
        ("SELECT ? AS `lucky`", None),
    ]
