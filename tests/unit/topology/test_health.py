"""Verdicts and their hysteresis, probe by probe."""

from dataclasses import replace
from typing import Any

import pytest

from topology.health import HEALTH_OF, Cause, Limits, Track, Yardstick, begin, drained, fail, judge, pause
from topology.servers import (
    Circuit,
    Health,
    Member,
    Observation,
    ReplicaStatus,
    Role,
    Server,
    ServerState,
    Trouble,
    Vendor,
)

PRIMARY = Server("dbwrite", "h", 1, Role.PRIMARY)
REPLICA = Server("dbread1", "h", 2, Role.REPLICA)
A, B = "3e11fa47-71ca-11e1-9e33-c80aa9429562", "3e11fa47-71ca-11e1-9e33-c80aa9429563"
OF_PRIMARY = Observation(vendor=Vendor.MYSQL, identity="uuid-1", version="8.4.0", logged=f"{A}:1-9", history=f"{A}:1-9")
LIMITS = Limits(10.0)


def replica(
    source: str = "uuid-1",
    io: bool = True,
    sql: bool = True,
    lag: float | None = 0,
    error: str = "",
    connecting: bool = False,
) -> Observation:
    status = ReplicaStatus(source, io, sql, lag, error, connecting)
    return Observation(vendor=Vendor.MYSQL, identity="uuid-2", version="8.4.1", read_only=True, replica=status)


GOOD, BAD, DENIED = replica(), Observation(error="refused"), Observation(error="Access denied", denied=True)
LAGGING, NEARER, BROKEN = replica(lag=13), replica(lag=12), replica(sql=False, error="duplicate key")
ASTRAY = replica(source="uuid-9")
SEEN = {"g": GOOD, "b": BAD, "d": DENIED, "l": LAGGING, "n": NEARER, "x": BROKEN, "f": ASTRAY}
HEALTH = {
    "H": Health.HEALTHY,
    "D": Health.DOWN,
    "L": Health.LAGGING,
    "C": Health.CATCHING_UP,
    "X": Health.BROKEN,
    "F": Health.FOREIGN,
}


def judged(track: Track, seen: Observation, primary: Observation | None = OF_PRIMARY) -> Track:
    lag = seen.replica.lag_seconds if seen.replica is not None else None
    return judge(track, seen, lag, Yardstick(primary, LIMITS))


@pytest.mark.parametrize(
    ("probes", "verdicts"),
    [
        ("ggg", "HHH"),  # the first good probe is enough at the start
        ("bgg", "DDH"),  # and the first bad one
        ("gbg", "HHH"),  # one failure is forgiven
        ("gbgbgb", "HHHHHH"),
        ("gbb", "HHD"),
        ("gbd", "HHD"),
        ("gbbgg", "HHDDH"),  # two good ones bring it back
        ("gbbgbgg", "HHDDDDH"),
        ("gbbbbg", "HHDDDD"),
        ("glgg", "HLCH"),  # lag counts at once
        ("gllnlngg", "HLLCLCCH"),  # nearer or not, as long as it is too far behind
        ("glglgg", "HLCLCH"),
        ("gnlgg", "HLLCH"),
        ("gxgg", "HXXH"),
        ("gfgg", "HFFH"),
        ("glb", "HLD"),
        ("gbl", "HHL"),
        ("lgg", "LCH"),
        ("xlg", "XLC"),
        ("xbgg", "XDDH"),
        ("lglgg", "LCLCH"),
    ],
)
def test_hysteresis(probes: str, verdicts: str) -> None:
    track, found = begin(REPLICA), []
    for probe in probes:
        track = judged(track, SEEN[probe])
        found.append(track.state.health)
    assert found == [HEALTH[verdict] for verdict in verdicts]


def test_nothing_is_known_at_first() -> None:
    state = begin(REPLICA).state
    assert (state.health, state.usable, state.reason, state.observation) == (
        Health.UNKNOWN,
        False,
        "not probed yet",
        None,
    )


def test_a_failure_in_use_counts_at_once_and_two_good_probes_mend_it() -> None:
    track = fail(judged(begin(REPLICA), GOOD), "connection reset", 0.0)
    assert (track.state.health, track.state.reason) == (Health.DOWN, "connection reset")
    track = judged(track, GOOD)
    assert (track.state.health, track.state.reason) == (Health.DOWN, "answers again")
    assert judged(track, GOOD).state.usable


def test_of_a_server_that_does_not_answer_the_lag_is_not_known() -> None:
    track = judged(begin(REPLICA), GOOD)
    assert track.state.lag == 0
    assert fail(track, "connection reset", 0.0).state.lag is None
    for probe in "bb":
        track = judged(track, SEEN[probe])
    assert (track.state.health, track.state.lag) == (Health.DOWN, None)
    assert judged(track, GOOD).state.lag == 0


def probed(track: Track, at: float) -> Track:
    return judged(track, replace(GOOD, ended=at))


def test_breaks_in_a_row_take_it_out_of_use_for_longer_and_longer() -> None:
    track, now, outages = judged(begin(REPLICA), GOOD), 100.0, []
    for _ in range(9):
        # What else runs there breaks at the same time.
        track = fail(fail(track, "reset", now), "reset", now)
        broken = now
        while not track.state.usable:
            now += 0.25
            track = probed(track, now)
        outages.append(now - broken)
    assert outages == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert (track.state.circuit, track.state.reason) == (
        Circuit.HALF_OPEN,
        "broke 9 times in a row: on trial with few reads",
    )
    assert probed(track, now + 59.0).state.circuit is Circuit.HALF_OPEN
    track = probed(track, now + 60.0)
    assert (track.state.circuit, track.state.reason) == (Circuit.CLOSED, "")
    track = probed(probed(fail(track, "reset", now + 61.0), now + 61.1), now + 61.2)
    assert (track.state.usable, track.state.circuit) == (True, Circuit.CLOSED)


def test_why_a_replica_that_breaks_gets_no_reads() -> None:
    track = judged(begin(REPLICA), GOOD)
    for _ in range(3):
        track = fail(track, "reset", 100.0)
        track = replace(track, state=replace(track.state, health=Health.HEALTHY))
    track = fail(track, "reset", 100.0)
    assert (track.state.circuit, track.state.reason) == (
        Circuit.OPEN,
        "reset; broke 4 times in a row: no reads for 4 s",
    )
    assert probed(track, 101.0).state.reason == "answers again; broke 4 times in a row: no reads for 3 s"
    lagging = judge(track, replace(LAGGING, ended=101.0), 13.0, Yardstick(OF_PRIMARY, LIMITS))
    assert lagging.state.circuit is Circuit.OPEN
    for at in (101.0, 102.0, 103.0):
        lagging = probed(lagging, at)
        assert lagging.state.health is Health.CATCHING_UP
        assert "no reads for" in lagging.state.reason
    assert probed(lagging, 104.0).state.usable


def test_a_primary_is_back_as_soon_as_it_answers() -> None:
    track = judged(begin(PRIMARY), OF_PRIMARY)
    for _ in range(4):
        track = judged(judged(fail(track, "reset", 1.0), OF_PRIMARY), OF_PRIMARY)
        assert track.state.usable


def test_a_healthy_server_remembers_what_was_last_seen_of_it() -> None:
    track = judged(judged(begin(REPLICA), GOOD), BAD)
    assert (track.state.observation, track.state.reason) == (GOOD, "refused")
    assert judged(track, GOOD).state.reason == ""


@pytest.mark.parametrize(
    ("seen", "cause", "reason"),
    [
        (Observation(identity="uuid-2"), Cause.NO_SOURCE, "follows no primary"),
        (OF_PRIMARY, Cause.SAME_SERVER, "is the primary itself, or has its identity (uuid-1)"),
        (replica(io=False), Cause.RECEIVER, "the replication receiver does not run: no error given"),
        (replica(io=False, sql=False, error="x"), Cause.RECEIVER, "the replication receiver does not run: x"),
        (replica(sql=False, error="dup"), Cause.APPLIER, "the replication applier does not run: dup"),
        (replica(io=False, sql=False, connecting=True), Cause.APPLIER, "the replication applier does not run: no er"),
        (replica(source="uuid-9"), Cause.OTHER_SOURCE, "follows another server (uuid-9, not uuid-1)"),
        (replica(lag=None), Cause.LAG_UNKNOWN, "does not know how far it is behind"),
        (replica(lag=10.5), Cause.LAG, "10.5 s behind, 10 s are allowed"),
        (
            replica(lag=11, io=False, connecting=True, error="no route"),
            Cause.LAG,
            "11 s behind, 10 s are allowed; cannot reach its source: no route",
        ),
        (replica(lag=10), None, ""),
        # Whom it follows, a replica knows only once it has reached it.
        (replica(source="", io=False, connecting=True), None, ""),
        (Observation(error="gone"), Cause.NO_ANSWER, "gone"),
        (Observation(error="Access denied", denied=True), Cause.LOGIN, "Access denied"),
    ],
)
def test_verdicts_on_replicas(seen: Observation, cause: Cause | None, reason: str) -> None:
    track = judged(begin(REPLICA), seen)
    assert track.cause is cause
    assert track.state.health is (HEALTH_OF[cause] if cause else Health.HEALTHY)
    assert track.state.reason.startswith(reason)
    assert bool(track.state.reason) == bool(reason)


def test_every_cause_takes_a_server_out_of_use() -> None:
    assert set(HEALTH_OF) == set(Cause)
    assert not {Health.HEALTHY, Health.UNKNOWN}.intersection(HEALTH_OF.values())


def test_without_a_primary_a_replica_is_judged_alone() -> None:
    assert judged(begin(REPLICA), replica(source="uuid-9"), None).state.usable


def test_a_primary_needs_only_to_answer() -> None:
    assert judged(begin(PRIMARY), OF_PRIMARY).state.usable
    assert judged(begin(PRIMARY), Observation(read_only=True)).state.usable
    assert judged(begin(PRIMARY), BAD).state.health is Health.DOWN


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (replace(GOOD, read_only=False), "takes writes from others than its source: read_only is off"),
        (replace(GOOD, version="8.0.43"), "is older (8.0.43) than the primary (8.4.0)"),
        (replace(GOOD, version="8.4.0-debug"), ""),
        (replace(GOOD, version="9.7.1"), ""),
    ],
)
def test_what_is_odd_is_told_and_no_reason_not_to_use_it(seen: Observation, reason: str) -> None:
    state = judged(begin(REPLICA), seen).state
    assert (state.health, state.reason) == (Health.HEALTHY, reason)


def test_a_replica_may_be_later_than_is_preferred() -> None:
    by = Yardstick(OF_PRIMARY, replace(LIMITS, preferred_lag=2.0))
    assert judge(begin(REPLICA), GOOD, 2.5, by).state.late
    assert not judge(begin(REPLICA), GOOD, 2.0, by).state.late
    assert not judge(begin(REPLICA), GOOD, 2.5, Yardstick(OF_PRIMARY, LIMITS)).state.late


def test_only_a_fit_server_can_be_drained() -> None:
    state = drained(judged(begin(REPLICA), GOOD).state)
    assert (state.health, state.usable) == (Health.DRAINING, False)
    broken = judged(begin(REPLICA), BROKEN).state
    assert drained(broken) == broken


def with_history(history: str, at: float) -> Observation:
    return replace(GOOD, history=history, began=at, ended=at)


def after(looks: list[tuple[str, str]], *, allowed: bool = False) -> Track:
    """The track after so many looks at the replica's and then at the primary's history."""
    track, primary = begin(REPLICA), OF_PRIMARY
    for at, (have, logged) in enumerate(looks):
        seen = with_history(have, at)
        track = judge(track, seen, 0.0, Yardstick(primary, replace(LIMITS, errant_allowed=allowed)))
        primary = replace(OF_PRIMARY, logged=logged, history=logged, began=at + 0.5, ended=at + 0.5)
    return track


OWN = (f"{A}:1-9,{B}:1-3", f"{A}:1-9")
# Reached the replica before the primary was asked the time before.
NEWEST = (f"{A}:1-10", f"{A}:1-10")


@pytest.mark.parametrize(
    ("looks", "health"),
    [
        ([OWN], Health.HEALTHY),  # was not compared yet
        ([OWN] * 2, Health.HEALTHY),  # only once
        ([OWN] * 3, Health.AHEAD),
        ([OWN, NEWEST, OWN, NEWEST, OWN], Health.HEALTHY),
        ([NEWEST] * 5, Health.HEALTHY),
        ([OWN] * 3 + [NEWEST] * 2, Health.AHEAD),
        ([OWN] * 3 + [NEWEST] * 3, Health.HEALTHY),
        ([(OWN[0], "")] * 5, Health.HEALTHY),  # a primary without GTIDs
    ],
)
def test_transactions_that_the_primary_lacks(looks: list[tuple[str, str]], health: Health) -> None:
    assert after(looks).state.health is health


def test_they_are_named_and_may_be_allowed() -> None:
    reason = f"has transactions that the primary lacks: {B}:1-3 (manyreads doctor tells what mends it)"
    assert after([OWN] * 3).state.reason == reason
    state = after([OWN] * 3, allowed=True).state
    assert (state.health, state.reason) == (Health.HEALTHY, reason)


def test_histories_are_compared_only_if_the_primary_was_asked_afterwards() -> None:
    track, primary = begin(REPLICA), replace(OF_PRIMARY, began=1.0, ended=1.1)
    for at in (1.5, 1.6, 1.7, 1.8):
        track = judge(track, with_history(OWN[0], at), 0.0, Yardstick(primary, LIMITS))
    assert (track.errant, track.state.health) == (0, Health.HEALTHY)


def test_probes_come_faster_while_something_is_wrong() -> None:
    track = begin(REPLICA)
    assert pause(track, 1.0) == 0.25
    track = judged(track, GOOD)
    assert pause(track, 1.0) == 1.0
    for _ in range(30):
        track = judged(track, BAD)
        assert pause(track, 1.0) == 0.25
    for _ in range(10):
        track = judged(track, BAD)
    assert pause(track, 1.0) == 1.0
    assert pause(judged(track, GOOD), 1.0) == 0.25
    assert pause(after([OWN] * 2), 1.0) == 0.25


WHOLE = Member("g", "ONLINE")
OF_MEMBER = replace(OF_PRIMARY, member=WHOLE)


def member(trouble: Trouble | None = None, group: str = "g", **others: Any) -> Observation:
    known = {"vendor": Vendor.MYSQL, "identity": "uuid-2", "version": "8.4.0", "read_only": True}
    return Observation(**{**known, **others}, member=Member(group, "its word", trouble))


@pytest.mark.parametrize(
    ("trouble", "health", "reason"),
    [
        (None, Health.HEALTHY, ""),
        (Trouble.RECOVERING, Health.CATCHING_UP, "still gets what it lacks from its group (its word)"),
        (Trouble.DONOR, Health.LAGGING, "gives its data to another member, or was desynced (its word)"),
        (
            Trouble.NO_QUORUM,
            Health.BROKEN,
            "is not in the primary component: cut off from most of its group (its word)",
        ),
        (Trouble.OFFLINE, Health.BROKEN, "takes no part in its group (its word)"),
        (Trouble.ERROR, Health.BROKEN, "has left its group, or does not know its state (its word)"),
    ],
)
def test_a_member_as_a_replica(trouble: Trouble | None, health: Health, reason: str) -> None:
    state = judge(begin(REPLICA), member(trouble), 0.0, Yardstick(OF_MEMBER, LIMITS)).state
    assert (state.health, state.reason) == (health, reason)


def test_a_member_is_measured_like_any_replica() -> None:
    by = Yardstick(OF_MEMBER, LIMITS)
    assert judge(begin(REPLICA), member(), 11.0, by).state.health is Health.LAGGING
    assert judge(begin(REPLICA), member(), None, by).state.reason == "does not know how far it is behind"
    assert judge(begin(REPLICA), member(identity="uuid-1"), 0.0, by).state.health is Health.FOREIGN
    # Nodes of one cluster usually have the same server_id, and all of them take writes.
    node = member(vendor=Vendor.MARIADB, identity="uuid-1", read_only=False)
    assert judge(begin(REPLICA), node, 0.0, by).state == ServerState(REPLICA, Health.HEALTHY, "", node, 0.0)


def test_a_member_of_another_group() -> None:
    for primary in (OF_MEMBER, OF_PRIMARY):
        state = judge(begin(REPLICA), member(group="other"), 0.0, Yardstick(primary, LIMITS)).state
        assert state.health is Health.FOREIGN
        assert "other" in state.reason
    assert judge(begin(REPLICA), member(group="other"), None, Yardstick(None, LIMITS)).state.usable


def test_a_member_that_follows_the_primary_is_an_ordinary_replica() -> None:
    follower = replace(GOOD, member=Member("other", "ONLINE"))
    assert judged(begin(REPLICA), follower).state.usable


def test_a_member_has_no_transactions_of_its_own() -> None:
    track, by = begin(REPLICA), Yardstick(replace(OF_MEMBER, began=100.0), LIMITS)
    for at in range(4):
        ahead = member(history=f"{A}:1-20", logged=f"{A}:1-20", began=at, ended=at)
        track = judge(track, ahead, 0.0, by)
        assert track.state.usable


@pytest.mark.parametrize(
    ("trouble", "usable"),
    [
        (None, True),
        (Trouble.DONOR, True),
        (Trouble.OFFLINE, True),
        (Trouble.RECOVERING, False),
        (Trouble.NO_QUORUM, False),
        (Trouble.ERROR, False),
    ],
)
def test_a_member_as_the_primary(trouble: Trouble | None, usable: bool) -> None:
    assert judged(begin(PRIMARY), member(trouble, read_only=False)).state.usable is usable
