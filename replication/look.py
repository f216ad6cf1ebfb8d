"""Looking at a primary and its replicas again and again, over connections that are kept. Reads only."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from replication.facts import Channel
from replication.heartbeat import CLOCK, last_beat
from replication.seen import PrimarySeen, ReplicaSeen, Seen
from replication.statements import SYSTEM_SCHEMAS, text
from replication.survey import channels, channels_with_lag, current_gtid, identity_of, logged_gtid, read_marker
from replication.waiting import PASSING, other_logins
from topology.environment import Deployment
from topology.errors import AccessDenied, ServerError, StatementRefused
from topology.servers import Server, Vendor
from topology.sqlclient import SqlClient, connect

SETUP_LOCK = "manyreads.startsync"
_ATTRIBUTES = {
    Vendor.MARIADB: "SELECT @@server_id AS server_id, @@hostname AS hostname, @@datadir AS datadir",
    Vendor.MYSQL: "SELECT @@server_id AS server_id, @@server_uuid AS server_uuid",
}
_HAS_DATA = (
    "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN "
    f"({', '.join(text(schema) for schema in sorted(SYSTEM_SCHEMAS | {'manyreads'}))}) LIMIT 1"
)

T = TypeVar("T")


class Looker:
    """Keeps one connection to each server of a deployment; after an error the next look connects anew.

    `within` bounds, in seconds, what one server may take at one look; `primary_address` is where replicas reach the
    primary, if that is not where we do. Not for two tasks at once.
    """

    def __init__(
        self, deployment: Deployment, within: float = 2.0, primary_address: tuple[str, int] | None = None
    ) -> None:
        self._deployment = deployment
        self._seen_at = primary_address or (deployment.primary.host, deployment.primary.port)
        self._links = {server.name: Link(server, other_logins(server, deployment)) for server in deployment.servers}
        self._within = within

    async def look(self) -> Seen:
        """The primary, then all replicas at once, then the primary's position again."""
        primary = await self._primary()
        replicas = await asyncio.gather(*(self._replica(server, primary) for server in self._deployment.replicas))
        if not primary.error:
            primary = await self._primary_again(primary)
        return Seen(primary, tuple(replicas))

    def server(self, name: str) -> Server:
        """The server with the credentials that it accepted last."""
        return self._links[name].server

    def primary_link(self) -> "Link":
        """The connection to the primary, which may hold locks."""
        return self._links[self._deployment.primary.name]

    def close(self) -> None:
        """Drop all connections."""
        for link in self._links.values():
            link.close()

    async def _primary(self) -> PrimarySeen:
        server = self._deployment.primary
        try:
            return replace(await self._ask(server, _look_at_primary), seen_at=self._seen_at)
        except ServerError as error:
            return PrimarySeen(server, error=error.problem)

    async def _primary_again(self, before: PrimarySeen) -> PrimarySeen:
        async def position(client: SqlClient) -> str:
            # Also what it got as a replica: right after a change of the primary MariaDB's own log may be empty.
            return await current_gtid(client, before.vendor)

        try:
            return replace(before, gtid=await self._ask(before.server, position))
        except ServerError as error:
            return PrimarySeen(before.server, error=error.problem)

    async def _replica(self, server: Server, primary: PrimarySeen) -> ReplicaSeen:
        async def question(client: SqlClient) -> ReplicaSeen:
            return await _look_at_replica(client, beats=primary.beat is not None)

        try:
            return await self._ask(server, question)
        except ServerError as error:
            passing = isinstance(error, StatementRefused) and error.errno in PASSING
            return ReplicaSeen(server, error.problem, _remedy(error), passing)

    async def _ask(self, server: Server, question: Callable[[SqlClient], Awaitable[T]]) -> T:
        return await self._links[server.name].ask(question, self._within)


def _remedy(error: ServerError) -> str:
    return "give the credentials that are valid there now" if isinstance(error, AccessDenied) else error.remedy


class Link:
    """A connection to one server that is opened when it is needed, and anew after each error.

    `others` are the same server with the logins that are tried when its own is refused.
    """

    def __init__(self, server: Server, others: tuple[Server, ...]) -> None:
        self.server = server
        self._others = others
        self._client: SqlClient | None = None

    async def ask(self, question: Callable[[SqlClient], Awaitable[T]], within: float) -> T:
        """The answer to `question`, in `within` seconds. Raises ServerError, also when that is over."""
        try:
            async with asyncio.timeout(within):
                return await question(await self._connected(within))
        except TimeoutError:
            self.close()
            raise ServerError(f"{self.server} did not answer within {within:g} s") from None
        except BaseException:
            # Also when cancelled: a reply that is still under way must not be taken for the next one's.
            self.close()
            raise

    def close(self) -> None:
        """Drop the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def _connected(self, within: float) -> SqlClient:
        if self._client is None:
            try:
                self._client = await connect(self.server, within=within)
            except AccessDenied as denied:
                self._client = await self._with_another_login(denied, within)
        return self._client

    async def _with_another_login(self, denied: AccessDenied, within: float) -> SqlClient:
        for login in self._others:
            with suppress(AccessDenied):
                client = await connect(login, within=within)
                self.server = login
                return client
        raise denied


async def _attributes(client: SqlClient) -> tuple[Vendor, dict[str, Any]]:
    vendor = Vendor.MARIADB if "mariadb" in client.greeted_version.lower() else Vendor.MYSQL
    return vendor, await client.one(_ATTRIBUTES[vendor])


def _source_id(vendor: Vendor, row: Mapping[str, Any]) -> str:
    return str(row["server_uuid" if vendor is Vendor.MYSQL else "server_id"])


async def _channels_if_allowed(client: SqlClient, vendor: Vendor) -> tuple[Channel, ...]:
    try:
        return await channels(client, vendor)
    except AccessDenied:
        return ()


async def _look_at_primary(client: SqlClient) -> PrimarySeen:
    vendor, row = await _attributes(client)
    return PrimarySeen(
        client.server,
        vendor=vendor,
        version=client.greeted_version.removeprefix("5.5.5-"),
        identity=identity_of(vendor, row),
        source_id=_source_id(vendor, row),
        gtid_before=await logged_gtid(client, vendor),
        channels=await _channels_if_allowed(client, vendor),
        setting_up=await client.value(f"SELECT IS_USED_LOCK({text(SETUP_LOCK)})") is not None,
        clock=float(await client.value(CLOCK)),
        beat=await last_beat(client),
    )


async def _look_at_replica(client: SqlClient, *, beats: bool) -> ReplicaSeen:
    vendor, row = await _attributes(client)
    # The position comes first: what it lacks then of the primary's earlier position is not there.
    gtid = await current_gtid(client, vendor)
    channels, behind = await channels_with_lag(client, vendor)
    return ReplicaSeen(
        client.server,
        vendor=vendor,
        version=client.greeted_version.removeprefix("5.5.5-"),
        server_id=int(row["server_id"]),
        source_id=_source_id(vendor, row),
        gtid=gtid,
        channels=channels,
        marker=await read_marker(client),
        has_data=not channels and await client.value(_HAS_DATA) is not None,
        seconds_behind=behind,
        beat=await last_beat(client) if beats else None,
    )
