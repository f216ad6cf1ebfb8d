"""What a sandbox's server is told, as values: its option file and the SQL that makes its accounts. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from topology.errors import ConfigError
from topology.servers import Vendor as Flavor

# Shared by a server and by the initialisation of its data directory, which lays out the redo log. Asynchronous I/O
# comes out of a pool of the whole system (fs.aio-max-nr), which some twenty servers use up: MySQL then does not start.
STORAGE = {
    Flavor.MARIADB: {"innodb_log_file_size": "48M", "innodb_use_native_aio": "OFF"},
    Flavor.MYSQL: {"innodb_redo_log_capacity": "48M", "innodb_use_native_aio": "OFF"},
}

# Not durable on purpose: a commit is not synced to disk, so a power cut may lose the last second. A killed server
# process loses nothing, which is all that a sandbox has to withstand.
_COMMON = {
    "log_bin": "binlog",
    "local_infile": "ON",
    "innodb_buffer_pool_size": "64M",
    "innodb_flush_log_at_trx_commit": "2",
    "sync_binlog": "0",
}
_OWN = {
    Flavor.MARIADB: {"log_slave_updates": "ON", "gtid_strict_mode": "ON"},
    Flavor.MYSQL: {
        "gtid_mode": "ON",
        "enforce_gtid_consistency": "ON",
        "mysqlx": "OFF",
        # These three take MySQL 9.7 from 540 to 410 MB: the Performance Schema sizes its tables by the caches.
        "table_open_cache": "1000",
        "table_definition_cache": "500",
        "innodb_log_buffer_size": "8M",
    },
}
_OPTION_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_.-]*$")
_PLAIN_VALUE = re.compile(r"^[\w./:,+@=-]*$")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one server keeps its files: all in `home`, but the socket where its path would be too long."""

    home: Path
    socket: Path

    @property
    def datadir(self) -> Path:
        return self.home / "data"

    @property
    def tmpdir(self) -> Path:
        return self.home / "tmp"

    @property
    def option_file(self) -> Path:
        return self.home / "my.cnf"

    @property
    def error_log(self) -> Path:
        return self.home / "error.log"

    @property
    def pid_file(self) -> Path:
        return self.home / "server.pid"

    @property
    def socket_lock(self) -> Path:
        """MySQL's. It holds a process id, and stops the server if any process, even a zombie, has that id."""
        return self.socket.with_name(f"{self.socket.name}.lock")

    @property
    def accounts_file(self) -> Path:
        """The SQL of `account_statements`; there until a login has proved that the server ran it."""
        return self.home / "accounts.sql"

    @property
    def process_file(self) -> Path:
        return self.home / "process.json"


def server_options(
    flavor: Flavor, layout: Layout, *, server_id: int, port: int, user: str | None, extra: Mapping[str, str]
) -> dict[str, str]:
    """The options of one server by name. `user` is the system's user to run as, which only root may and must name.

    `extra`, checked by `check_options`, wins over what is set here.
    """
    return {
        "datadir": str(layout.datadir),
        "tmpdir": str(layout.tmpdir),
        "socket": str(layout.socket),
        "pid_file": str(layout.pid_file),
        "log_error": str(layout.error_log),
        "bind_address": "127.0.0.1",
        "port": str(port),
        "server_id": str(server_id),
        **({"user": user} if user else {}),
        # Debian's MySQL refuses to start without the directory that its package would have made.
        **({"secure_file_priv": str(layout.tmpdir)} if flavor is Flavor.MYSQL else {}),
        **_COMMON,
        **_OWN[flavor],
        **STORAGE[flavor],
        **{name.replace("-", "_"): value for name, value in extra.items()},
    }


def check_options(options: Mapping[str, str]) -> None:
    """Raise ConfigError for an option that an option file cannot hold; whether a server knows it, it says itself."""
    for name, value in options.items():
        if not _OPTION_NAME.match(name):
            raise ConfigError(f"{name!r} is not the name of a server option", "write it like max_connections")
        if any(character in value for character in '"\\\n\r'):
            raise ConfigError(f"the value of option {name} holds a quote, backslash or newline", "leave it out")


def option_file(options: Mapping[str, str]) -> str:
    """The text of an option file with one section, `[mysqld]`. An empty value gives an option without a value."""
    lines = [_option_line(name, value) for name, value in options.items()]
    return "\n".join(("[mysqld]", *lines, ""))


def _option_line(name: str, value: str) -> str:
    if not value:
        return name
    return f"{name} = {value}" if _PLAIN_VALUE.match(value) else f'{name} = "{value}"'


def account_statements(flavor: Flavor, password: str) -> str:
    """SQL for `init_file`, one statement a line: root with `password` from anywhere, and no anonymous account.

    Not written to the binary log, so that a new server's GTID set is empty. `password` must be alphanumeric.
    May be run again.
    """
    if not password.isalnum():
        raise ValueError("a sandbox's password is made of letters and digits")
    statements = _MARIADB_ACCOUNTS if flavor is Flavor.MARIADB else _MYSQL_ACCOUNTS
    return "".join(f"{statement.format(password=password)};\n" for statement in statements)


_MARIADB_ACCOUNTS = (
    "SET SESSION sql_log_bin = 0",
    # mariadb-install-db also makes root for 127.0.0.1, ::1 and the machine's name, with an empty password.
    "DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host NOT IN ('localhost', '%'))",
    "DELETE FROM mysql.proxies_priv WHERE Host NOT IN ('localhost', '%')",
    "FLUSH PRIVILEGES",
    *(
        statement
        for host in ("localhost", "%")
        for statement in (
            f"CREATE OR REPLACE USER 'root'@'{host}'"
            " IDENTIFIED VIA mysql_native_password USING PASSWORD('{password}')",
            f"GRANT ALL PRIVILEGES ON *.* TO 'root'@'{host}' WITH GRANT OPTION",
        )
    ),
)

_MYSQL_ACCOUNTS = (
    "SET SESSION sql_log_bin = 0",
    *(
        statement
        for host in ("localhost", "%")
        for statement in (
            f"CREATE USER IF NOT EXISTS 'root'@'{host}'",
            f"ALTER USER 'root'@'{host}' IDENTIFIED BY '{{password}}'",
            f"GRANT ALL PRIVILEGES ON *.* TO 'root'@'{host}' WITH GRANT OPTION",
        )
    ),
)
