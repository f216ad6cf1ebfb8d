"""Accepts clients, and lets them finish when the proxy stops."""

import asyncio
import contextlib
import errno
import logging
import resource
from typing import Final

from proxy.session.arrival import ClientChannel
from proxy.session.context import Context
from proxy.session.login import serve_login
from topology.errors import ConfigError

log = logging.getLogger(__name__)

# Probes, the log, the event loop's own.
_OTHER_FILES: Final = 100


class Listener:
    """The proxy's port."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> tuple[str, int]:
        """Take the port; returns the address in use, of which the port is new when 0 was asked for.

        Clients are accepted from `serve` on. Raises ConfigError.
        """
        raise_file_limit(self._context.settings.max_connections)
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: ClientChannel(self._context, serve_login), host, port, backlog=1024, start_serving=False
            )
        except OSError as error:
            raise _cannot_listen(host, port, error) from None
        name = self._server.sockets[0].getsockname()
        return name[0], name[1]

    async def serve(self) -> None:
        """Accept clients."""
        assert self._server is not None
        await self._server.start_serving()
        self._context.accepting = True

    async def drain(self, patience: float) -> None:
        """Accept nobody any more, close sessions as they come to rest, and the others after `patience` seconds.

        A login under way is broken off: it has nothing to lose, and its client may take its time.
        """
        self._context.accepting, self._context.draining = False, True
        if self._server is not None:
            self._server.close()
        for login in list(self._context.logins):
            login.cancel()
        sessions = self._context.sessions
        for session in list(sessions):
            session.drain()
        if sessions:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._context.empty.wait(), patience)
        if sessions:
            log.warning("%d sessions were still at work after %g s and are cut off", len(sessions), patience)
        for session in list(sessions):
            session.close()


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


def _cannot_listen(host: str, port: int, error: OSError) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        return ConfigError(f"{host}:{port} is in use by another program", "stop it, or choose another --listen")
    return ConfigError(f"cannot listen on {host}:{port}: {error.strerror or error}", "choose another --listen")
