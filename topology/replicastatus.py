"""The row of SHOW REPLICA STATUS, under its old and new column names, as one value. Pure."""

from collections.abc import Mapping
from typing import Any

from topology.servers import ReplicaStatus, Vendor

# Each vendor and version has some of these; the first one that is there counts.
_IO_RUNNING = ("Replica_IO_Running", "Slave_IO_Running")
_SQL_RUNNING = ("Replica_SQL_Running", "Slave_SQL_Running")
_BEHIND = ("Seconds_Behind_Source", "Seconds_Behind_Master")
_ERRORS = ("Last_IO_Error", "Last_SQL_Error")
_SOURCE_IDENTITY = {
    Vendor.MYSQL: ("Source_UUID", "Master_UUID"),
    Vendor.MARIADB: ("Master_Server_Id",),
}


def replica_status(row: Mapping[str, Any], vendor: Vendor) -> ReplicaStatus | None:
    """Read the row; None when there is none, which is how a server says that it follows nobody."""
    if not row:
        return None
    lag = _first(row, _BEHIND)
    return ReplicaStatus(
        source=str(_first(row, _SOURCE_IDENTITY[vendor]) or ""),
        io_running=_first(row, _IO_RUNNING) == "Yes",
        sql_running=_first(row, _SQL_RUNNING) == "Yes",
        lag_seconds=None if lag is None else float(lag),
        error=" ".join(str(row[name]) for name in _ERRORS if row.get(name)),
    )


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if name in row), None)
