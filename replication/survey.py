"""Asking one server everything that the plan needs to know."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from replication import statements
from replication.facts import (
    HEARTBEAT_TABLE,
    MARKER_SCHEMA,
    MARKER_TABLE,
    SHADOW_PREFIX,
    Channel,
    Marker,
    Phase,
    SchemaSize,
    ServerFacts,
)
from replication.statements import LIVE, SHADOW, SYSTEM_SCHEMAS, text
from topology.errors import AccessDenied, ServerError, StatementRefused
from topology.replicastatus import WORKER_ERRORS
from topology.servers import Vendor
from topology.sqlclient import Row, SqlClient

# ER_BAD_DB_ERROR, ER_NO_SUCH_TABLE
_NO_MARKER = frozenset({1049, 1146})
_PARSE_ERROR = 1064
_NOT_SYSTEM = ", ".join(text(schema) for schema in sorted(SYSTEM_SCHEMAS))


async def survey(client: SqlClient, *, lock: str = "") -> ServerFacts:
    """Look at one server.

    `lock` is a named lock that is held on the primary: whoever sees it is that same server. Reads only; needs SELECT
    on all schemas, PROCESS and the right to see replica status.
    """
    variables = await _variables(client)
    vendor = Vendor.MARIADB if "mariadb" in variables["version"].lower() else Vendor.MYSQL
    return ServerFacts(
        server=client.server,
        vendor=vendor,
        version=_version(variables["version"]),
        identity=identity_of(vendor, variables),
        server_id=int(variables["server_id"]),
        gtid=await current_gtid(client, vendor),
        purged=await _purged(client, vendor, variables),
        variables=variables,
        schemas=await _schemas(client, vendor),
        channels=await channels(client, vendor),
        followers=await _followers(client),
        marker=await read_marker(client),
        shadow=await read_marker(client, SHADOW),
        is_primary=bool(lock) and await client.value(f"SELECT IS_USED_LOCK({text(lock)})") is not None,
        has_tls=bool((await client.one("SHOW GLOBAL STATUS LIKE 'Ssl_server_not_after'")).get("Value")),
    )


async def current_gtid(client: SqlClient, vendor: Vendor) -> str:
    """Everything that this server has executed, whether from clients or from its primary."""
    return await _gtid(client, "gtid_current_pos" if vendor is Vendor.MARIADB else "gtid_executed")


async def logged_gtid(client: SqlClient, vendor: Vendor) -> str:
    """Everything in a primary's binary log so far, which is what its replicas have to reach."""
    return await _gtid(client, "gtid_binlog_pos" if vendor is Vendor.MARIADB else "gtid_executed")


async def applied_gtid(client: SqlClient, vendor: Vendor) -> str:
    """What a replica has applied so far."""
    return await _gtid(client, "gtid_slave_pos" if vendor is Vendor.MARIADB else "gtid_executed")


async def _purged(client: SqlClient, vendor: Vendor, variables: Mapping[str, str]) -> str:
    """The position before the oldest binary log that is left; empty if there is none or it may not be seen."""
    if vendor is Vendor.MYSQL:
        return "".join(variables.get("gtid_purged", "").split())
    if variables.get("log_bin") != "ON":
        return ""
    try:
        oldest = str(await client.value("SHOW BINARY LOGS") or "")
        events = await client.query(f"SHOW BINLOG EVENTS IN {text(oldest)} LIMIT 3") if oldest else []
    except AccessDenied:
        return ""
    lists = (str(event["Info"]) for event in events if event["Event_type"] == "Gtid_list")
    return next(lists, "").strip("[]")


async def _gtid(client: SqlClient, variable: str) -> str:
    # MySQL breaks long sets into lines.
    return "".join(str(await client.value(f"SELECT @@GLOBAL.{variable}") or "").split())


async def channels(client: SqlClient, vendor: Vendor) -> tuple[Channel, ...]:
    """The sources that this server is set to follow; empty when it is no replica."""
    return (await channels_with_lag(client, vendor))[0]


async def channels_with_lag(client: SqlClient, vendor: Vendor) -> tuple[tuple[Channel, ...], float | None]:
    """The sources, and how many seconds the server itself believes to be behind: the most of all of them.

    None when it does not know, or follows nobody.
    """
    rows = await _status_rows(client, vendor)
    found = tuple(_channel(row) for row in rows)
    behind = [row.get("Seconds_Behind_Source", row.get("Seconds_Behind_Master")) for row in rows]
    known = [float(seconds) for seconds in behind if seconds is not None]
    if vendor is Vendor.MYSQL and any(channel.sql_errno for channel in found):
        errors = await client.query(WORKER_ERRORS)
        found = tuple(_with_worker_error(channel, errors) for channel in found)
    return found, max(known) if known and len(known) == len(rows) else None


async def _status_rows(client: SqlClient, vendor: Vendor) -> list[Row]:
    if vendor is Vendor.MARIADB:
        return await client.query("SHOW ALL SLAVES STATUS")
    try:
        return await client.query("SHOW REPLICA STATUS")
    except StatementRefused as error:
        if error.errno != _PARSE_ERROR:
            raise
        return await client.query("SHOW SLAVE STATUS")


def _channel(row: Row) -> Channel:
    # MySQL 8.0.22 renamed Master_* to Source_* and Slave_* to Replica_*; MariaDB keeps the old names.
    old = {key.replace("Source_", "Master_").replace("Replica_", "Slave_"): value for key, value in row.items()}
    return Channel(
        name=str(old.get("Connection_name", old.get("Channel_Name")) or ""),
        host=str(old["Master_Host"]),
        port=int(old["Master_Port"]),
        source_id=str(old.get("Master_UUID") or old.get("Master_Server_Id") or ""),
        io_running=str(old["Slave_IO_Running"]),
        sql_running=str(old["Slave_SQL_Running"]),
        io_errno=int(old["Last_IO_Errno"]),
        io_error=str(old["Last_IO_Error"]),
        sql_errno=int(old["Last_SQL_Errno"]),
        sql_error=str(old["Last_SQL_Error"]),
        relay_log=str(old["Relay_Log_File"]),
        relay_log_bytes=int(old["Relay_Log_Space"]),
    )


def _with_worker_error(channel: Channel, errors: Sequence[Row]) -> Channel:
    of_it = (row for row in errors if row["channel"] == channel.name)
    if row := next(of_it, None):
        return replace(channel, sql_errno=int(row["number"]), sql_error=str(row["message"]))
    return channel


async def read_marker(client: SqlClient, about: int = LIVE) -> Marker | None:
    """The marker that an earlier run left on this server."""
    try:
        row = await client.one(statements.read_marker(about))
    except StatementRefused as error:
        if error.errno in _NO_MARKER:
            return None
        raise
    return Marker(str(row["primary_identity"]), Phase(row["phase"]), str(row["gtid"])) if row else None


async def _variables(client: SqlClient) -> dict[str, str]:
    return {str(row["Variable_name"]): str(row["Value"]) for row in await client.query("SHOW GLOBAL VARIABLES")}


def _version(full: str) -> tuple[int, int, int]:
    # Older MariaDB puts 5.5.5- in front for the sake of old replicas.
    match = re.match(r"(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)", full)
    if match is None:
        raise ServerError(f"cannot read the version {full!r}", "use MariaDB 10.6 or later, or MySQL 8.0 or later")
    return int(match[1]), int(match[2]), int(match[3])


def identity_of(vendor: Vendor, variables: Mapping[str, Any]) -> str:
    """What tells one server from all others, whatever its address, out of its system variables."""
    if vendor is Vendor.MYSQL:
        return str(variables["server_uuid"])
    return f"{variables['server_id']}@{variables['hostname']}:{variables['datadir']}"


async def _schemas(client: SqlClient, vendor: Vendor) -> tuple[SchemaSize, ...]:
    if vendor is Vendor.MYSQL:
        # MySQL 8 otherwise shows sizes that may be a day old.
        await client.execute("SET SESSION information_schema_stats_expiry = 0")
    rows = await client.query(
        "SELECT s.SCHEMA_NAME AS name, COUNT(t.TABLE_NAME) AS tables, COALESCE(SUM(t.TABLE_ROWS), 0) AS row_count, "
        "COALESCE(SUM(t.DATA_LENGTH), 0) AS size FROM information_schema.SCHEMATA s "
        "LEFT JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = s.SCHEMA_NAME "
        f"AND NOT (t.TABLE_SCHEMA = {text(MARKER_SCHEMA)} "
        f"AND t.TABLE_NAME IN ({text(MARKER_TABLE)}, {text(HEARTBEAT_TABLE)})) "
        f"WHERE s.SCHEMA_NAME NOT IN ({_NOT_SYSTEM}) AND s.SCHEMA_NAME NOT LIKE '#mysql50#%' "
        f"AND LEFT(s.SCHEMA_NAME, {len(SHADOW_PREFIX)}) <> {text(SHADOW_PREFIX)} "
        "GROUP BY s.SCHEMA_NAME ORDER BY s.SCHEMA_NAME"
    )
    return tuple(
        SchemaSize(str(row["name"]), int(row["tables"]), int(row["row_count"]), int(row["size"])) for row in rows
    )


async def _followers(client: SqlClient) -> tuple[str, ...]:
    rows = await client.query("SHOW PROCESSLIST")
    return tuple(str(row["Host"]) for row in rows if str(row["Command"]).startswith("Binlog Dump"))
