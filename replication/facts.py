"""What was seen of one server before anything is decided: frozen values without any I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from topology.addresses import endpoint
from topology.replicastatus import without_values
from topology.servers import Server, Vendor

MARKER_SCHEMA = "manyreads"
MARKER_TABLE = "marker"
HEARTBEAT_TABLE = "heartbeat"
SHADOW_PREFIX = "manyreads_shadow_"
"""Of the schemas in which a copy is made beside the live tables."""

# ER_SLAVE_RELAY_LOG_READ_FAILURE, 13121 since MySQL 8, and MySQL's for logs that it cannot even open,
# ER_SLAVE_RLI_INIT_REPOSITORY: its status calls that 13124 (seen of 9.7).
_RELAY_LOG_ERRORS = frozenset({1594, 13121, 1872, 13124})


class Phase(StrEnum):
    """How far the set-up of a replica had come when its marker was last written."""

    COPYING = "copying"
    INDEXING = "indexing"
    ATTACHING = "attaching"
    DETOUR = "detour"
    DONE = "done"


UNFINISHED = frozenset({Phase.COPYING, Phase.INDEXING})
"""Its rows are not all there."""


@dataclass(frozen=True, slots=True)
class Marker:
    """The note that a managed replica carries: of which primary it is a copy, and from which position on."""

    primary: str
    phase: Phase
    gtid: str = ""


@dataclass(frozen=True, slots=True)
class SchemaSize:
    """One user schema: how many tables and views it has, and the server's own estimate of rows and bytes."""

    name: str
    tables: int
    rows: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Channel:
    """One row of SHOW REPLICA STATUS (MySQL) or SHOW ALL SLAVES STATUS (MariaDB), in one vocabulary.

    `relay_log` is the file that it applies next, `relay_log_bytes` the size of all such files.
    """

    name: str
    host: str
    port: int
    source_id: str
    io_running: str
    sql_running: str
    io_errno: int = 0
    io_error: str = ""
    sql_errno: int = 0
    sql_error: str = ""
    relay_log: str = ""
    relay_log_bytes: int = 0

    @property
    def address(self) -> str:
        """Of the server that it follows, as `host:port`."""
        return endpoint(self.host, self.port)

    @property
    def running(self) -> bool:
        return self.io_running == "Yes" and self.sql_running == "Yes"

    @property
    def relay_log_damaged(self) -> bool:
        """Whether the server cannot read what it has received, or not even open it.

        The latter is met behind a kill: the index names files that are gone already, or not yet there. Both vendors
        then count no bytes, and have no error until replication is to start, which gets 1201 (MariaDB) or 1872 (MySQL).
        """
        stopped = self.io_running == self.sql_running == "No" and not self.io_errno and not self.sql_errno
        return self.sql_errno in _RELAY_LOG_ERRORS or (stopped and self.relay_log != "" and not self.relay_log_bytes)

    @property
    def error(self) -> str:
        """The error that stopped or hinders replication, with its number; empty when there is none.

        Without the statement and the values that the server puts into it.
        """
        for errno, text in ((self.sql_errno, self.sql_error), (self.io_errno, self.io_error)):
            if errno:
                return f"error {errno}: {without_values(text)}"
        return ""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """One server as the survey found it.

    `is_primary` tells that this is the very server at the primary's address, reached by another one.
    `identity` is server_uuid on MySQL and server_id, datadir and hostname on MariaDB; `gtid` is the set of executed
    transactions (MySQL) or the current position (MariaDB); `followers` are the addresses that read its binary log;
    `shadow` is the note about a copy that is made beside the live tables.
    `purged` is what a replica must have to be served from that log, empty if unknown.
    """

    server: Server
    vendor: Vendor
    version: tuple[int, int, int]
    identity: str
    server_id: int
    gtid: str = ""
    purged: str = ""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    schemas: tuple[SchemaSize, ...] = ()
    channels: tuple[Channel, ...] = ()
    followers: tuple[str, ...] = ()
    marker: Marker | None = None
    shadow: Marker | None = None
    has_tls: bool = False
    is_primary: bool = False

    @property
    def name(self) -> str:
        return self.server.name

    @property
    def version_text(self) -> str:
        return ".".join(str(part) for part in self.version)

    @property
    def user_schemas(self) -> tuple[SchemaSize, ...]:
        """The schemas that would be lost if this server were wiped."""
        return tuple(schema for schema in self.schemas if schema.tables)

    @property
    def source_id(self) -> str:
        """What its replicas call this server in their status."""
        return self.identity if self.vendor is Vendor.MYSQL else str(self.server_id)

    @property
    def applied(self) -> str:
        """The position from which this server goes on as a replica."""
        return self.variables.get("gtid_slave_pos", "") if self.vendor is Vendor.MARIADB else self.gtid

    def on(self, variable: str) -> bool:
        """Whether a system variable is switched on; False when the server does not know it."""
        return self.variables.get(variable, "OFF").upper() in ("ON", "1", "YES")
