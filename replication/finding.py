"""All servers from the address of one side: a primary knows who follows it, and a replica whom it follows."""

from collections.abc import Sequence
from dataclasses import replace

from replication.interlocks import LOOPBACK
from replication.survey import channels
from topology.discovery import replicas_of
from topology.environment import Deployment
from topology.errors import ConfigError
from topology.probe import vendor_of
from topology.servers import Role, Server
from topology.sqlclient import connected

_SECONDS = 5.0


async def with_replicas(primary: Server) -> Deployment:
    """`primary` with the servers that follow it now, called dbread1, dbread2 and so on; they accept its login.

    Raises ConfigError if there is none, and ServerError when it cannot be asked.
    """
    found = await replicas_of(primary, _SECONDS)
    if not found:
        raise ConfigError(
            f"no replica follows {primary} now, or none lets the primary's login in", "name them: --reader URL"
        )
    return Deployment(primary, tuple(server.named(f"dbread{number}") for number, server in enumerate(found, 1)))


async def with_primary(replicas: Sequence[Server]) -> Deployment:
    """`replicas` with the server that the first of them follows, which accepts that one's login.

    Raises ConfigError if it follows nobody, and ServerError when it cannot be asked.
    """
    first = replicas[0]
    async with connected(first) as client:
        followed = await channels(client, vendor_of(client.greeted_version))
    if len(followed) != 1:
        raise ConfigError(f"{first} follows {len(followed) or 'nobody'}", "name its primary: --writer URL")
    # What is the replica's own machine to it is not ours.
    host = first.host if followed[0].host in LOOPBACK else followed[0].host
    primary = replace(first, name="dbwrite", host=host, port=followed[0].port, role=Role.PRIMARY)
    return Deployment(primary, tuple(replicas))
