"""Errors of servers, and what is done about them."""

import pytest

from proxy.routing.forms import Form
from proxy.routing.policy import Route, Target
from proxy.routing.state import Seen
from proxy.session.core.prepared import Prepared
from proxy.session.core.remedies import (
    MOST_REPEATS,
    Remedy,
    may_move,
    may_read_again,
    may_start_over,
    next_sequence,
    remedy,
)
from proxy.session.core.request import Request
from proxy.sql.statement import Kind, Statement
from proxy.wire.capabilities import Layout
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import frame

QUERY = frame(b"\x03SELECT 1", 0)
RESET = frame(b"\x1a\1\0\0\0", 0)
EXECUTE = frame(b"\x17\1\0\0\0\0\1\0\0\0", 0)
PREPARE = frame(b"\x16SELECT 1", 0)
UNKNOWN_STATEMENT, TOO_MANY_STATEMENTS, NEEDS_REPREPARE = 1243, 1461, 1615
NO_SUCH_TABLE, READ_ONLY, INTERRUPTED, TIMED_OUT, SHUTS_DOWN = 1146, 1290, 1317, 3024, 1053


def request(target: Target, packet: bytes = QUERY) -> Request:
    return Request(packet, Statement(Kind.READ, "read"), Route(target, "read"), Reply.RESULT)


@pytest.mark.parametrize(
    ("errno", "expected"),
    [
        (NO_SUCH_TABLE, Remedy.ASK_PRIMARY),
        (READ_ONLY, Remedy.ASK_PRIMARY),
        (INTERRUPTED, Remedy.ASK_WHETHER_ALIVE),
        (TIMED_OUT, Remedy.PASS_ON),
    ],
)
def test_only_errors_of_replicas_are_mended(errno: int, expected: Remedy) -> None:
    assert remedy(request(Target.REPLICA), errno, on_primary=False) is expected
    assert remedy(request(Target.REPLICA), errno, on_primary=True) is Remedy.PASS_ON
    assert remedy(request(Target.LAST), errno, on_primary=False) is Remedy.PASS_ON


def execution(reason: str, kind: Kind = Kind.PRIMARY) -> Request:
    statement = Statement(kind, reason)
    prepared = Prepared(1, b"", statement, 0, "", 0, Form())
    return Request(EXECUTE, statement, Route(Target.PRIMARY, reason), Reply.RESULT, prepared)


@pytest.mark.parametrize("errno", [UNKNOWN_STATEMENT, NEEDS_REPREPARE])
@pytest.mark.parametrize("on_primary", [True, False])
def test_statements_are_prepared_again_once(errno: int, on_primary: bool) -> None:
    for wanted in (execution("read", Kind.READ), execution("write")):
        assert remedy(wanted, errno, on_primary) is Remedy.PREPARE_AGAIN
        wanted.repeats = 1
        assert remedy(wanted, errno, on_primary) is Remedy.PASS_ON
    assert remedy(execution("procedure"), errno, on_primary) is Remedy.PASS_ON
    with_long_data = execution("write")
    assert with_long_data.prepared is not None
    with_long_data.prepared.spilled = Seen()
    assert remedy(with_long_data, errno, on_primary) is Remedy.PASS_ON
    assert remedy(request(Target.PRIMARY), errno, on_primary=True) is Remedy.PASS_ON


def test_a_primary_that_became_read_only_is_waited_for() -> None:
    assert remedy(execution("write"), READ_ONLY, on_primary=True) is Remedy.AWAIT_PRIMARY
    # A procedure's body can be refused half-way, and what was streamed is gone.
    assert remedy(execution("procedure"), READ_ONLY, on_primary=True) is Remedy.PASS_ON
    streamed = execution("write")
    streamed.streamed = True
    assert remedy(streamed, READ_ONLY, on_primary=True) is Remedy.PASS_ON


def test_room_is_made_for_another_statement() -> None:
    assert remedy(request(Target.PRIMARY, PREPARE), TOO_MANY_STATEMENTS, on_primary=True) is Remedy.MAKE_ROOM
    assert remedy(request(Target.PRIMARY), TOO_MANY_STATEMENTS, on_primary=True) is Remedy.PASS_ON


def test_what_was_not_sent_starts_over_a_few_times() -> None:
    lost = request(Target.PRIMARY)
    assert not may_start_over(lost, movable=False)
    for _ in range(MOST_REPEATS + 1):
        assert may_start_over(lost, movable=True)
        lost.repeats += 1
    assert not may_start_over(lost, movable=True)


def test_only_reads_without_a_reply_move() -> None:
    assert may_move(request(Target.REPLICA), forwarded=False, on_primary=False)
    assert not may_move(request(Target.REPLICA), forwarded=True, on_primary=False)
    assert not may_move(request(Target.REPLICA), forwarded=False, on_primary=True)
    assert not may_move(request(Target.LAST), forwarded=False, on_primary=False)
    assert may_move(request(Target.PRIMARY, RESET), forwarded=False, on_primary=False)


def test_a_plain_read_on_a_primary_that_is_lost_runs_once_more() -> None:
    assert may_read_again(request(Target.REPLICA), forwarded=False, movable=True)
    assert not may_read_again(request(Target.REPLICA), forwarded=True, movable=True)
    assert not may_read_again(request(Target.REPLICA), forwarded=False, movable=False)
    assert not may_read_again(request(Target.PRIMARY), forwarded=False, movable=True)
    assert may_read_again(request(Target.PRIMARY, RESET), forwarded=False, movable=True)
    assert may_read_again(request(Target.PRIMARY, PREPARE), forwarded=False, movable=True)
    streamed = request(Target.PRIMARY, PREPARE)
    streamed.streamed = True
    assert not may_read_again(streamed, forwarded=False, movable=True)
    again = request(Target.REPLICA)
    # What was not even begun somewhere does not count.
    again.repeats = MOST_REPEATS
    assert may_read_again(again, forwarded=False, movable=True)
    again.lost = 1
    assert not may_read_again(again, forwarded=False, movable=True)


def test_a_plain_read_waits_for_a_primary_that_shuts_down() -> None:
    assert remedy(request(Target.REPLICA), SHUTS_DOWN, on_primary=True) is Remedy.AWAIT_PRIMARY
    assert remedy(execution("write"), SHUTS_DOWN, on_primary=True) is Remedy.PASS_ON
    assert remedy(request(Target.REPLICA), SHUTS_DOWN, on_primary=False) is Remedy.ASK_PRIMARY


def test_an_error_follows_the_last_whole_packet() -> None:
    exchange = Exchange(Reply.RESULT, Layout())
    assert next_sequence(None, forwarded=True) == 1
    assert next_sequence(exchange, forwarded=False) == 1
    exchange.feed(frame(b"\1", 1))
    assert next_sequence(exchange, forwarded=True) == 2
    exchange.feed(frame(b"\3def", 2)[:6])
    assert next_sequence(exchange, forwarded=True) == 0
