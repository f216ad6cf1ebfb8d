"""Accepts clients, and lets them finish when the proxy stops."""

import asyncio
import contextlib
import logging
import resource
import socket
from typing import Final

from proxy.session.login.arrival import ClientChannel
from proxy.session.login.login import serve_login
from proxy.session.shared.context import Context
from proxy.sockets import cannot_listen

log = logging.getLogger(__name__)

# Probes, the log, the event loop's own.
_OTHER_FILES: Final = 100
# While sessions are let go: seconds between looks at who is left, looks after which a silent one is closed (the thread
# that has just asked whether its connection lives may have to wait for a processor before it uses it), and seconds
# that logins may take.
_LOOK: Final = 0.25
_SILENT_LOOKS: Final = 16
_LOGIN_GRACE: Final = 2.0


class Listener:
    """The proxy's port."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._servers: list[asyncio.Server] = []

    async def open(self, host: str, port: int, inherited: list[socket.socket]) -> tuple[str, int]:
        """Take the port, or else use what was `inherited`; returns the address in use, as `host` and `port` may be 0.

        Clients are accepted from `serve` on. Raises ConfigError.
        """
        raise_file_limit(self._context.settings.max_connections)
        loop = asyncio.get_running_loop()
        try:
            if inherited:
                opened = [
                    await loop.create_server(self.welcome, sock=each, backlog=1024, start_serving=False)
                    for each in inherited
                ]
            else:
                opened = [await loop.create_server(self.welcome, host, port, backlog=1024, start_serving=False)]
        except OSError as error:
            raise cannot_listen(host, port, "--listen", error) from None
        self._servers = opened
        name = self.sockets[0].getsockname()
        return name[0], name[1]

    def welcome(self) -> ClientChannel:
        """What a connection of a client's is served by."""
        return ClientChannel(self._context, serve_login)

    @property
    def sockets(self) -> list[socket.socket]:
        """What is listened on."""
        return [each for server in self._servers for each in server.sockets]

    async def serve(self) -> None:
        """Accept clients."""
        for server in self._servers:
            await server.start_serving()
        self._context.accepting = True

    async def drain(self, patience: float) -> None:
        """Accept nobody any more, close sessions as they can be spared, and the others after `patience` seconds.

        In the first half of that time a session ends when its client asks whether it lives, or is silent: pools of
        connections notice that before they use it. In the second half it ends after the next statement.
        """
        self._context.accepting, self._context.draining = False, True
        for server in self._servers:
            server.close()
        until = asyncio.get_running_loop().time() + patience
        await self._let_go(until - patience / 2)
        self._context.hurrying = True
        sessions = self._context.sessions
        for session in list(sessions):
            session.drain()
        if sessions:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._context.empty.wait()
        if sessions:
            log.warning("%d sessions were still at work after %g s and are cut off", len(sessions), patience)
        for session in list(sessions):
            session.close()

    async def _let_go(self, until: float) -> None:
        """Wait for logins that are under way, though not long, and close sessions that their clients do not use."""
        loop = asyncio.get_running_loop()
        logins_until = min(until, loop.time() + _LOGIN_GRACE)
        looks = 0
        while (self._context.sessions or self._context.logins) and loop.time() < until:
            if looks % _SILENT_LOOKS == 0:
                for session in list(self._context.sessions):
                    session.leave_if_silent()
            looks += 1
            if loop.time() >= logins_until:
                self._break_logins_off()
            await asyncio.sleep(_LOOK)
        self._break_logins_off()

    def _break_logins_off(self) -> None:
        # They have nothing to lose, and a client may take its time.
        for login in list(self._context.logins):
            login.cancel()


def raise_file_limit(clients: int) -> None:
    """Take as many open files as the system allows; a client needs one for itself and one for the primary, at least."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = clients * 2 + _OTHER_FILES
    with contextlib.suppress(ValueError, OSError):
        # Some systems call their limit infinite, and have another one.
        soft = max(soft, needed) if hard == resource.RLIM_INFINITY else hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if (allowed := resource.getrlimit(resource.RLIMIT_NOFILE)[0]) < needed:
        log.warning(
            "the system allows %d open files; max_connections = %d may need %d and more (ulimit -n, LimitNOFILE)",
            allowed, clients, needed,
        )  # fmt: skip
