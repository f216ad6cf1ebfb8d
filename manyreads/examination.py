"""Asks each server of a deployment all that `manyreads.diagnosis` judges by. Both vendors."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from topology.definitions import PRIVILEGE
from topology.errors import AccessDenied, ServerError
from topology.probe import Prober, vendor_of
from topology.servers import Observation, Server, Vendor
from topology.sqlclient import SqlClient, connected

_VARIABLES: Final = (
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_id', 'server_uuid', 'read_only', 'log_bin', 'gtid_mode', "
    "'gtid_strict_mode', 'max_connections', 'max_user_connections', 'max_allowed_packet', 'sql_mode', "
    "'character_set_server', 'collation_server', 'lower_case_table_names')"
)
_TLS: Final = "SHOW SESSION STATUS WHERE Variable_name IN ('Ssl_cipher', 'Ssl_server_not_after')"
_ACCOUNT_TABLE: Final = {Vendor.MARIADB: "mysql.global_priv", Vendor.MYSQL: "mysql.user"}
_PLUGINS: Final = {
    # An account can have several methods, of which one is enough.
    Vendor.MARIADB: "SELECT User AS user, Host AS host, JSON_VALUE(Priv, '$.plugin') AS plugin FROM mysql.global_priv "
    "WHERE JSON_EXISTS(Priv, '$.auth_or') = 0 AND COALESCE(JSON_VALUE(Priv, '$.is_role'), 'false') <> 'true' "
    "AND COALESCE(JSON_VALUE(Priv, '$.account_locked'), 'false') <> 'true'",
    Vendor.MYSQL: "SELECT user, host, plugin FROM mysql.user WHERE account_locked = 'N'",
}
_GTID_REPLICATION: Final = {
    Vendor.MARIADB: ("SHOW SLAVE STATUS", "Using_Gtid"),
    Vendor.MYSQL: ("SHOW REPLICA STATUS", "Auto_Position"),
}


@dataclass(frozen=True, slots=True)
class Account:
    """One that can log in, and its method of authentication."""

    user: str
    host: str
    plugin: str


@dataclass(frozen=True, slots=True)
class Examined:
    """What one server answered. If it could not be asked, `error` and `remedy` say why, and the rest does not hold.

    `variables` are global ones under their names in lower case. `ahead` is by how many seconds its clock is before this
    machine's, give or take `doubt`. `account` is the one that the login was taken for. `cipher` is empty without TLS,
    and `certificate_days` says how long the certificate is still good, None if that is not told. `sees_accounts`,
    `sees_triggers` and `sees_replication` tell what the service account may see. `by_gtid` tells whether a replica
    follows by GTID, None for one that follows nobody.
    """

    server: Server
    error: str = ""
    remedy: str = ""
    vendor: Vendor = Vendor.MYSQL
    version: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    ahead: float = 0.0
    doubt: float = 0.0
    account: str = ""
    cipher: str = ""
    certificate_days: float | None = None
    sees_accounts: bool = True
    sees_triggers: bool = True
    sees_replication: bool = True
    accounts: tuple[Account, ...] = ()
    observation: Observation | None = None
    by_gtid: bool | None = None


async def examined(servers: Iterable[Server], within: float) -> list[Examined]:
    """All of them, the primary first, each for as long as its questions take up to `within` seconds."""
    primary, *replicas = servers
    # The primary comes last: what a replica has by then, it has, too, unless it was made there.
    found = await asyncio.gather(*(_examined(server, within) for server in replicas))
    return [await _examined(primary, within), *found]


async def _examined(server: Server, within: float) -> Examined:
    try:
        async with connected(server, within=within) as client:
            return await _asked(client, server, within)
    except ServerError as error:
        return Examined(server, error=error.problem, remedy=error.remedy)


async def _asked(client: SqlClient, server: Server, within: float) -> Examined:
    vendor = vendor_of(client.greeted_version)
    rows = await client.query(_VARIABLES)
    ahead, doubt = await _clock(client)
    with contextlib.closing(Prober(server, within)) as prober:
        observation = await prober.observe()
    tls = {str(row["Variable_name"]): str(row["Value"]) for row in await client.query(_TLS)}
    return Examined(
        server,
        vendor=vendor,
        version=client.greeted_version,
        variables={str(row["Variable_name"]).lower(): str(row["Value"]) for row in rows},
        ahead=ahead,
        doubt=doubt,
        account=str(await client.value("SELECT CURRENT_USER()")),
        cipher=tls.get("Ssl_cipher", ""),
        certificate_days=days_until(tls.get("Ssl_server_not_after", ""), time.time()),
        sees_accounts=await _may(client, f"SELECT 1 FROM {_ACCOUNT_TABLE[vendor]} LIMIT 1"),
        sees_triggers=bool(await client.value(PRIVILEGE)),
        accounts=await _accounts(client, vendor),
        observation=observation,
        sees_replication=await _sees_replication(client, vendor),
        by_gtid=await _by_gtid(client, vendor),
    )


def days_until(date: str, now: float) -> float | None:
    """How far a date of a certificate is off, which servers write as OpenSSL does; None if it is none."""
    try:
        return (ssl.cert_time_to_seconds(date) - now) / 86400
    except ValueError:
        return None


async def _clock(client: SqlClient) -> tuple[float, float]:
    before = time.time()
    theirs = float(await client.value("SELECT UNIX_TIMESTAMP(NOW(6))"))
    after = time.time()
    return theirs - (before + after) / 2, (after - before) / 2


async def _may(client: SqlClient, sql: str) -> bool:
    try:
        await client.query(sql)
    except ServerError:
        return False
    return True


async def _accounts(client: SqlClient, vendor: Vendor) -> tuple[Account, ...]:
    try:
        rows = await client.query(_PLUGINS[vendor])
    except ServerError:
        return ()
    return tuple(Account(str(row["user"]), str(row["host"]), str(row["plugin"] or "")) for row in rows)


async def _sees_replication(client: SqlClient, vendor: Vendor) -> bool:
    try:
        await client.query(_GTID_REPLICATION[vendor][0])
    except AccessDenied:
        return False
    except ServerError:
        # An old server has another name for the statement.
        return True
    return True


async def _by_gtid(client: SqlClient, vendor: Vendor) -> bool | None:
    statement, column = _GTID_REPLICATION[vendor]
    try:
        row = await client.one(statement)
    except ServerError:
        return None
    return str(row[column]) not in ("No", "0") if column in row else None
