"""Each vendor's SQL for replication. Pure: values in, statements out.

Servers renamed these statements over the years (MySQL 8.0.22 to 8.4 took SLAVE and MASTER out). A `Statement` may
therefore carry the older spelling: whoever runs it tries the new one and falls back when the server cannot parse it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from replication.facts import MARKER_SCHEMA, MARKER_TABLE, Marker
from topology.servers import Vendor

HIDDEN = "***"
SYSTEM_SCHEMAS = frozenset({"mysql", "information_schema", "performance_schema", "sys", "ndbinfo"})
SYSTEM_ACCOUNTS = frozenset({"mysql.sys", "mysql.session", "mysql.infoschema", "mariadb.sys"})


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; `older` is its spelling before the server renamed it; `secret` must not be shown."""

    sql: str
    older: str = ""
    secret: str = field(default="", repr=False)

    def __str__(self) -> str:
        return self.sql.replace(text(self.secret), text(HIDDEN)) if self.secret else self.sql


@dataclass(frozen=True, slots=True)
class Source:
    """What a replica needs to follow its primary: where it is and how to log in there."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    tls: bool = False


def name(identifier: str) -> str:
    """An identifier in backquotes."""
    return "`" + identifier.replace("`", "``") + "`"


def text(value: str) -> str:
    """A string literal, for a session without NO_BACKSLASH_ESCAPES."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def account(user: str, host: str) -> str:
    """An account name as the account statements want it."""
    return f"{text(user)}@{text(host)}"


class Dialect(Protocol):
    """The statements that differ between the vendors."""

    def forget_source(self, channels: Sequence[str]) -> list[Statement]:
        """Stop replication and forget where it came from; `channels` are the names of the configured channels."""
        ...

    def follow(self, source: Source, gtid: str, *, has_binlog: bool) -> list[Statement]:
        """Follow `source` from position `gtid` on, forgetting the replica's own binary log."""
        ...

    def repoint(self, source: Source) -> list[Statement]:
        """Reach the same primary in another way or with other credentials, from the replica's own position on."""
        ...

    def start(self) -> list[Statement]:
        """Start the replication threads."""
        ...

    def stop(self) -> list[Statement]:
        """Stop the replication threads."""
        ...

    def restart(self) -> list[Statement]:
        """Stop and start the replication threads."""
        ...

    def hold(self) -> list[Statement]:
        """Stop applying, so that the replica stays where it is until `run_until` or `go_on`."""
        ...

    def run_until(self, gtid: str) -> list[Statement]:
        """From `hold` on, apply everything up to the primary's position `gtid` and nothing beyond it."""
        ...

    def go_on(self) -> list[Statement]:
        """Replicate on after `hold` or `run_until`, also when that has not got there."""
        ...

    def writable(self) -> list[Statement]:
        """Let the service account write, and keep everybody else out as far as the server can."""
        ...

    def read_only(self) -> list[Statement]:
        """Refuse writes from clients; between `pause` and `resume` on a replica that applies."""
        ...

    def pause(self) -> list[Statement]:
        """Stop applying for a moment, where it does not go together with becoming read-only."""
        ...

    def resume(self) -> list[Statement]:
        """Apply again after `pause`."""
        ...

    def accept_writes(self) -> list[Statement]:
        """Let clients write, as on a primary."""
        ...

    def block_commits(self) -> list[Statement]:
        """With `read_only` before it: nobody commits any more while this session lives, whatever his privileges."""
        ...

    def let_commit(self) -> list[Statement]:
        """End `block_commits`, in the same session."""
        ...

    def follow_on(self, source: Source, gtid: str) -> list[Statement]:
        """Make a replica of a primary that has executed `gtid` and nothing else, as `source` has."""
        ...

    def server_id(self, number: int) -> list[Statement]:
        """Give the server another server_id, live."""
        ...

    def create_replicator(self, user: str, password: str) -> list[Statement]:
        """Make the account that replicas log in with on the primary, or give it this password."""
        ...


@dataclass(frozen=True, slots=True)
class MariaDb:
    """MariaDB 10.6 and later."""

    def forget_source(self, channels: Sequence[str]) -> list[Statement]:
        forget = [Statement(f"RESET SLAVE {text(channel)} ALL") for channel in channels]
        return [Statement("STOP ALL SLAVES"), *forget] if channels else []

    def follow(self, source: Source, gtid: str, *, has_binlog: bool) -> list[Statement]:
        # The replica's own binary log would contradict the new position (error 1947), and nobody reads it.
        reset = [Statement("RESET MASTER")] if has_binlog else []
        return [
            *reset,
            Statement(f"SET GLOBAL gtid_slave_pos = {text(gtid)}"),
            self._change(source),
        ]

    def repoint(self, source: Source) -> list[Statement]:
        # A change throws away what was received, but not where the server cannot open it (error 1201).
        return [Statement("STOP SLAVE"), Statement("RESET SLAVE"), self._change(source), *self.start()]

    def _change(self, source: Source) -> Statement:
        return Statement(
            f"CHANGE MASTER TO MASTER_HOST = {text(source.host)}, MASTER_PORT = {source.port}, "
            f"MASTER_USER = {text(source.user)}, MASTER_PASSWORD = {text(source.password)}, "
            f"MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 5, "
            # 11.4 switched both on by default and then refuses a primary without a certificate it can verify.
            f"MASTER_SSL = {int(source.tls)}, MASTER_SSL_VERIFY_SERVER_CERT = 0",
            secret=source.password,
        )

    def start(self) -> list[Statement]:
        return [Statement("START SLAVE")]

    def stop(self) -> list[Statement]:
        return [Statement("STOP SLAVE")]

    def restart(self) -> list[Statement]:
        return [*self.stop(), *self.start()]

    def hold(self) -> list[Statement]:
        # UNTIL a GTID is for both threads at once.
        return self.stop()

    def run_until(self, gtid: str) -> list[Statement]:
        return [Statement(f"START SLAVE UNTIL master_gtid_pos = {text(gtid)}")]

    def go_on(self) -> list[Statement]:
        # The receiver may be about to stop at the position as well.
        return self.restart()

    def writable(self) -> list[Statement]:
        return [Statement("SET GLOBAL read_only = 1")]

    def read_only(self) -> list[Statement]:
        return [Statement("SET GLOBAL read_only = 1")]

    def pause(self) -> list[Statement]:
        return []

    def resume(self) -> list[Statement]:
        return []

    def accept_writes(self) -> list[Statement]:
        return [Statement("SET GLOBAL read_only = 0")]

    def block_commits(self) -> list[Statement]:
        # read_only does not keep out who has READ ONLY ADMIN, as root has.
        return [Statement("BACKUP STAGE START"), Statement("BACKUP STAGE BLOCK_COMMIT")]

    def let_commit(self) -> list[Statement]:
        return [Statement("BACKUP STAGE END")]

    def follow_on(self, source: Source, gtid: str) -> list[Statement]:
        return [Statement(f"SET GLOBAL gtid_slave_pos = {text(gtid)}"), *self.repoint(source)]

    def server_id(self, number: int) -> list[Statement]:
        return [Statement(f"SET GLOBAL server_id = {number}")]

    def create_replicator(self, user: str, password: str) -> list[Statement]:
        who = account(user, "%")
        return [
            Statement(f"CREATE USER IF NOT EXISTS {who} IDENTIFIED BY {text(password)}", secret=password),
            Statement(f"ALTER USER {who} IDENTIFIED BY {text(password)}", secret=password),
            # In MariaDB the old name is an alias that every version knows; 10.5.2 added REPLICATION REPLICA.
            Statement(f"GRANT REPLICATION SLAVE ON *.* TO {who}"),
        ]


@dataclass(frozen=True, slots=True)
class MySql:
    """MySQL 5.7 and later; the older spellings serve up to 8.0.22."""

    def forget_source(self, channels: Sequence[str]) -> list[Statement]:
        stop = [Statement("STOP REPLICA", "STOP SLAVE"), Statement("RESET REPLICA ALL", "RESET SLAVE ALL")]
        return stop if channels else []

    def follow(self, source: Source, gtid: str, *, has_binlog: bool) -> list[Statement]:
        return [
            Statement("RESET BINARY LOGS AND GTIDS", "RESET MASTER"),
            Statement(f"SET GLOBAL gtid_purged = {text(gtid)}"),
            self._change(source),
        ]

    def repoint(self, source: Source) -> list[Statement]:
        # A change throws away what was received, but not where the server cannot open it (error 1872 at the start).
        reset = Statement("RESET REPLICA", "RESET SLAVE")
        return [Statement("STOP REPLICA", "STOP SLAVE"), reset, self._change(source), *self.start()]

    def _change(self, source: Source) -> Statement:
        return Statement(
            "CHANGE REPLICATION SOURCE TO " + _source_options("SOURCE", source),
            "CHANGE MASTER TO " + _source_options("MASTER", source),
            secret=source.password,
        )

    def start(self) -> list[Statement]:
        return [Statement("START REPLICA", "START SLAVE")]

    def stop(self) -> list[Statement]:
        return [Statement("STOP REPLICA", "STOP SLAVE")]

    def restart(self) -> list[Statement]:
        return [*self.stop(), *self.start()]

    def hold(self) -> list[Statement]:
        return [Statement("STOP REPLICA SQL_THREAD", "STOP SLAVE SQL_THREAD")]

    def run_until(self, gtid: str) -> list[Statement]:
        until = f"SQL_THREAD UNTIL SQL_AFTER_GTIDS = {text(gtid)}"
        return [Statement(f"START REPLICA {until}", f"START SLAVE {until}")]

    def go_on(self) -> list[Statement]:
        return [*self.hold(), *self.start()]

    def writable(self) -> list[Statement]:
        return [Statement("SET GLOBAL super_read_only = 0"), Statement("SET GLOBAL read_only = 1")]

    def read_only(self) -> list[Statement]:
        return [
            Statement("SET PERSIST read_only = 1", "SET GLOBAL read_only = 1"),
            Statement("SET PERSIST super_read_only = 1", "SET GLOBAL super_read_only = 1"),
        ]

    def pause(self) -> list[Statement]:
        # Becoming read-only takes a lock that workers in their order of commit deadlock with. One of them is rolled
        # back and tries again, but not what it has written to a table without transactions: then replication stops.
        return self.hold()

    def resume(self) -> list[Statement]:
        return [Statement("START REPLICA SQL_THREAD", "START SLAVE SQL_THREAD")]

    def accept_writes(self) -> list[Statement]:
        return [
            Statement("SET PERSIST super_read_only = 0", "SET GLOBAL super_read_only = 0"),
            Statement("SET PERSIST read_only = 0", "SET GLOBAL read_only = 0"),
        ]

    def block_commits(self) -> list[Statement]:
        # super_read_only waits for commits that are under way, and refuses everybody's from then on.
        return []

    def let_commit(self) -> list[Statement]:
        return []

    def follow_on(self, source: Source, gtid: str) -> list[Statement]:
        return self.repoint(source)

    def server_id(self, number: int) -> list[Statement]:
        return [Statement(f"SET PERSIST server_id = {number}", f"SET GLOBAL server_id = {number}")]

    def create_replicator(self, user: str, password: str) -> list[Statement]:
        who = account(user, "%")
        return [
            Statement(f"CREATE USER IF NOT EXISTS {who} IDENTIFIED BY {text(password)}", secret=password),
            Statement(f"ALTER USER {who} IDENTIFIED BY {text(password)}", secret=password),
            Statement(f"GRANT REPLICATION SLAVE ON *.* TO {who}"),
        ]


def _source_options(word: str, source: Source) -> str:
    return (
        f"{word}_HOST = {text(source.host)}, {word}_PORT = {source.port}, {word}_USER = {text(source.user)}, "
        f"{word}_PASSWORD = {text(source.password)}, {word}_AUTO_POSITION = 1, {word}_CONNECT_RETRY = 5, "
        f"{word}_RETRY_COUNT = 1000000, {word}_SSL = {int(source.tls)}, GET_{word}_PUBLIC_KEY = 1"
    )


def dialect(vendor: Vendor) -> Dialect:
    """The statements of one vendor."""
    return MariaDb() if vendor is Vendor.MARIADB else MySql()


def clone_from(who: str, port: int, password: str, *, tls: bool) -> Statement:
    """Become a clone of the server at this port of the account's host (MySQL 8.0.17 and later)."""
    return Statement(
        f"CLONE INSTANCE FROM {who}:{port} IDENTIFIED BY {text(password)} REQUIRE {'SSL' if tls else 'NO SSL'}",
        secret=password,
    )


LIVE, SHADOW = 1, 2
"""The rows of the marker: about the live tables, and about a copy that is made beside them."""


def write_marker(marker: Marker, row: int = LIVE) -> list[Statement]:
    """Note on a replica whose copy it is; to be run with sql_log_bin = 0."""
    table = f"{name(MARKER_SCHEMA)}.{name(MARKER_TABLE)}"
    values = f"{row}, {text(marker.primary)}, {text(marker.phase)}, {text(marker.gtid)}, UTC_TIMESTAMP()"
    return [
        Statement(f"CREATE DATABASE IF NOT EXISTS {name(MARKER_SCHEMA)} CHARACTER SET utf8mb4"),
        Statement(
            f"CREATE TABLE IF NOT EXISTS {table} (id TINYINT NOT NULL PRIMARY KEY, primary_identity VARCHAR(512) "
            "NOT NULL, phase VARCHAR(20) NOT NULL, gtid LONGTEXT NOT NULL, written_utc DATETIME NOT NULL) "
            "ENGINE = InnoDB CHARACTER SET utf8mb4"
        ),
        Statement(f"REPLACE INTO {table} (id, primary_identity, phase, gtid, written_utc) VALUES ({values})"),
    ]


def read_marker(row: int = LIVE) -> str:
    """What was noted last."""
    return f"SELECT primary_identity, phase, gtid FROM {name(MARKER_SCHEMA)}.{name(MARKER_TABLE)} WHERE id = {row}"


FORGET_MARKER = f"DELETE FROM {name(MARKER_SCHEMA)}.{name(MARKER_TABLE)}"
FORGET_SHADOW = f"{FORGET_MARKER} WHERE id = {SHADOW}"
