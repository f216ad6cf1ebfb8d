"""Statements and logins that get no server connection, because too many want one: what they are told, and their number.

Nothing of them has reached a server.
"""

from collections import Counter
from typing import Final

from proxy.errors import ServerRefused
from proxy.wire import constants as c
from proxy.wire.replies import Err
from topology.servers import Server

# Why: too many wait already, or the wait has lasted too long.
QUEUE: Final = "queue"
WAIT: Final = "wait"


class Shed:
    """Those of one process. `counts` are by the server's name and the reason, since the start."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._told: Counter[str] = Counter()

    def at_once(self, server: Server, most: int) -> ServerRefused:
        """One more when `most` wait for a connection to `server`."""
        self.counts[server.name, QUEUE] += 1
        return _refused(f"{most} sessions wait for a connection to {server} already (server_connection_queue)")

    def in_the_end(self, server: Server, opened: int, seconds: float) -> ServerRefused:
        """One has waited for `seconds`, and none of the `opened` connections became free."""
        self.counts[server.name, WAIT] += 1
        return _refused(
            f"all {opened} server connections to {server} are in use, and none became free within {seconds:g} s "
            "(server_connections, server_connection_wait)"
        )

    def untold(self, server: Server) -> int:
        """How many there were since this was asked before."""
        counted = self.counts[server.name, QUEUE] + self.counts[server.name, WAIT]
        found, self._told[server.name] = counted - self._told[server.name], counted
        return found


def _refused(why: str) -> ServerRefused:
    return ServerRefused(Err(c.ER_CON_COUNT, f"Too many connections: {why}", "08004"))
