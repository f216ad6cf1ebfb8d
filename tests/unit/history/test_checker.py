"""Histories written by hand: good ones pass, and each kind of bad one is found."""

import math

import pytest

from tests.history.checker import unexcused, violations
from tests.history.record import Failure, Fault, History, Outcome, Read, Write
from topology.consistency import Level

ACKNOWLEDGED, FAILED, UNKNOWN = Outcome.ACKNOWLEDGED, Outcome.FAILED, Outcome.UNKNOWN
WRITER, OTHER = 1, 2
LIST, REGISTER = "list 1", "register 1"


def wrote(value: int, began: float, ended: float, outcome: Outcome = ACKNOWLEDGED, *, key: str = LIST) -> Write:
    return Write(WRITER, key, value, began, math.inf if outcome is UNKNOWN else ended, outcome)


def saw(*values: int, level: Level, at: float, key: str = LIST, session: int = OTHER) -> Read:
    return Read(session, level, key, values, at, at + 0.5)


def history(writes: list[Write], reads: list[Read], *final: int, key: str = LIST) -> History:
    return History(writes, reads, final={key: final}, registers=frozenset({REGISTER}))


def rules(found: History) -> list[str]:
    return [text.partition(":")[0] for text in violations(found)]


TWO = [wrote(1, 0, 1), wrote(2, 2, 3)]
TWO_IN_A_REGISTER = [wrote(1, 0, 1, key=REGISTER), wrote(2, 2, 3, key=REGISTER)]


@pytest.mark.parametrize("level", list(Level))
def test_a_good_history_passes(level: Level) -> None:
    reads = [saw(level=level, at=0.2), saw(1, level=level, at=1.5), saw(1, 2, level=level, at=4)]
    assert violations(history(TWO, reads, 1, 2)) == []


@pytest.mark.parametrize(
    ("level", "session", "broken"),
    [
        (Level.EVENTUAL, WRITER, []),
        (Level.SESSION, OTHER, []),
        (Level.MONOTONIC, OTHER, []),
        (Level.SESSION, WRITER, ["stale"]),
        (Level.MONOTONIC, WRITER, ["stale"]),
        (Level.GLOBAL, OTHER, ["stale"]),
        (Level.STRICT, OTHER, ["stale"]),
    ],
)
def test_an_old_value_breaks_the_levels_that_forbid_it(level: Level, session: int, broken: list[str]) -> None:
    assert rules(history(TWO, [saw(1, level=level, at=3.5, session=session)], 1, 2)) == broken
    in_register = [saw(1, level=level, at=3.5, session=session, key=REGISTER)]
    assert rules(history(TWO_IN_A_REGISTER, in_register, 2, key=REGISTER)) == broken


def test_what_is_acknowledged_during_a_read_may_be_missed_and_may_be_seen() -> None:
    for values in ((1,), (1, 2)):
        assert violations(history(TWO, [saw(*values, level=Level.GLOBAL, at=2.9)], 1, 2)) == []


def test_a_session_at_monotonic_does_not_go_back() -> None:
    assert rules(
        history(TWO, [saw(1, 2, level=Level.MONOTONIC, at=2.1), saw(1, level=Level.MONOTONIC, at=3)], 1, 2)
    ) == ["back"]
    elsewhere = saw(1, level=Level.MONOTONIC, at=3, session=3)
    assert violations(history(TWO, [saw(1, 2, level=Level.MONOTONIC, at=2.1), elsewhere], 1, 2)) == []


def test_what_was_acknowledged_is_there_at_the_end() -> None:
    assert rules(history(TWO, [], 1)) == ["lost"]
    assert rules(history(TWO, [])) == ["lost", "lost"]
    assert rules(history(TWO_IN_A_REGISTER, [], 1, key=REGISTER)) == ["lost"]


def test_nothing_is_there_twice() -> None:
    assert rules(history(TWO, [], 1, 2, 2)) == ["twice"]
    assert "twice" in rules(history(TWO, [saw(1, 1, level=Level.EVENTUAL, at=4)], 1, 2))


def test_what_was_refused_is_never_seen_and_what_is_unknown_may_be() -> None:
    for outcome, broken in ((FAILED, ["undead"]), (UNKNOWN, [])):
        writes = [wrote(1, 0, 1), wrote(2, 2, 3, outcome)]
        assert rules(history(writes, [], 1, 2)) == broken
        assert violations(history(writes, [], 1)) == []


def test_values_come_from_writes_that_have_begun() -> None:
    assert rules(history(TWO, [], 1, 2, 7)) == ["from nowhere"]
    assert rules(history(TWO, [saw(1, 2, level=Level.GLOBAL, at=1.2)], 1, 2)) == ["from nowhere"]


def test_a_list_only_grows() -> None:
    late = [wrote(1, 0, 9), wrote(2, 0, 9)]
    assert rules(history(late, [saw(2, level=Level.EVENTUAL, at=4)], 1, 2)) == ["diverged"]
    assert rules(history(TWO, [], 2, 1)) == ["disordered"]
    assert violations(history(late, [], 2, 1)) == []


def test_a_transaction_is_there_as_a_whole() -> None:
    parts = [Write(WRITER, f"list {number}", number, 0, math.inf, UNKNOWN, group=5) for number in (1, 2)]
    assert violations(History(parts, final={"list 1": (1,), "list 2": (2,)})) == []
    assert violations(History(parts)) == []
    assert rules(History(parts, final={"list 1": (1,)})) == ["torn"]


def failed(began: float, ended: float) -> Failure:
    return Failure(WRITER, "INSERT", "2013", began, ended)


@pytest.mark.parametrize(
    ("began", "ended", "excused"), [(9, 11, True), (11, 12, True), (9, 9.5, False), (12.5, 13, False), (9, 40, True)]
)
def test_only_what_was_in_flight_may_fail(began: float, ended: float, excused: bool) -> None:
    faults = [Fault("dbwrite killed", 10, 14, lost=12), Fault("dbread1 killed", 0, 50)]
    failure = failed(began, ended)
    assert unexcused([failure], faults) == ([] if excused else [failure])
