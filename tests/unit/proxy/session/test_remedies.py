"""Errors of servers, and what is done about them."""

import pytest

from proxy.routing.policy import Route, Target
from proxy.session.machine import Request
from proxy.session.remedies import Remedy, may_move, next_sequence, remedy
from proxy.sql.statement import Kind, Statement
from proxy.wire.capabilities import Layout
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import frame

QUERY = frame(b"\x03SELECT 1", 0)
RESET = frame(b"\x1a\1\0\0\0", 0)
NO_SUCH_TABLE, READ_ONLY, INTERRUPTED, TIMED_OUT = 1146, 1290, 1317, 3024


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


def test_only_reads_without_a_reply_move() -> None:
    assert may_move(request(Target.REPLICA), forwarded=False, on_primary=False)
    assert not may_move(request(Target.REPLICA), forwarded=True, on_primary=False)
    assert not may_move(request(Target.REPLICA), forwarded=False, on_primary=True)
    assert not may_move(request(Target.LAST), forwarded=False, on_primary=False)
    assert may_move(request(Target.PRIMARY, RESET), forwarded=False, on_primary=False)


def test_an_error_follows_the_last_whole_packet() -> None:
    exchange = Exchange(Reply.RESULT, Layout())
    assert next_sequence(None, forwarded=True) == 1
    assert next_sequence(exchange, forwarded=False) == 1
    exchange.feed(frame(b"\1", 1))
    assert next_sequence(exchange, forwarded=True) == 2
    exchange.feed(frame(b"\3def", 2)[:6])
    assert next_sequence(exchange, forwarded=True) == 0
