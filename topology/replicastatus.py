"""What a replica says of its replication, under old and new names, as values. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from topology.binlogs import executed
from topology.servers import ReplicaStatus, Vendor

# Each vendor and version has some of these; the first one that is there counts.
_IO_RUNNING = ("Replica_IO_Running", "Slave_IO_Running")
# Preparing is MariaDB's, before it has tried.
_CONNECTING = ("Connecting", "Preparing")
_SQL_RUNNING = ("Replica_SQL_Running", "Slave_SQL_Running")
_HOST = ("Source_Host", "Master_Host")
_PORT = ("Source_Port", "Master_Port")
_BEHIND = ("Seconds_Behind_Source", "Seconds_Behind_Master")
_SOURCE_IDENTITY = {
    Vendor.MYSQL: ("Source_UUID", "Master_UUID"),
    Vendor.MARIADB: ("Master_Server_Id",),
}

# Where servers put statements and values into their error messages.
_VALUES = (
    (re.compile(r"[\s;,.]*Query: .*", re.DOTALL), ""),
    (re.compile(r"(Duplicate entry ').*(' for key)", re.DOTALL), r"\1...\2"),
    (re.compile(r"(value:? ')[^']*'"), r"\1...'"),
    (re.compile(r"(near ').*", re.DOTALL), r"\1...'"),
)

# ER_SLAVE_WORKER_STOPPED_PREVIOUS_THD_ERROR: what a worker says that waited for the one with an error to commit.
WORKER_STOPPED_BY_ANOTHER = 3030

WORKER_ERRORS = (
    "SELECT CHANNEL_NAME AS channel, LAST_ERROR_NUMBER AS number, LAST_ERROR_MESSAGE AS message "
    "FROM performance_schema.replication_applier_status_by_worker WHERE LAST_ERROR_NUMBER <> 0 "
    f"ORDER BY LAST_ERROR_NUMBER = {WORKER_STOPPED_BY_ANOTHER}, WORKER_ID"
)
"""MySQL's: why its applier stopped, a cause before its effects; SHOW REPLICA STATUS only says which worker it was."""


def without_values(error: str) -> str:
    """A server's error without the statement and the values in it: errors end up in logs."""
    for pattern, replacement in _VALUES:
        error = pattern.sub(replacement, error)
    return error


def of_source(rows: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The first row that is about a source, empty if none is: the channels of Group Replication are not."""
    about = (row for row in rows if not str(row.get("Channel_Name", "")).startswith("group_replication_"))
    return next(about, {})


def replica_status(row: Mapping[str, Any], vendor: Vendor, worker_error: str = "") -> ReplicaStatus | None:
    """Read the row; None when there is none, which is how a server says that it follows nobody.

    `worker_error` is the first message of WORKER_ERRORS, which takes the place of the row's own.
    """
    if not row:
        return None
    lag = _first(row, _BEHIND)
    source = str(_first(row, _SOURCE_IDENTITY[vendor]) or "")
    errors = row.get("Last_IO_Error"), worker_error or row.get("Last_SQL_Error")
    return ReplicaStatus(
        # MariaDB's is 0 until it has reached it.
        source="" if source == "0" else source,
        io_running=_first(row, _IO_RUNNING) == "Yes",
        sql_running=_first(row, _SQL_RUNNING) == "Yes",
        lag_seconds=None if lag is None else float(lag),
        error=without_values(" ".join(error for error in errors if error)),
        connecting=_first(row, _IO_RUNNING) in _CONNECTING,
        address=f"{_first(row, _HOST)}:{_first(row, _PORT)}",
        executed=executed(row),
    )


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if name in row), None)
