"""Verdicts and their hysteresis, probe by probe."""

import pytest

from topology.health import Track, begin, fail, judge
from topology.servers import Health, Observation, ReplicaStatus, Role, Server, Vendor

PRIMARY = Server("dbwrite", "h", 1, Role.PRIMARY)
REPLICA = Server("dbread1", "h", 2, Role.REPLICA)
OF_PRIMARY = Observation(vendor=Vendor.MYSQL, identity="uuid-1")
MAX_LAG = 10.0


def replica(
    source: str = "uuid-1", io: bool = True, sql: bool = True, lag: float | None = 0, error: str = ""
) -> Observation:
    return Observation(vendor=Vendor.MYSQL, identity="uuid-2", replica=ReplicaStatus(source, io, sql, lag, error))


GOOD, BAD = replica(), Observation(error="refused")
LAGGING, BROKEN = replica(lag=11), replica(sql=False, error="duplicate key")
SEEN = {"g": GOOD, "b": BAD, "l": LAGGING, "x": BROKEN}
HEALTH = {"H": Health.HEALTHY, "D": Health.DOWN, "L": Health.LAGGING, "X": Health.BROKEN}


def judged(track: Track, seen: Observation, primary: Observation | None = OF_PRIMARY) -> Track:
    return judge(track, seen, primary, MAX_LAG)


@pytest.mark.parametrize(
    ("probes", "verdicts"),
    [
        ("ggg", "HHH"),  # the first good probe is enough at the start
        ("bgg", "DDH"),  # and the first bad one
        ("gbg", "HHH"),  # one failure is forgiven
        ("gbgbgb", "HHHHHH"),
        ("gbb", "HHD"),
        ("gbbgg", "HHDDH"),  # two good ones bring it back
        ("gbbgbgg", "HHDDDDH"),
        ("gbbbbg", "HHDDDD"),
        ("glgg", "HLLH"),  # lag counts at once
        ("gxgg", "HXXH"),
        ("glb", "HLD"),
        ("gbl", "HHL"),
        ("lgg", "LLH"),
        ("xlg", "XLL"),
        ("xbgg", "XDDH"),
        ("lglgg", "LLLLH"),
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
    track = fail(judged(begin(REPLICA), GOOD), "connection reset")
    assert (track.state.health, track.state.reason) == (Health.DOWN, "connection reset")
    track = judged(track, GOOD)
    assert (track.state.health, track.state.reason) == (Health.DOWN, "answers again")
    assert judged(track, GOOD).state.usable


def test_a_healthy_server_remembers_what_was_last_seen_of_it() -> None:
    track = judged(judged(begin(REPLICA), GOOD), BAD)
    assert (track.state.observation, track.state.reason) == (GOOD, "refused")
    assert judged(track, GOOD).state.reason == ""


@pytest.mark.parametrize(
    ("seen", "health", "reason"),
    [
        (Observation(identity="uuid-2"), Health.BROKEN, "follows no primary"),
        (replica(io=False), Health.BROKEN, "the replication receiver does not run: no error given"),
        (replica(io=False, sql=False, error="x"), Health.BROKEN, "the replication receiver does not run: x"),
        (replica(sql=False, error="dup"), Health.BROKEN, "the replication applier does not run: dup"),
        (replica(source="uuid-9"), Health.BROKEN, "follows another server (uuid-9, not uuid-1)"),
        (replica(lag=None), Health.LAGGING, "does not know how far it is behind"),
        (replica(lag=10.5), Health.LAGGING, "10.5 s behind, 10 s are allowed"),
        (replica(lag=10), Health.HEALTHY, ""),
        (Observation(error="gone"), Health.DOWN, "gone"),
    ],
)
def test_verdicts_on_replicas(seen: Observation, health: Health, reason: str) -> None:
    state = judged(begin(REPLICA), seen).state
    assert (state.health, state.reason) == (health, reason)


@pytest.mark.parametrize("primary", [None, Observation(error="down")])
def test_without_a_primary_a_replica_is_judged_alone(primary: Observation | None) -> None:
    assert judged(begin(REPLICA), replica(source="uuid-9"), primary).state.usable


def test_a_primary_needs_only_to_answer() -> None:
    assert judged(begin(PRIMARY), OF_PRIMARY).state.usable
    assert judged(begin(PRIMARY), Observation(read_only=True)).state.usable
    assert judged(begin(PRIMARY), BAD).state.health is Health.DOWN
