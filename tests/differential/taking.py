"""Another session that takes the server connections from the one that is watched, which is then told, and answered,
from memory only."""

from contextlib import ExitStack
from itertools import cycle
from typing import Final

from proxy.wire import constants as c
from tests.differential.schema import DIALECTS, OTHERS, Administrator, login
from tests.support.proxies import ProxyProcess
from tests.support.wireclient import WireClient, first_error

SCHEMA: Final = f"{OTHERS}_t"
# For the proxy: one connection to each server. Where the session has to keep it, each taking waits in vain so long.
OPTIONS: Final = ("--server-connections=1", "--server-connection-wait=0.3")
# ER_BAD_FIELD_ERROR
_WANTED: Final = 1054
_PREPARED: Final = (
    f"DROP DATABASE IF EXISTS {SCHEMA}",
    f"CREATE DATABASE {SCHEMA}",
    f"CREATE TABLE {SCHEMA}.taken (a INT PRIMARY KEY)",
    f"INSERT INTO {SCHEMA}.taken VALUES (1), (2), (3), (4), (5)",
)
_STATE: Final = "SET @taker = 1, sql_mode = 'ANSI_QUOTES', time_zone = '+05:00'"
# They leave rows, warnings, an error: none of it may be seen by the other session.
_TEXTS: Final = (
    "SELECT a FROM taken",
    "SELECT 1/0, a FROM taken LIMIT 1",
    "SELECT no_such_column FROM taken",
    "SELECT 'x' + 1",
)


def prepare(administrator: Administrator) -> None:
    """The schema of the takers."""
    administrator.run(*_PREPARED)


def clear(administrator: Administrator) -> None:
    """No such schema."""
    administrator.run(f"DROP DATABASE {SCHEMA}")


class Taker:
    """Sessions of the sequences' user, one for each dialect: only such connections are given from one to another."""

    def __init__(self, proxy: ProxyProcess, servers: list[str]) -> None:
        self._stack = ExitStack()
        hints = ("primary", *(f"replica={name}" for name in servers[1:]))
        self._texts = cycle(f"/* manyreads: {hint} */ {text}" for text in _TEXTS for hint in hints)
        self._each = len(hints)
        self._clients = {flags: self._session(proxy, flags) for flags in DIALECTS}

    def _session(self, proxy: ProxyProcess, flags: int) -> WireClient:
        client = self._stack.enter_context(WireClient(proxy.host, proxy.port))
        client.log_in(login(SCHEMA, flags))
        client.query(_STATE)
        return client

    def take(self, flags: int) -> None:
        """Run a statement on each server; in vain on one whose connection the session has to keep."""
        for _ in range(self._each):
            error = first_error(self._clients[flags].query(next(self._texts)))
            assert error is None or error.errno in (c.ER_CON_COUNT, _WANTED), error

    def close(self) -> None:
        """The end."""
        self._stack.close()
