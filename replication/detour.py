"""A replica that lacks what its primary has purged gets it from another replica's binary log, by GTID."""

from dataclasses import replace

from replication.attach import wait_until_caught_up
from replication.copy.replica import finish
from replication.facts import Marker, Phase, ServerFacts
from replication.perform import perform
from replication.statements import Source, dialect
from replication.together import uninterrupted
from topology.sqlclient import connected


def source_at(lender: ServerFacts, source: Source) -> Source:
    """How a replica follows `lender`: with the account that it follows its primary with."""
    return replace(source, host=lender.server.host, port=lender.server.port, tls=lender.has_tls)


async def go_around(target: ServerFacts, lender: ServerFacts, source: Source, primary: str, within: float) -> None:
    """Follow `lender` until there is all that it had when it was looked at, then `source`, the primary, again.

    That comes in any case; a run that is killed before leaves a marker that says so. `primary` is its identity. Raises
    ReplicationBroken and NotReady as `wait_until_caught_up` does.
    """
    before = target.marker or Marker(primary, Phase.DONE, target.applied)
    await finish(target.server, target.vendor, Marker(primary, Phase.DETOUR, before.gtid))
    try:
        await _follow(target, source_at(lender, source))
        await wait_until_caught_up(target.server, target.vendor, lender.applied, within)
    finally:
        await uninterrupted(_go_back(target, source, before))


async def _go_back(target: ServerFacts, source: Source, before: Marker) -> None:
    await _follow(target, source)
    await finish(target.server, target.vendor, before)


async def _follow(target: ServerFacts, source: Source) -> None:
    async with connected(target.server) as client:
        await perform(client, dialect(target.vendor).repoint(source))
