"""What may begin on the primary while it is held, in doubt, or not the only one."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proxy.routing.policy import Target, route_to
from proxy.routing.state import SessionState
from proxy.session.core.request import Request
from proxy.session.shared.gate import Admission, Gate
from proxy.sql.effects import SetUserVariable
from proxy.sql.statement import Kind, Statement, primary
from proxy.wire import constants as c
from proxy.wire.exchange import Reply
from proxy.wire.replies import Err
from topology.servers import Snapshot

IDLE = c.SERVER_STATUS_AUTOCOMMIT
WITHIN = c.SERVER_STATUS_AUTOCOMMIT | c.SERVER_STATUS_IN_TRANS
READ = Statement(Kind.READ, "read")
WRITE = primary("write")
BEGIN = Statement(Kind.TRANSACTION, "transaction")
SET = Statement(Kind.SESSION, "set")
QUESTION = Statement(Kind.DIAGNOSTIC, "diagnostic")
QUESTION_KEPT = Statement(Kind.DIAGNOSTIC, "diagnostic", (SetUserVariable("a"),))


def request(statement: Statement) -> Request:
    return Request(b"\1\0\0\0\3", statement, route_to(Target.PRIMARY, "test"), Reply.RESULT)


def seen(doubt: str = "", split: str = "") -> Snapshot:
    return cast(Snapshot, SimpleNamespace(doubt=doubt, split=split))


def asked(gate: Gate, statement: Statement, status: int = IDLE, *, commits: bool = False) -> Any:
    return gate.ask(request(statement), SessionState("", status), commits=commits)


def is_shut(gate: Gate) -> bool:
    return gate.shut


def within_loop(test: Callable[[Gate], None], patience: float = 60.0) -> None:
    async def run() -> None:
        test(Gate(patience))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("statement", "status", "admission"),
    [
        (WRITE, IDLE, Admission.WAITS),
        (BEGIN, IDLE, Admission.WAITS),
        (READ, IDLE, Admission.PASSES),
        (SET, IDLE, Admission.PASSES),
        (QUESTION, IDLE, Admission.PASSES),
        (QUESTION_KEPT, IDLE, Admission.WAITS),
        (READ, 0, Admission.WAITS),  # with autocommit off it would begin a transaction
        (WRITE, WITHIN, Admission.PASSES),
        (BEGIN, WITHIN, Admission.PASSES),
    ],
)
def test_what_waits(statement: Statement, status: int, admission: Admission) -> None:
    def test(gate: Gate) -> None:
        assert not is_shut(gate)
        gate.pause(60)
        assert is_shut(gate)
        assert asked(gate, statement, status) is admission
        gate.resume()
        assert not is_shut(gate)
        gate.look(seen(doubt="it is read-only"))
        assert is_shut(gate)
        assert asked(gate, statement, status) is admission

    within_loop(test)


def test_locked_tables_are_work_in_progress() -> None:
    def test(gate: Gate) -> None:
        state = SessionState("", IDLE)
        state.pin_down("table-locks")
        gate.pause(60)
        assert gate.ask(request(WRITE), state, commits=False) is Admission.PASSES

    within_loop(test)


def test_two_primaries() -> None:
    def test(gate: Gate) -> None:
        gate.look(seen(split="a and b accept writes"))
        assert is_shut(gate)
        found = asked(gate, WRITE)
        assert isinstance(found, Err)
        assert (found.errno, found.message) == (1836, "Running in read-only mode: a and b accept writes")
        assert isinstance(asked(gate, BEGIN, WITHIN, commits=True), Err)
        assert asked(gate, BEGIN, WITHIN) is Admission.PASSES
        assert asked(gate, READ) is Admission.PASSES
        gate.look(seen())
        assert not is_shut(gate)

    within_loop(test)


def test_who_waits_goes_on_at_the_end() -> None:
    def test(gate: Gate) -> None:
        over: list[Request] = []
        one, other = request(WRITE), request(WRITE)
        gate.pause(60)
        gate.wait(one, over.append)
        gate.wait(other, over.append)
        gate.forget(other)
        gate.look(seen(doubt="who knows"))
        gate.resume()
        assert (over, gate.waiting) == ([], 1)
        gate.look(seen())
        assert (over, gate.waiting) == ([one], 0)

    within_loop(test)


def test_a_pause_and_patience_end_by_themselves() -> None:
    async def run() -> None:
        gate, over = Gate(0.05), asyncio.Event()
        gate.look(seen(doubt="who knows"))
        gate.pause(0.01)
        gate.pause(0.1)
        gate.wait(request(WRITE), lambda _: over.set())
        assert gate.paused
        async with asyncio.timeout(30):
            await over.wait()
        assert (is_shut(gate), gate.patient) == (False, False)
        # The same doubt is not waited for again, another one is.
        gate.look(seen(doubt="who knows"))
        assert not is_shut(gate)
        gate.look(seen(doubt="another"))
        assert is_shut(gate)

    asyncio.run(run())


def test_without_patience_nothing_is_waited_for() -> None:
    def test(gate: Gate) -> None:
        gate.look(seen(doubt="who knows"))
        assert not is_shut(gate)

    within_loop(test, patience=0.0)


def test_a_transaction_that_has_to_begin_once_more_waits_as_a_new_one() -> None:
    def test(gate: Gate) -> None:
        gate.pause(60)
        state = SessionState("", WITHIN)
        assert gate.ask(request(WRITE), state, commits=False) is Admission.PASSES
        assert gate.ask(request(WRITE), state, commits=False, anew=True) is Admission.WAITS

    within_loop(test)
