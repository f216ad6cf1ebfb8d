"""What the watcher does next: one row for each state and each bound."""

from dataclasses import replace

import pytest

from replication.facts import Marker, Phase
from replication.ladder import (
    Past,
    Policy,
    Repair,
    Rung,
    Situation,
    Step,
    Watched,
    climb,
    given_up,
    mended,
    plan,
    remember,
    tried,
)
from replication.seen import PrimarySeen, ReplicaSeen, Seen
from replication.states import State, Verdict
from topology.servers import Role, Server

PRIMARY = PrimarySeen(Server("dbwrite", "10.0.0.1", 3306, Role.PRIMARY), identity="one")
FULL = Policy(Repair.FULL, full_after=600)
NOW = 1000.0
LONG_AGO = Past(since=0.0)


def watched(state: State, name: str = "dbread1", marker: Marker | None = None) -> Watched:
    server = Server(name, "10.0.0.2", 3306, Role.REPLICA)
    return Watched(ReplicaSeen(server, marker=marker or Marker("one", Phase.DONE)), Verdict(state, "because"))


def step(
    *all_watched: Watched, policy: Policy = FULL, past: Past = LONG_AGO, primary: PrimarySeen = PRIMARY
) -> Step | None:
    seen = Seen(primary, tuple(each.replica for each in all_watched))
    history = {each.name: past for each in all_watched}
    return plan(Situation(seen, all_watched, history), policy, NOW)


@pytest.mark.parametrize(
    ("state", "rung"),
    [
        (State.STANDALONE_EMPTY, 0),
        (State.COPYING, 0),
        (State.BROKEN_RETRY, Rung.RESTART),
        (State.BROKEN_REPOINT, Rung.REPOINT),
        (State.STANDALONE_DATA, Rung.REPOINT),
        (State.DIVERGED, Rung.CHUNKS),
        (State.PURGED, Rung.REPOINT),
        (State.HEALTHY, None),
        (State.LAGGING, None),
        (State.CATCHING_UP, None),
        (State.INDEXING, None),
        (State.UNREACHABLE, None),
        (State.WAITING, None),
        (State.AHEAD, None),
        (State.FOREIGN, None),
    ],
)
def test_each_state_has_its_cheapest_repair(state: State, rung: int | None) -> None:
    found = step(watched(state))
    assert (found.rung if found else None) == rung
    assert found is None or found.recopy is (rung == Rung.CHUNKS)


@pytest.mark.parametrize("state", list(State))
def test_nothing_is_done_when_nothing_is_allowed(state: State) -> None:
    assert step(watched(state), policy=Policy(Repair.NONE)) is None


@pytest.mark.parametrize(
    ("repair", "state", "expected"),
    [
        (Repair.RESTART, State.BROKEN_RETRY, Rung.RESTART),
        (Repair.RESTART, State.BROKEN_REPOINT, None),
        (Repair.REPOINT, State.BROKEN_REPOINT, Rung.REPOINT),
        (Repair.REPOINT, State.DIVERGED, None),
        (Repair.REPOINT, State.PURGED, Rung.REPOINT),
        (Repair.RESTART, State.PURGED, None),
        (Repair.CHUNKS, State.DIVERGED, Rung.CHUNKS),
        (Repair.FULL, State.DIVERGED, Rung.CHUNKS),
    ],
)
def test_it_goes_no_further_than_it_may(repair: Repair, state: State, expected: Rung | None) -> None:
    found = step(watched(state), policy=Policy(repair, 600))
    assert (found.rung if found else None) == expected


def test_a_full_copy_waits_until_a_replica_was_broken_long_enough() -> None:
    chunks_failed = Past(rung=Rung.CHUNKS, tries=3)
    early = replace(chunks_failed, since=NOW - 599, broken_since=NOW - 599)
    assert step(watched(State.DIVERGED), past=early) is None
    found = step(watched(State.DIVERGED), past=replace(early, since=NOW - 600, broken_since=NOW - 600))
    assert found is not None
    assert found.rung == Rung.FULL
    assert found.recopy


def test_a_repair_that_does_not_apply_is_tried_once() -> None:
    past = replace(given_up(LONG_AGO, Rung.CHUNKS, NOW), not_before=0)
    found = step(watched(State.DIVERGED), past=past)
    assert found is not None
    assert found.rung == Rung.FULL
    assert step(watched(State.DIVERGED), past=past, policy=Policy(Repair.CHUNKS)) is None


def test_the_servers_may_first_try_again_by_themselves() -> None:
    assert step(watched(State.BROKEN_RETRY), past=Past(since=NOW - 1)) is None
    assert step(watched(State.BROKEN_REPOINT), past=Past(since=NOW)) is not None


def test_it_climbs_when_a_repair_has_not_helped_three_times() -> None:
    past = Past(since=0, broken_since=0)
    rungs = []
    for _ in range(10):
        found = step(watched(State.BROKEN_RETRY), past=past)
        assert found is not None
        rungs.append(found.rung)
        past = replace(tried(past, found.rung, NOW), not_before=0)
    assert rungs == [1, 1, 1, 2, 2, 2, 4, 4, 4, 2]


@pytest.mark.parametrize(
    ("state", "repair", "rungs"),
    [
        (State.STANDALONE_EMPTY, Repair.RESTART, [0]),
        (State.BROKEN_RETRY, Repair.FULL, [Rung.RESTART, Rung.REPOINT, Rung.FULL]),
        (State.PURGED, Repair.CHUNKS, [Rung.REPOINT, Rung.CHUNKS]),
        (State.DIVERGED, Repair.REPOINT, []),
        (State.DIVERGED, Repair.NONE, []),
        (State.HEALTHY, Repair.FULL, []),
    ],
)
def test_all_that_would_be_tried_is_known_beforehand(state: State, repair: Repair, rungs: list[int]) -> None:
    found = climb(Seen(PRIMARY), [watched(state)], Policy(repair))
    assert [each.rung for each in found] == rungs


def test_pauses_double_up_to_five_minutes() -> None:
    past = Past()
    pauses = []
    for _ in range(8):
        past = tried(past, Rung.RESTART, NOW)
        pauses.append(past.not_before - NOW)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300]


def test_it_waits_for_the_pause_to_be_over() -> None:
    assert step(watched(State.BROKEN_REPOINT), past=Past(not_before=NOW + 1)) is None


def test_all_blank_servers_are_set_up_together_and_first() -> None:
    found = step(
        watched(State.BROKEN_RETRY, "dbread0"),
        watched(State.STANDALONE_EMPTY, "dbread1"),
        watched(State.STANDALONE_EMPTY, "dbread2"),
    )
    assert found is not None
    assert found.names == ("dbread1", "dbread2")


def test_one_replica_is_mended_at_a_time_the_cheapest_first() -> None:
    found = step(watched(State.DIVERGED, "dbread1"), watched(State.BROKEN_RETRY, "dbread2"))
    assert found is not None
    assert found.names == ("dbread2",)


def test_nothing_is_done_without_the_primary_or_beside_another_run() -> None:
    broken = watched(State.BROKEN_REPOINT)
    assert step(broken, primary=PrimarySeen(PRIMARY.server, error="gone")) is None
    assert step(broken, primary=replace(PRIMARY, setting_up=True)) is None


def test_data_without_a_marker_is_not_touched() -> None:
    server = Server("dbread1", "10.0.0.2", 3306, Role.REPLICA)
    assert step(Watched(ReplicaSeen(server), Verdict(State.STANDALONE_DATA))) is None


def test_a_new_primary_that_a_replica_found_by_itself_is_noted() -> None:
    found = step(watched(State.HEALTHY, marker=Marker("former", Phase.DONE)))
    assert found is not None
    assert found.rung == 0
    assert not found.recopy


def test_time_in_trouble_counts_from_the_last_good_state() -> None:
    past = remember(Past(), State.HEALTHY, 1)
    past = remember(past, State.BROKEN_RETRY, 2)
    past = remember(past, State.BROKEN_RETRY, 3)
    assert (past.since, past.broken_since) == (2, 2)
    past = remember(tried(past, Rung.RESTART, 3), State.PURGED, 4)
    assert (past.since, past.broken_since, past.tries) == (4, 2, 1)
    assert remember(past, State.HEALTHY, 5).tries == 0


def test_what_breaks_right_behind_a_repair_that_helped_is_another_matter() -> None:
    past = mended(given_up(remember(Past(), State.DIVERGED, 1), Rung.CHUNKS, 2), Rung.FULL, 3)
    past = remember(remember(past, State.BROKEN_RETRY, 3.1), State.DIVERGED, 3.2)
    assert (past.rung, past.tries, past.broken_since) == (0, 0, 3.1)
    assert past.not_before > 3


def test_a_repair_that_ended_behind_a_good_look_is_not_held_against_what_breaks_next() -> None:
    past = remember(remember(Past(), State.DIVERGED, 1), State.HEALTHY, 2)
    past = remember(tried(past, Rung.FULL, 2.1), State.DIVERGED, 3)
    assert (past.rung, past.tries, past.broken_since) == (0, 0, 3)
    # It may be the same again, so that the pause stays.
    assert past.not_before > 3
