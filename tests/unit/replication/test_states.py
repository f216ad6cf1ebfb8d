"""Each state of a replica by what was seen: one row for each rule."""

from dataclasses import replace

import pytest

from replication.errors import ExitCode
from replication.facts import Channel, Marker, Phase
from replication.seen import PrimarySeen, ReplicaSeen, Seen
from replication.states import EXIT_CODES, Limits, State, Verdict, distance, exit_code, judge, own_lag
from topology.servers import Role, Server, Vendor

UUID = "11111111-1111-1111-1111-111111111111"
OTHER = "22222222-2222-2222-2222-222222222222"
THIRD = "33333333-3333-3333-3333-333333333333"
PRIMARY = PrimarySeen(
    Server("dbwrite", "10.0.0.1", 3306, Role.PRIMARY),
    identity=UUID,
    source_id=UUID,
    gtid_before=f"{UUID}:1-10",
    gtid=f"{UUID}:1-12",
)
CHANNEL = Channel("", "10.0.0.1", 3306, UUID, "Yes", "Yes")
REPLICA = ReplicaSeen(
    Server("dbread1", "10.0.0.2", 3306, Role.REPLICA),
    server_id=2,
    gtid=f"{UUID}:1-10",
    channels=(CHANNEL,),
    marker=Marker(UUID, Phase.DONE),
)
ALONE = replace(REPLICA, channels=())


LEADER = replace(ALONE, marker=None, source_id=OTHER)
LED = replace(PRIMARY, channels=(replace(CHANNEL, host="10.0.0.2", source_id=OTHER),))


def with_channel(**changes: object) -> ReplicaSeen:
    return replace(REPLICA, channels=(replace(CHANNEL, **changes),))  # type: ignore[arg-type]  # names are checked by replace


def receiver(errno: int, error: str = "", running: str = "No") -> ReplicaSeen:
    return with_channel(io_running=running, io_errno=errno, io_error=error)


def applier(errno: int, error: str = "") -> ReplicaSeen:
    return with_channel(sql_running="No", sql_errno=errno, sql_error=error)


def marked(phase: Phase) -> Marker:
    return Marker(UUID, phase)


def state(replica: ReplicaSeen, lag: float | None = 0.0, primary: PrimarySeen = PRIMARY) -> State:
    return judge(Seen(primary, (replica,)), replica, lag).state


@pytest.mark.parametrize(
    ("replica", "expected"),
    [
        (ReplicaSeen(REPLICA.server, error="refused"), State.UNREACHABLE),
        (ReplicaSeen(REPLICA.server, error="shutting down", passing=True), State.WAITING),
        (replace(ALONE, marker=None), State.STANDALONE_EMPTY),
        (replace(ALONE, marker=None, has_data=True), State.STANDALONE_DATA),
        (replace(ALONE, has_data=True), State.STANDALONE_DATA),
        (replace(ALONE, marker=marked(Phase.COPYING)), State.COPYING),
        (replace(ALONE, marker=marked(Phase.ATTACHING)), State.COPYING),
        (REPLICA, State.HEALTHY),
        (with_channel(host="10.9.9.9", source_id=OTHER), State.FOREIGN),
        (replace(with_channel(host="10.0.0.3", source_id=OTHER), marker=marked(Phase.DETOUR)), State.BROKEN_REPOINT),
        (with_channel(host="another-name"), State.HEALTHY),
        (with_channel(source_id=OTHER), State.BROKEN_REPOINT),
        (replace(REPLICA, gtid=f"{UUID}:1-10,{OTHER}:1"), State.AHEAD),
        (replace(REPLICA, gtid=f"{UUID}:1-12"), State.HEALTHY),
        (with_channel(io_running="No", sql_running="No"), State.BROKEN_RETRY),
        (with_channel(io_running="Connecting"), State.BROKEN_RETRY),
        (receiver(2003, "cannot connect", "Connecting"), State.BROKEN_RETRY),
        (receiver(1593, "equal MySQL server ids"), State.BROKEN_RETRY),
        (receiver(13117, "equal MySQL server ids"), State.BROKEN_RETRY),
        (receiver(1045, "denied", "Connecting"), State.BROKEN_REPOINT),
        (receiver(2026, "TLS", "Connecting"), State.BROKEN_REPOINT),
        (receiver(2061, "requires secure connection", "Connecting"), State.BROKEN_REPOINT),
        (receiver(13114, "Got fatal error 1236: the source purged required binary logs"), State.PURGED),
        (receiver(1236, "required binlog files have been purged"), State.PURGED),
        (receiver(1236, "GTID 0-1-5, which is not in the master's binlog"), State.DIVERGED),
        (receiver(1236, "bogus data in log event"), State.BROKEN_REPOINT),
        *((applier(errno), State.DIVERGED) for errno in (1062, 1032, 1146, 1396)),
        (applier(1205), State.BROKEN_RETRY),
        (applier(3030, "stopped by another worker"), State.BROKEN_RETRY),
        (applier(1594), State.BROKEN_REPOINT),
        (applier(13124), State.BROKEN_REPOINT),
        (with_channel(io_running="No", sql_running="No", relay_log="relay-bin.000002"), State.BROKEN_REPOINT),
    ],
)
def test_what_was_seen_tells_the_state(replica: ReplicaSeen, expected: State) -> None:
    assert state(replica) is expected


@pytest.mark.parametrize(
    ("phase", "setting_up", "expected"),
    [
        (Phase.COPYING, True, State.COPYING),
        (Phase.INDEXING, True, State.INDEXING),
        (Phase.INDEXING, False, State.COPYING),
    ],
)
def test_a_run_that_is_under_way_tells_how_far_it_is(phase: Phase, setting_up: bool, expected: State) -> None:
    assert state(replace(ALONE, marker=marked(phase)), primary=replace(PRIMARY, setting_up=setting_up)) is expected


def test_a_replica_that_was_just_attached_catches_up_first() -> None:
    attaching = replace(REPLICA, marker=marked(Phase.ATTACHING))
    assert state(attaching, lag=3.0) is State.CATCHING_UP
    assert state(attaching, lag=0.0) is State.HEALTHY


@pytest.mark.parametrize(("lag", "expected"), [(0.0, State.HEALTHY), (10.0, State.HEALTHY), (10.1, State.LAGGING)])
def test_lag_is_measured_against_the_limit(lag: float, expected: State) -> None:
    assert state(REPLICA, lag) is expected


def test_who_is_ahead_is_told_the_way_that_keeps_most() -> None:
    ahead = replace(REPLICA, gtid=f"{UUID}:1-10,{OTHER}:1")
    assert "resync dbread1 --chunks --force dbread1" in judge(Seen(PRIMARY, (ahead,)), ahead, 0.0).remedy


def test_unknown_lag_is_no_health() -> None:
    assert state(REPLICA, None) is State.LAGGING
    gone = PrimarySeen(PRIMARY.server, error="no answer")
    assert state(REPLICA, None, gone) is State.LAGGING


def test_two_replicas_with_one_server_id_are_named() -> None:
    replica = with_channel(io_running="Connecting")
    other = replace(REPLICA, server=replace(REPLICA.server, name="dbread2"))
    verdict = judge(Seen(PRIMARY, (replica, other)), replica, 0.0)
    assert "dbread2 has the same server_id 2" in verdict.reason


def test_the_servers_own_figure_is_not_believed_alone() -> None:
    behind = replace(REPLICA, gtid=f"{UUID}:1-9")
    assert own_lag(PRIMARY, replace(REPLICA, seconds_behind=99.0)) == 0
    assert own_lag(PRIMARY, replace(behind, seconds_behind=0.0)) is None
    assert own_lag(PRIMARY, replace(behind, seconds_behind=4.0)) == 4
    stopped = replace(behind, channels=(replace(CHANNEL, io_running="No"),), seconds_behind=4.0)
    assert own_lag(PRIMARY, stopped) is None
    assert own_lag(PrimarySeen(PRIMARY.server, error="gone"), behind) is None


def test_the_distance_is_counted_in_transactions() -> None:
    assert distance(PRIMARY, replace(REPLICA, gtid=f"{UUID}:1-4:6")) == 5
    maria = replace(PRIMARY, vendor=Vendor.MARIADB, gtid_before="0-1-10,1-1-5")
    assert distance(maria, replace(REPLICA, vendor=Vendor.MARIADB, gtid="0-1-7")) == 8
    assert distance(maria, REPLICA) is None


def test_every_state_has_an_exit_code() -> None:
    assert set(EXIT_CODES) == set(State)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((State.HEALTHY, State.HEALTHY), ExitCode.OK),
        ((State.HEALTHY, State.LAGGING), ExitCode.LAGGING),
        ((State.LAGGING, State.UNREACHABLE), ExitCode.NOT_READY),
        ((State.COPYING, State.PURGED), ExitCode.BROKEN),
        ((State.BROKEN_RETRY, State.DIVERGED), ExitCode.DIVERGED),
    ],
)
def test_the_worst_state_gives_the_exit_code(states: tuple[State, ...], expected: ExitCode) -> None:
    assert exit_code(Verdict(each) for each in states) is expected


def test_the_limit_can_be_chosen() -> None:
    assert judge(Seen(PRIMARY, (REPLICA,)), REPLICA, 5.0, Limits(max_lag=3)).state is State.LAGGING


def test_a_replica_is_expected_to_follow_another_one_while_a_run_leads_it_there() -> None:
    replica = replace(with_channel(host="10.0.0.3", source_id=OTHER), marker=marked(Phase.DETOUR))
    assert state(replica, primary=replace(PRIMARY, setting_up=True)) is State.CATCHING_UP
    assert state(replace(replica, marker=Marker(OTHER, Phase.DETOUR))) is State.FOREIGN


@pytest.mark.parametrize(
    "changes",
    [
        {"source_id": OTHER, "host": "seen-elsewhere"},
        {"source_id": "", "host": "10.0.0.2"},
    ],
)
def test_a_replica_that_the_primary_follows_is_the_primary(changes: dict[str, str]) -> None:
    led = replace(PRIMARY, channels=with_channel(**changes).channels)
    found = judge(Seen(led, (LEADER,)), LEADER, None)
    assert (found.state, found.remedy) == (State.FOREIGN, "name dbread1 as the primary and dbwrite as a replica")
    assert "is where writes go: dbwrite" in found.reason


def test_the_others_are_not_offered_to_lose_their_data_when_roles_are_old() -> None:
    other = replace(REPLICA, server=Server("dbread2", "10.0.0.3", 3306, Role.REPLICA), source_id=THIRD)
    follower = replace(other, channels=(replace(CHANNEL, host="10.0.0.2", source_id=OTHER),))
    found = judge(Seen(LED, (LEADER, follower)), follower, None)
    assert (found.state, found.remedy) == (State.FOREIGN, "name dbread1 as the primary and dbwrite as a replica")
    assert found.reason == "belongs to dbread1, which dbwrite, named as the primary, follows itself"


def test_two_that_follow_each_other_are_judged_by_what_the_replica_does() -> None:
    circle = replace(REPLICA, source_id=OTHER)
    assert judge(Seen(LED, (circle,)), circle, 0.0).state is State.HEALTHY


def test_a_primary_of_somebody_else_leaves_a_blank_server_blank() -> None:
    chained = replace(PRIMARY, channels=(replace(CHANNEL, host="10.9.9.9", source_id=THIRD),))
    assert judge(Seen(chained, (LEADER,)), LEADER, None).state is State.STANDALONE_EMPTY
