"""Lag by the watcher's own clock."""

from dataclasses import replace

from replication.facts import Channel
from replication.lag import LagMeter, lag_by_heartbeat
from replication.seen import PrimarySeen, ReplicaSeen
from replication.states import own_lag
from topology.servers import Role, Server, Vendor

PRIMARY = PrimarySeen(Server("dbwrite", "10.0.0.1", 3306, Role.PRIMARY), vendor=Vendor.MARIADB, identity="one")
REPLICA = ReplicaSeen(
    Server("dbread1", "10.0.0.2", 3306, Role.REPLICA),
    vendor=Vendor.MARIADB,
    channels=(Channel("", "10.0.0.1", 3306, "1", "Yes", "Yes"),),
    seconds_behind=0,
)

STOPPED = Channel("", "10.0.0.1", 3306, "1", "No", "No")


def at(sequence: int) -> PrimarySeen:
    return replace(PRIMARY, gtid_before=f"0-1-{sequence}")


def replica_at(sequence: int) -> ReplicaSeen:
    return replace(REPLICA, gtid=f"0-1-{sequence}")


def meter() -> LagMeter:
    made = LagMeter()
    for now, sequence in ((1.0, 10), (2.0, 20), (3.0, 20), (4.0, 30)):
        made.note(at(sequence), now)
    return made


def test_a_replica_with_everything_is_not_behind() -> None:
    assert meter().lag(at(30), replica_at(30), 4.0) == 0


def test_a_replica_is_as_late_as_the_primarys_last_position_that_it_has() -> None:
    assert meter().lag(at(30), replica_at(29), 4.5) == 1.5, "the primary was at 20 until 3.0"
    assert meter().lag(at(30), replica_at(12), 4.0) == 3.0


def test_what_is_not_remembered_is_at_least_as_late_as_what_is() -> None:
    assert meter().lag(at(30), replica_at(1), 5.0) == 4.0
    assert meter().lag(at(30), replace(replica_at(1), seconds_behind=99.0), 5.0) == 99.0
    assert meter().lag(at(30), replace(replica_at(1), seconds_behind=None), 5.0) is None


def test_nothing_is_known_without_the_primary() -> None:
    assert meter().lag(PrimarySeen(PRIMARY.server, error="gone"), replica_at(30), 9.0) is None
    assert LagMeter().lag(at(30), replica_at(30), 1.0) is None


def test_another_server_behind_the_address_is_another_clock() -> None:
    made = meter()
    made.note(replace(at(31), identity="two"), 5.0)
    assert made.lag(replace(at(31), identity="two"), replace(replica_at(20), seconds_behind=None), 5.0) is None


def test_the_heartbeat_tells_what_time_it_was_at_the_primary() -> None:
    beating, late = replace(at(30), clock=1000.0, beat=999.5), replace(replica_at(1), beat=880.0)
    assert lag_by_heartbeat(beating, late) == 120.0
    assert lag_by_heartbeat(beating, replace(late, beat=1000.2)) == 0, "it has beaten since the primary was asked"
    assert meter().lag(beating, late, 5.0) == 120.0, "its position is not remembered"
    assert own_lag(beating, replace(late, channels=(STOPPED,))) == 120.0, "also while replication is stopped"


def test_a_heart_that_stands_still_tells_nothing() -> None:
    late = replace(replica_at(1), beat=880.0)
    assert lag_by_heartbeat(replace(at(30), clock=1000.0, beat=900.0), late) is None
    assert lag_by_heartbeat(replace(at(30), clock=1000.0), late) is None
    assert lag_by_heartbeat(replace(at(30), clock=1000.0, beat=999.0), replica_at(1)) is None
    assert own_lag(replace(at(30), clock=1000.0, beat=900.0), replace(late, seconds_behind=7.0)) == 7.0
