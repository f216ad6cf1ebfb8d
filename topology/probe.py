"""Asking one server how it is, and up to where it has the primary's writes. Both vendors."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any

from topology import binlogs, membership
from topology.definitions import PRIVILEGE, QUESTIONS, ordinary_tables
from topology.errors import AccessDenied, ServerError, StatementRefused
from topology.freshness import Table
from topology.gtid import covers
from topology.replicastatus import WORKER_ERRORS, of_source, replica_status
from topology.servers import Member, Observation, ReplicaStatus, Role, Server, Vendor
from topology.sqlclient import SqlClient, connect

_OF_BOTH = (
    "@@global.read_only AS read_only, @@global.sql_mode AS sql_mode, @@global.max_connections AS max_connections, "
    "@@global.wait_timeout AS wait_timeout, @@global.init_connect AS init_connect"
)
# Without GTIDs only whose the position is; the rest is in the binary log's status.
_EXECUTED = f"IF(@@global.gtid_mode = 'ON', @@global.gtid_executed, CONCAT(@@server_uuid, '{binlogs.MARK}'))"
_LOGGED = "IF(@@log_bin, @@global.gtid_binlog_pos, '')"
_FACTS = {
    Vendor.MARIADB: f"SELECT @@server_id AS identity, @@global.tx_isolation AS isolation, {_OF_BOTH}, "
    f"{_LOGGED} AS logged, @@global.gtid_slave_pos AS applied, @@global.gtid_binlog_state AS history",
    Vendor.MYSQL: f"SELECT @@server_uuid AS identity, @@global.transaction_isolation AS isolation, {_OF_BOTH}, "
    f"{_EXECUTED} AS logged",
}
_REPLICA_STATUS = {Vendor.MARIADB: ("SHOW SLAVE STATUS",), Vendor.MYSQL: ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS")}
# Empty when the server keeps no binary log: then nothing can be said about positions.
_POSITION = {
    Vendor.MARIADB: f"SELECT {_LOGGED}",
    Vendor.MYSQL: f"SELECT {_EXECUTED}",
}
_WAIT = {
    Vendor.MARIADB: "SELECT MASTER_GTID_WAIT({position}, {seconds})",
    Vendor.MYSQL: "SELECT WAIT_FOR_EXECUTED_GTID_SET({position}, {seconds})",
}
# Seconds between two looks at how far a server is, where nothing on it can be waited for.
_LOOK_PAUSE = 0.005
_ER_PARSE_ERROR = 1064
# An open connection does not tell that its address leads to another server by now.
_LONGEST_CONNECTION = 5.0


class Prober:
    """Keeps one connection to one server and asks over it; after any error the next question connects anew.

    Not for two tasks at once.
    """

    def __init__(self, server: Server, within: float) -> None:
        self.server = server
        self._within = within
        self._client: SqlClient | None = None
        self._since = 0.0
        self._vendor = Vendor.MYSQL
        self._grouped = False

    async def observe(self) -> Observation:
        """One probe; an error becomes part of the observation."""
        if monotonic() - self._since > _LONGEST_CONNECTION:
            self.close()
        try:
            client = await self._connected()
            return await self._ask(client)
        except ServerError as error:
            self.close()
            return Observation(error=error.problem, denied=isinstance(error, AccessDenied))

    async def position(self) -> str:
        """The position that covers all writes the server has acknowledged; empty when it keeps none."""
        client = await self._connected()
        if self._is_galera:
            try:
                return membership.galera_position(await _galera_status(client))
            except BaseException:
                self.close()
                raise
        return await self._whole(client, _in_one_line(await self._value(_POSITION)))

    async def wait_for(self, position: str, seconds: float) -> bool:
        """Whether the server has applied `position`, waiting for it up to `seconds`."""
        client = await self._connected()
        if self._is_galera or binlogs.MARK in position:
            return await self._look_for(position, seconds)
        sql = _WAIT[self._vendor].format(position=client.literal(position), seconds=seconds)
        return await self._value({self._vendor: sql}) == 0

    async def _look_for(self, position: str, seconds: float) -> bool:
        """Looks again and again.

        What waits on a node of a Galera cluster counts in GTIDs that need not be those of the cluster; what waits for a
        place in a log does not tell whose log that is.
        """
        until = monotonic() + seconds
        while not covers(self._vendor, await self._reached(), position):
            if monotonic() >= until:
                return False
            await asyncio.sleep(_LOOK_PAUSE)
        return True

    async def _reached(self) -> str:
        if self._is_galera:
            return await self.position()
        client = await self._connected()
        try:
            status = await self._replica_status(client)
        except BaseException:
            self.close()
            raise
        # One that does not get there may be on the way to another server, of which it does not know where it is.
        return status.executed if status is not None and status.io_running else ""

    async def _whole(self, client: SqlClient, position: str) -> str:
        """A position as it is told, and without GTIDs the place in the log, if the account may see that."""
        if not position.endswith(binlogs.MARK):
            return position
        try:
            row = next(iter(await _in_either_word(client, binlogs.STATUS)), {})
        except AccessDenied:
            return ""
        except BaseException:
            self.close()
            raise
        return binlogs.logged(position.removesuffix(binlogs.MARK), row)

    @property
    def _is_galera(self) -> bool:
        return self._grouped and self._vendor is Vendor.MARIADB

    async def ordinary_tables(self) -> frozenset[Table] | None:
        """Those of the server; None when they are too many, or the account may not see all that matters."""
        client = await self._connected()
        try:
            if not await client.value(PRIVILEGE):
                return None
            tables, *exceptions = [[tuple(row.values()) for row in await client.query(sql)] for sql in QUESTIONS]
        except BaseException:
            self.close()
            raise
        return ordinary_tables(
            ((str(of), str(name), bool(alone)) for of, name, alone in tables),
            ((str(of), str(name)) for rows in exceptions for of, name in rows),
        )

    def close(self) -> None:
        """Drop the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def _connected(self) -> SqlClient:
        if self._client is None:
            self._client, self._since = await connect(self.server, within=self._within), monotonic()
            self._vendor = vendor_of(self._client.greeted_version)
            self._grouped = await self._is_grouped(self._client)
        return self._client

    async def _is_grouped(self, client: SqlClient) -> bool:
        """Whether it is set up as a member; asked once for a connection, which is not kept for long."""
        if self._vendor is Vendor.MARIADB:
            on = (await client.one(membership.IS_GALERA)).get("Value") == "ON"
            if on:
                # Else one that is cut off answers no SELECT.
                await client.query("SET SESSION wsrep_dirty_reads = ON")
            return on
        return bool(await client.value(membership.IS_GROUP_REPLICATION))

    async def _value(self, statements: dict[Vendor, str]) -> object:
        client = await self._connected()
        try:
            return await client.value(statements[self._vendor])
        except BaseException:
            # Also when cancelled: a reply that is still under way must not be taken for the next one's.
            self.close()
            raise

    async def _ask(self, client: SqlClient) -> Observation:
        status = await _galera_status(client) if self._is_galera else {}
        member = membership.galera_member(status) if status else await self._group_member(client)
        facts = await client.one(_FACTS[self._vendor])
        replica = await self._replica_status(client)
        if status:
            # Its nodes count in GTIDs of their own, unless they were set up not to.
            position = membership.galera_position(status)
            facts |= {"logged": position, "applied": position, "history": position}
        logged = _in_one_line(facts["logged"])
        applied = "" if logged.endswith(binlogs.MARK) else logged
        return Observation(
            vendor=self._vendor,
            version=client.greeted_version,
            collation_id=client.greeted_collation,
            sql_mode=str(facts["sql_mode"]),
            identity=str(facts["identity"]),
            read_only=bool(facts["read_only"]),
            replica=replica,
            member=member,
            max_connections=int(facts["max_connections"]),
            wait_timeout=float(facts["wait_timeout"]),
            init_connect=bool(facts["init_connect"]),
            isolation=str(facts["isolation"]).replace("-", " "),
            logged=await self._whole(client, logged),
            applied=_in_one_line(facts.get("applied", applied)),
            history=_in_one_line(facts.get("history", applied)),
        )

    async def _group_member(self, client: SqlClient) -> Member | None:
        """None also if the account may not see it."""
        if not self._grouped:
            return None
        try:
            return membership.group_member(await client.query(membership.GROUP_MEMBERS))
        except AccessDenied:
            return None

    async def _replica_status(self, client: SqlClient) -> ReplicaStatus | None:
        try:
            row = of_source(await _in_either_word(client, _REPLICA_STATUS[self._vendor]))
        except AccessDenied:
            if self.server.role is not Role.PRIMARY:
                raise
            # The account of a primary needed this privilege for nothing so far.
            return None
        return replica_status(row, self._vendor, await self._worker_error(client, row))

    async def _worker_error(self, client: SqlClient, status: Mapping[str, Any]) -> str:
        """What stopped MySQL's applier; empty if nothing did, or if the account may not see it."""
        if self._vendor is Vendor.MARIADB or not status.get("Last_SQL_Errno"):
            return ""
        with suppress(StatementRefused, AccessDenied):
            return str((await client.one(WORKER_ERRORS)).get("message", ""))
        return ""


class Probers:
    """Keeps a prober for whichever server is to be asked now, beginning with `server`."""

    def __init__(self, server: Server, within: float) -> None:
        self._within = within
        self._prober = Prober(server, within)

    def of(self, server: Server) -> Prober:
        """That for `server`; the one for another server is closed."""
        if self._prober.server is not server:
            self._prober.close()
            self._prober = Prober(server, self._within)
        return self._prober

    def close(self) -> None:
        """Drop its connection."""
        self._prober.close()


async def _in_either_word(client: SqlClient, statements: Iterable[str]) -> list[dict[str, Any]]:
    """The rows of the first of the statements that the server understands; none without one."""
    for statement in statements:
        try:
            return await client.query(statement)
        except StatementRefused as error:
            if error.errno != _ER_PARSE_ERROR:
                raise
    return []


async def _galera_status(client: SqlClient) -> dict[str, str]:
    rows = await client.query(membership.GALERA_STATUS)
    return {str(row["Variable_name"]).lower(): str(row["Value"]) for row in rows}


def _in_one_line(gtid: object) -> str:
    return str(gtid or "").replace("\n", "")


def vendor_of(version: str) -> Vendor:
    """Which family a greeting's version string belongs to."""
    return Vendor.MARIADB if "mariadb" in version.lower() else Vendor.MYSQL
