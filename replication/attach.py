"""Letting a replica follow its primary, and waiting until it has caught up."""

import asyncio

from replication.errors import NotReady, ReplicationBroken
from replication.facts import Channel
from replication.survey import applied_gtid, channels
from topology.gtid import covers
from topology.servers import Server, Vendor
from topology.sqlclient import connected

_PAUSE = 0.2
# Access denied, account gone or locked, TLS refused, secure connection wanted: time does not heal these.
_HOPELESS = frozenset({1045, 1130, 1698, 3118, 2026, 2061, 1236, 1593, 13114, 13117})


async def wait_until_caught_up(server: Server, vendor: Vendor, target: str, within: float) -> None:
    """Wait until the replica has applied `target` and both its threads run.

    Raises ReplicationBroken as soon as an error shows that will not pass, NotReady after `within` seconds.
    """
    deadline = asyncio.get_running_loop().time() + within
    async with connected(server) as client:
        while True:
            channel = next(iter(await channels(client, vendor)), None)
            if channel is None:
                raise ReplicationBroken(f"{server} forgot its source", "run this again")
            _raise_if_hopeless(server, channel)
            if channel.running and covers(vendor, await applied_gtid(client, vendor), target):
                return
            if asyncio.get_running_loop().time() >= deadline:
                raise _late(server, channel)
            await asyncio.sleep(_PAUSE)


def _raise_if_hopeless(server: Server, channel: Channel) -> None:
    stopped = channel.sql_errno or (channel.io_errno and channel.io_running == "No")
    if stopped or channel.io_errno in _HOPELESS:
        raise ReplicationBroken(
            f"replication on {server} stopped with {channel.error}",
            f"mend the cause and run this again, or copy it anew with --force {server.name}",
        )


def _late(server: Server, channel: Channel) -> NotReady:
    if channel.error:
        return NotReady(
            f"{server} cannot follow yet: {channel.error}",
            f"check that it reaches {channel.address}, else name the primary's address as it sees it with "
            "--primary-address HOST:PORT",
        )
    return NotReady(f"{server} has not caught up in time", "it goes on by itself; run this again to see how far it is")
