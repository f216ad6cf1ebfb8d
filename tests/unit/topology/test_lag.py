"""How far replicas are behind, measured by the primary's positions."""

import pytest

from topology.lag import LagMeter
from topology.servers import Observation, ReplicaStatus, Vendor


def primary(gtid: str, at: float, identity: str = "1") -> Observation:
    return Observation(vendor=Vendor.MARIADB, identity=identity, logged=gtid, began=at, ended=at)


def replica(gtid: str, said: float | None, vendor: Vendor = Vendor.MARIADB) -> Observation:
    return Observation(vendor=vendor, applied=gtid, replica=ReplicaStatus("1", True, True, said), began=9.0, ended=10.0)


LAST = primary("0-1-30", 8.0)


def meter() -> LagMeter:
    found = LagMeter()
    for each in (primary("0-1-10", 1.0), primary("0-1-20", 3.0), primary("0-1-20", 5.0), LAST):
        found.note(each)
    return found


@pytest.mark.parametrize(
    ("gtid", "said", "lag"),
    [
        ("0-1-30", 0.0, 0.0),
        ("0-1-31", 0.0, 0.0),
        ("0-1-30", 50.0, 0.0),  # there is nothing that it lacks
        ("0-1-30", None, 0.0),
        ("0-1-29", 0.0, 2.0),  # lacks something since 8.0
        ("0-1-20", None, 2.0),
        ("0-1-19", 0.0, 7.0),  # since 3.0
        ("0-1-19", 8.0, 8.0),
        ("0-1-9", 0.0, 9.0),
        ("0-1-9", 500.0, 500.0),
        ("", 4.0, 4.0),  # no position: the server's word
        ("", None, None),
    ],
)
def test_the_first_write_that_is_missing_counts(gtid: str, said: float | None, lag: float | None) -> None:
    assert meter().lag(LAST, replica(gtid, said)) == lag


def test_the_servers_word_counts_where_positions_cannot_be_compared() -> None:
    assert meter().lag(None, replica("0-1-1", 3.0)) == 3.0
    assert meter().lag(LAST, replica("u:1", 3.0, Vendor.MYSQL)) == 3.0
    assert LagMeter().lag(primary("", 1.0), replica("0-1-1", 3.0)) == 3.0
    assert meter().lag(LAST, Observation(error="gone")) is None


def test_another_primary_begins_anew() -> None:
    found = meter()
    other = primary("0-2-5", 9.5, "2")
    found.note(other)
    assert found.lag(other, replica("0-2-4", 0.0)) == 0.5


def test_a_galera_cluster_counts_as_mysql_does() -> None:
    found = LagMeter()
    for each in (primary("a-b:1-10", 1.0), primary("a-b:1-20", 3.0)):
        found.note(each)
    assert found.lag(primary("a-b:1-20", 3.0), replica("a-b:1-20", None)) == 0
    assert found.lag(primary("a-b:1-20", 3.0), replica("a-b:1-15", None)) == 7
    assert found.lag(primary("a-b:1-20", 3.0), replica("0-1-15", None)) == 9


def by_file(offset: int, at: float) -> Observation:
    return Observation(vendor=Vendor.MYSQL, identity="a", logged=f"a/1:{offset}", began=at, ended=at)


def without_gtids(executed: str, said: float | None) -> Observation:
    status = ReplicaStatus("a", True, True, said, executed=executed)
    return Observation(vendor=Vendor.MYSQL, replica=status, began=9.0, ended=10.0)


@pytest.mark.parametrize(
    ("executed", "said", "lag"), [("a/1:30", 5.0, 0.0), ("a/1:29", 0.0, 2.0), ("b/1:30", 0.0, 9.0), ("", 4.0, 4.0)]
)
def test_without_gtids_the_place_in_the_log_counts(executed: str, said: float, lag: float) -> None:
    found = LagMeter()
    for each in (by_file(10, 1.0), last := by_file(30, 8.0)):
        found.note(each)
    assert found.lag(last, without_gtids(executed, said)) == lag


def test_gtids_that_are_switched_on_begin_anew() -> None:
    found = LagMeter()
    found.note(by_file(10, 1.0))
    last = Observation(vendor=Vendor.MYSQL, identity="a", logged="a:1-3", began=2.0, ended=2.0)
    found.note(last)
    assert found.lag(last, Observation(vendor=Vendor.MYSQL, applied="a:1-3", began=9.0, ended=10.0)) == 0.0
    assert found.lag(last, without_gtids("a/1:10", 3.0)) == 3.0
