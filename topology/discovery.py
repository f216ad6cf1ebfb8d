"""Finding the replicas of a primary by asking it. Both vendors."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace

from topology.addresses import is_loopback
from topology.errors import ServerError, StatementRefused
from topology.probe import Prober
from topology.servers import Role, Server
from topology.sqlclient import Row, SqlClient, connected

log = logging.getLogger(__name__)

_NAME = "dbread1"
_ER_PARSE_ERROR = 1064
# MySQL 8.0.22 has renamed it.
_REPLICAS = ("SHOW REPLICAS", "SHOW SLAVE HOSTS")
_CONNECTIONS = "SHOW PROCESSLIST"


async def replicas_of(primary: Server, within: float) -> tuple[Server, ...]:
    """The servers that follow `primary`, by its own account; each was asked whether it does.

    A replica tells its host only if its report_host is set; else the one that it is connected from is taken. They are
    logged in at as the primary is, and all have the same name. Each question may take `within` seconds. Raises
    ServerError when the primary cannot be asked; needs REPLICATION SLAVE (MySQL) or REPLICATION MASTER ADMIN (MariaDB)
    there, and PROCESS.
    """
    async with connected(primary, within=within) as client:
        registered = await _registered(client)
        connections = await client.query(_CONNECTIONS)
    found = (
        replace(primary, name=_NAME, host=host, port=port, role=Role.REPLICA)
        for host, port in candidates(registered, connections, primary.host)
    )
    asked = Prober(primary, within)
    with contextlib.closing(asked):
        identity = (await asked.observe()).identity
    servers = [server for server in found if server.address != primary.address]
    follow = await asyncio.gather(*(_follows(server, identity, within) for server in servers))
    return tuple(server for server, follows in zip(servers, follow, strict=True) if follows)


async def _registered(client: SqlClient) -> list[Row]:
    try:
        return await client.query(_REPLICAS[0])
    except StatementRefused as error:
        if error.errno != _ER_PARSE_ERROR:
            raise
    return await client.query(_REPLICAS[1])


def candidates(registered: Iterable[Row], connections: Iterable[Row], primary: str) -> list[tuple[str, int]]:
    """Hosts and ports where replicas may be, by the rows of SHOW REPLICAS and of SHOW PROCESSLIST.

    What is on the machine of the primary is at its host, `primary`.
    """
    dumps = [str(row["Host"]) for row in connections if str(row["Command"]).startswith("Binlog Dump")]
    hosts = [(host.rpartition(":")[0] or host).strip("[]") for host in dumps]
    return list(dict.fromkeys(_candidates(registered, [primary if is_loopback(host) else host for host in hosts])))


def _candidates(registered: Iterable[Row], hosts: list[str]) -> Iterator[tuple[str, int]]:
    for row in registered:
        own = str(row["Host"] or "")
        yield from ((host, int(row["Port"])) for host in ([own] if own else hosts))


async def _follows(server: Server, identity: str, within: float) -> bool:
    prober = Prober(server, within)
    try:
        with contextlib.closing(prober):
            async with asyncio.timeout(within):
                seen = await prober.observe()
    except (ServerError, TimeoutError) as error:
        log.info("%s may be a replica, but cannot be asked: %s", server.address, error)
        return False
    if seen.error:
        log.info("%s may be a replica, but cannot be asked: %s", server.address, seen.error)
    return seen.replica is not None and seen.replica.source == identity
