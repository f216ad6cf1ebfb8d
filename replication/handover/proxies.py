"""Has proxies hold their clients' writes while the primary changes, over their own SQL statements."""

import asyncio
from contextlib import AsyncExitStack, closing

from replication.errors import NotReady
from replication.report import Reporter
from topology.errors import ServerError
from topology.servers import Server
from topology.sqlclient import SqlClient, connect

# Beyond the times for draining and for the change itself.
_MARGIN = 5.0


class Proxies:
    """Those of one run. They get `drain` seconds until nothing is under way; the change takes `pause` at most."""

    def __init__(self, servers: tuple[Server, ...], drain: float, pause: float, reporter: Reporter) -> None:
        self._servers = servers
        self._drain = drain
        self._seconds = drain + pause + _MARGIN
        self._reporter = reporter
        self._clients: list[SqlClient] = []

    async def hold(self, undo: AsyncExitStack) -> None:
        """Return when nothing writes through them any more; `undo` lets them go on. Raises a ManyreadsError."""
        undo.push_async_callback(self.let_go)
        for server in self._servers:
            self._reporter.say(server.name, "holding writes, and waiting for transactions to end")
            await self._hold(server)

    async def _hold(self, server: Server) -> None:
        client = await connect(server)
        try:
            async with asyncio.timeout(self._drain):
                await client.execute(f"PROXY PAUSE WRITES FOR {self._seconds:g} SECONDS")
        except (ServerError, TimeoutError) as error:
            # The proxy lets go when nobody waits for its answer any more.
            client.close()
            problem = error.problem if isinstance(error, ServerError) else f"{server} has transactions under way"
            raise NotReady(
                f"writes could not be held: {problem}",
                "look for clients with open transactions (SHOW PROXY SESSIONS), or allow more with --drain SECONDS",
            ) from error
        except BaseException:
            client.close()
            raise
        self._clients.append(client)

    async def let_go(self) -> None:
        """Let all writes go on. Safe to call twice."""
        clients, self._clients = self._clients, []
        for client in clients:
            with closing(client):
                try:
                    await client.execute("PROXY RESUME WRITES")
                except ServerError as error:
                    # It lets go by itself when its time is up.
                    self._reporter.warn(client.server.name, error.problem)
