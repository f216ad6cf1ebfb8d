"""What is counted of a statement, and what the log of statements says of it."""

import json
import time
from typing import Any, cast

import pytest

from proxy.admin.traffic import OWN_TIME_SHARE, Traffic, Usage
from proxy.backend.connection import BackendConnection
from proxy.routing.policy import Target, route_to
from proxy.session.core.request import Request
from proxy.session.shared.counting import Book, Ledger
from proxy.session.shared.journal import Journal
from proxy.session.shared.ran import Whose
from proxy.sql.cache import StatementCache
from proxy.sql.classify import Classifier
from proxy.sql.comments import ServerVersion
from proxy.wire import constants as c
from proxy.wire.capabilities import layout_of
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import frame
from topology.servers import Role, Server, Vendor
from topology.settings import load_settings

CACHE = StatementCache(Classifier(ServerVersion(Vendor.MYSQL, 90700)))
SERVER = Server("dbread1", "h", 1, Role.REPLICA)


class Link:
    """A connection, as far as counting needs it."""

    server = SERVER

    def __init__(self) -> None:
        self.traffic = Traffic()


def request(text: bytes, *, sent: float, code: int = c.COM_QUERY, book: Book | None = None) -> Request:
    """A read that was sent so many seconds ago, and came a second before that, of which it waited for half.

    With a `book`, when it came is noted only if that wants to know.
    """
    made = Request(
        frame(bytes((code,)) + text, 0), CACHE.statement(text), route_to(Target.REPLICA, "read"), Reply.RESULT
    )
    made.sent = time.perf_counter() - sent
    made.queued = 0.5
    if book is None:
        made.begun = made.sent - 1.0
    elif book.timing:
        book.came(made, made.sent - 1.0)
    return made


def ledger(book: Book | None = None, **settings: Any) -> tuple[Ledger, Link, Usage]:
    usage, journal = Usage(), Journal(load_settings(None, {}, settings))
    return Ledger(usage, journal, Whose("u", "10.0.0.1:5"), book or Book()), Link(), usage


def count(of: Ledger, made: Request, link: Link, errno: int = 0) -> None:
    exchange = Exchange(made.reply, layout_of(0))
    exchange.errno, exchange.rows, exchange.affected = errno, 2, 3
    connection = cast(BackendConnection, link)
    of.count(made, connection, exchange, on_primary=False)
    of.changed(made, exchange.affected)
    if errno:
        of.failed(made, connection, errno)


def test_time_is_split() -> None:
    book = Book()
    of, link, usage = ledger(book)
    for _ in range(OWN_TIME_SHARE):
        count(of, request(b"SELECT 1 AS split", sent=0.2, book=book), link)
    book.add_up()
    traffic, tally = link.traffic, CACHE.statement(b"SELECT 2 AS split").tally
    assert traffic.served.total == tally.served.total == traffic.reads == usage.replicas == OWN_TIME_SHARE
    assert traffic.served.quantile(0.5) == 0.25
    assert traffic.queued.seconds == 0.5 * OWN_TIME_SHARE
    # The very first one's, and that of one in so many.
    assert traffic.own.total == 2
    assert traffic.own.seconds == pytest.approx(2 * 0.5)
    assert (tally.replicas, tally.reason) == (OWN_TIME_SHARE, "read")
    assert tally.seen == pytest.approx(time.time(), abs=60)
    assert (tally.rows, tally.affected) == (2 * OWN_TIME_SHARE, 0)


def test_many_are_added_up_by_themselves_and_once() -> None:
    book = Book()
    of, link, usage = ledger(book)
    for number in range(1, 2001):
        count(of, request(b"DELETE FROM t WHERE a = 1", sent=0.0, book=book), link)
        assert usage.replicas + len(book.lines) == number
    assert len(book.lines) < 1500
    assert 2000 // OWN_TIME_SHARE <= link.traffic.own.total <= 2000 // OWN_TIME_SHARE + 2
    for _ in range(2):
        book.add_up()
        assert (link.traffic.reads, link.traffic.others, link.traffic.served.total) == (0, 2000, 2000)
    assert CACHE.statement(b"DELETE FROM t WHERE a = 1").tally.affected == 3 * 2000


def test_the_own_time_is_that_of_the_first_that_comes_not_of_the_first_that_is_answered() -> None:
    book = Book()
    of, link, _ = ledger(book)
    texts = (b"SELECT 1 AS slowly", b"SELECT 1 AS quickly")
    slowly, quickly = (request(text, sent=0.0, book=book) for text in texts)
    for made in (quickly, slowly):
        count(of, made, link)
    assert (slowly.begun > 0, quickly.begun, link.traffic.own.total) == (True, 0.0, 1)


def test_what_executes_nothing_leaves_the_own_time_to_the_next() -> None:
    book = Book()
    for code, timing in ((c.COM_STMT_PREPARE, True), (c.COM_STMT_EXECUTE, False)):
        request(b"SELECT 1 AS prepared", sent=0.0, code=code, book=book)
        assert book.timing is timing


def test_all_are_timed_for_the_journal() -> None:
    book = Book()
    book.time_all(True)
    of, link, _ = ledger(book)
    for _ in range(3):
        count(of, request(b"SELECT 1 AS logged", sent=0.0, book=book), link)
    assert link.traffic.own.total == 3


def test_errors_are_counted_by_number() -> None:
    of, link, usage = ledger()
    for errno in (1064, 1064, 1213):
        count(of, request(b"SELECT 1 AS failing", sent=0.0), link, errno)
    assert link.traffic.errnos == {1064: 2, 1213: 1}
    assert usage.errors == CACHE.statement(b"SELECT 1 AS failing").tally.errors == 3


def test_what_executes_nothing_is_not_counted() -> None:
    book = Book()
    of, link, usage = ledger(book)
    count(of, request(b"DELETE FROM prepared", sent=0.0, code=c.COM_STMT_PREPARE), link, 1064)
    assert book.lines == []
    assert link.traffic.errors == usage.errors == CACHE.statement(b"DELETE FROM prepared").tally.affected == 0


def test_slow_statements_are_logged_without_literals(caplog: pytest.LogCaptureFixture) -> None:
    of, link, _ = ledger(long_query_time=0.1)
    count(of, request(b"SELECT 'hunter2' AS slowly", sent=0.2), link)
    (record,) = caplog.records
    fields = vars(record)["fields"]
    assert record.getMessage() == "slow statement"
    assert fields["digest"] == "SELECT ? AS `slowly`"
    assert 1.2 <= fields["seconds"] < 10
    assert (fields["user"], fields["session"], fields["server"], fields["queued"]) == (
        "u",
        "10.0.0.1:5",
        "dbread1",
        0.5,
    )
    assert "hunter2" not in json.dumps(fields)


def test_what_the_proxy_refuses_is_logged_without_a_server(caplog: pytest.LogCaptureFixture) -> None:
    of, link, usage = ledger(long_query_time=0.1)
    made = request(b"SELECT 1 AS refused", sent=0.2)
    made.sent, made.delayed = 0.0, made.begun
    of.refused(made, 1205)
    (record,) = caplog.records
    fields = vars(record)["fields"]
    assert (fields["server"], fields["errno"], fields["served"]) == ("", 1205, 0.0)
    assert fields["queued"] == pytest.approx(fields["seconds"], abs=1e-3)
    assert usage.errors == link.traffic.errors == 0


def test_fast_ones_are_not(caplog: pytest.LogCaptureFixture) -> None:
    of, link, _ = ledger(long_query_time=100)
    count(of, request(b"SELECT 1 AS fast", sent=0.0), link)
    assert caplog.records == []
    assert CACHE.statement(b"SELECT 1 AS fast").tally.example == ""


def test_texts_come_without_query_attributes() -> None:
    journal = Journal(load_settings(None, {}, {"statement_texts": True}))
    of = Ledger(Usage(), journal, Whose("u", "10.0.0.1:5", attributes=True), Book())
    made = request(b"SELECT 1 AS attributed", sent=0.0)
    for text, example in ((b"\1\1", ""), (b"\0\1SELECT 1 AS attributed", "SELECT 1 AS attributed")):
        made.packet = frame(bytes((c.COM_QUERY,)) + text, 0)
        count(of, made, Link())
        assert made.statement.tally.example == example


def test_one_in_so_many_is_logged_and_texts_when_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "statements")
    of, link, _ = ledger(log_sample=3, statement_texts=True)
    for number in range(7):
        count(of, request(b"SELECT %d AS sampled" % number, sent=0.0), link)
    texts = [vars(record)["fields"]["text"] for record in caplog.records]
    assert texts == ["SELECT 2 AS sampled", "SELECT 5 AS sampled"]
    assert CACHE.statement(b"SELECT 9 AS sampled").tally.example == "SELECT 0 AS sampled"
