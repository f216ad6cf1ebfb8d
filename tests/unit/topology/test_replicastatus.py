"""SHOW REPLICA STATUS under the names of both vendors and of old versions."""

from typing import Any

import pytest

from topology.replicastatus import of_source, replica_status
from topology.servers import ReplicaStatus, Vendor

AT_SOURCE = {"Source_Host": "h", "Source_Port": 33}
AT_MASTER = {"Master_Host": "h", "Master_Port": 33}
MYSQL = AT_SOURCE | {
    "Source_UUID": "u",
    "Replica_IO_Running": "Yes",
    "Replica_SQL_Running": "Yes",
    "Seconds_Behind_Source": 3,
}
OLD_MYSQL = AT_MASTER | {
    "Master_UUID": "u",
    "Slave_IO_Running": "Yes",
    "Slave_SQL_Running": "Yes",
    "Seconds_Behind_Master": 3,
}
MARIADB = AT_MASTER | {
    "Master_Server_Id": 5,
    "Slave_IO_Running": "Yes",
    "Slave_SQL_Running": "Yes",
    "Seconds_Behind_Master": 3,
}


@pytest.mark.parametrize(
    ("row", "vendor", "source"),
    [(MYSQL, Vendor.MYSQL, "u"), (OLD_MYSQL, Vendor.MYSQL, "u"), (MARIADB, Vendor.MARIADB, "5")],
)
def test_each_vendors_names(row: dict[str, Any], vendor: Vendor, source: str) -> None:
    assert replica_status(row, vendor) == ReplicaStatus(source, True, True, 3.0, address="h:33")


def test_how_far_it_is_in_its_sources_log() -> None:
    row = MYSQL | {"Relay_Source_Log_File": "binlog.000007", "Exec_Source_Log_Pos": 157}
    status = replica_status(row, Vendor.MYSQL)
    assert status is not None
    assert status.executed == "u/7:157"


def test_no_row_means_no_primary() -> None:
    assert replica_status({}, Vendor.MYSQL) is None


@pytest.mark.parametrize("state", ["No", "Connecting", "Preparing", "", None])
def test_only_yes_means_running(state: str | None) -> None:
    status = replica_status(MYSQL | {"Replica_IO_Running": state}, Vendor.MYSQL)
    assert status is not None
    assert (status.io_running, status.sql_running) == (False, True)
    assert status.connecting is (state in ("Connecting", "Preparing"))


def test_an_unknown_lag_is_none_and_errors_are_joined() -> None:
    row = MARIADB | {"Seconds_Behind_Master": None, "Last_IO_Error": "a", "Last_SQL_Error": "b"}
    assert replica_status(row, Vendor.MARIADB) == ReplicaStatus("5", True, True, None, "a b", address="h:33")
    status = replica_status(MARIADB | {"Seconds_Behind_Master": "0"}, Vendor.MARIADB)
    assert status == ReplicaStatus("5", True, True, 0.0, address="h:33")


def test_a_workers_error_is_told_instead_of_where_it_is_and_without_values() -> None:
    row = MYSQL | {"Last_IO_Error": "", "Last_SQL_Error": "Coordinator stopped because there were error(s)"}
    status = replica_status(row, Vendor.MYSQL, "Duplicate entry 'secret' for key 't.PRIMARY'")
    assert status is not None
    assert status.error == "Duplicate entry '...' for key 't.PRIMARY'"


def test_the_channels_of_group_replication_follow_no_source() -> None:
    recovery, applier = ({"Channel_Name": f"group_replication_{name}"} for name in ("recovery", "applier"))
    assert of_source([recovery, applier]) == of_source([]) == {}
    assert of_source([recovery, {"Channel_Name": ""}]) == {"Channel_Name": ""}
    assert of_source([{"Slave_IO_State": ""}]) == {"Slave_IO_State": ""}
