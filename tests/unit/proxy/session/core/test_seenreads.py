"""What a transaction has read, kept to be read again."""

import pytest

from proxy.routing.policy import IN_TRANSACTION
from proxy.session.core.memory import Memory
from proxy.session.core.request import Request
from proxy.session.core.seenreads import SeenReads
from tests.support.machines import Session, execute, query

INTEGER = b"\3\0"
VALUE = (1, 5, 0, 0, 0, 0)


def read(session: Session, text: str = "SELECT a FROM t") -> Request:
    return session.request(query(text))


def prepared(session: Session, **options: bool) -> Request:
    number = session.prepare("SELECT a FROM t WHERE a = ?", 1)
    session.run(execute(number, 1, INTEGER, b"\1\0\0\0", bound=True))
    return session.request(execute(number, 1, values=b"\2\0\0\0"))


def test_what_is_kept_is_of_one_transaction() -> None:
    seen, session = SeenReads(Memory(), caches=False), Session()
    seen.keep(read(session), 1, VALUE, IN_TRANSACTION)
    (kept,) = seen.of(1)
    assert (kept.value, kept.request.packet, kept.request.route) == (VALUE, query("SELECT a FROM t"), IN_TRANSACTION)
    assert seen.of(2) == []
    assert seen.of(1) == []


def test_an_execution_is_kept_with_its_types() -> None:
    seen, session = SeenReads(Memory(), caches=False), Session()
    request = prepared(session)
    assert seen.repeatable(request, 1)
    seen.keep(request, 1, (0, 0), IN_TRANSACTION)
    again = seen.of(1)[0].request
    assert request.prepared is not None
    assert (request.prepared.types_in(request.packet), request.prepared.types_in(again.packet)) == (b"", INTEGER)


def test_what_cannot_be_repeated() -> None:
    session = Session()
    request = prepared(session)
    assert not SeenReads(Memory(), caches=True).repeatable(request, 1)
    with_cursor = Request(
        request.packet[:9] + b"\1" + request.packet[10:],
        request.statement,
        request.route,
        request.reply,
        request.prepared,
    )
    assert not SeenReads(Memory(), caches=False).repeatable(with_cursor, 1)
    assert request.prepared is not None
    request.prepared.held = [b"long"]
    assert not SeenReads(Memory(), caches=False).repeatable(request, 1)


@pytest.mark.parametrize(("times", "text"), [(1000, "SELECT 1"), (2, "SELECT '" + "x" * 600_000 + "'")])
def test_there_is_room_for_so_many(times: int, text: str) -> None:
    seen, session = SeenReads(Memory(), caches=False), Session()
    kept = 0
    while seen.repeatable(request := read(session, text), 1):
        seen.keep(request, 1, (1, 1), IN_TRANSACTION)
        kept += 1
    assert kept == (times if times > 2 else 1)
    assert seen.repeatable(read(session), 2)
