"""All that this process listens on: opened, inherited, handed over, closed."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from proxy.session.shared.context import Context
from proxy.sockets import CLIENTS, HTTP, SERVING, Sockets, bound, listening, of_systemd, take_over
from proxy.takeover import offer
from topology.addresses import endpoint, host_and_port

log = logging.getLogger(__name__)


class Entrance(Protocol):
    """The port for clients, as `proxy.listener.Listener` has it."""

    @property
    def sockets(self) -> list[socket.socket]:
        """What is listened on."""

    async def open(self, host: str, port: int, inherited: list[socket.socket]) -> tuple[str, int]:
        """Take the port, or else use what was `inherited`; returns the address in use. Raises ConfigError."""

    async def serve(self) -> None:
        """Accept clients."""

    async def drain(self, patience: float) -> None:
        """Accept nobody any more, and let the clients go within `patience` seconds."""


class Doors:
    """The ports for clients and for HTTP, of a process with these `variables`; `hangup` has the settings read again.

    `entrance` is where clients come in, `metrics` gives those of Prometheus when they are not this process's alone.
    """

    def __init__(
        self,
        context: Context,
        entrance: Entrance,
        metrics: Callable[[], Awaitable[bytes]] | None,
        variables: Mapping[str, str],
        hangup: asyncio.Event,
    ) -> None:
        self._context = context
        self._metrics = metrics
        self._hangup = hangup
        self._variables = variables
        self._listener = entrance
        self._predecessor: socket.socket | None = None
        self._http = contextlib.AsyncExitStack()
        self._http_sockets: list[socket.socket] = []
        self._handed_over = False

    async def open(self) -> tuple[str, int]:
        """Take the ports, whoever has them; returns the address for clients. Raises ConfigError."""
        settings, inherited = self._context.settings, self._inherited()
        host, port = settings.host_and_port
        opened = await self._listener.open(host, port, self._fitting(inherited.pop(CLIENTS, []), port))
        if settings.http is not None:
            await self._open_http(*host_and_port(settings.http), inherited.pop(HTTP, []))
        for left in (each for sockets in inherited.values() for each in sockets):
            left.close()
        return opened

    def _inherited(self) -> Sockets:
        if found := of_systemd(self._variables, os.getpid()):
            return found
        path = self._context.settings.takeover
        taken = None if path is None else take_over(path)
        if taken is None:
            return {}
        log.info("taking over from the process at %s", path)
        sockets, self._predecessor = taken
        return sockets

    def _fitting(self, sockets: list[socket.socket], port: int) -> list[socket.socket]:
        """What was inherited. From a process with other settings only what is on the port that is wanted by now."""
        if self._predecessor is None or not sockets or port in (0, sockets[0].getsockname()[1]):
            return sockets
        log.warning("port %d is in the settings, not %d, which was inherited", port, sockets[0].getsockname()[1])
        for each in sockets:
            each.close()
        return []

    async def _open_http(self, host: str, port: int, inherited: list[socket.socket]) -> None:
        # Costs some MiB and a moment, which most do without.
        from proxy.http.metrics import Metrics
        from proxy.http.service import serving

        sockets = self._http_sockets = self._fitting(inherited, port) or [bound(host, port, "--http")]
        address, number = await self._http.enter_async_context(
            serving(self._context, self._hangup, self._metrics or Metrics(self._context).exposition, sockets)
        )
        scheme = "https" if self._context.settings.http_tls else "http"
        log.info("dashboard, metrics and health on %s://%s/", scheme, endpoint(address, number))

    async def serve(self, stop: asyncio.Event) -> asyncio.Task[None] | None:
        """Accept clients; then whoever had the ports may go, and the next process may come, which sets `stop`."""
        await self._listener.serve()
        path = self._context.settings.takeover
        # Before the other one goes, so that who looks at the path finds a process that stays.
        server = None if path is None else listening(path)
        if self._predecessor is not None:
            self._dismiss(self._predecessor)
        return None if server is None else self._context.tasks.create_task(self._hand_over(server, stop))

    async def _hand_over(self, server: socket.socket, stop: asyncio.Event) -> None:
        await offer(server, self._sockets)
        self._handed_over = True
        stop.set()

    @staticmethod
    def _dismiss(predecessor: socket.socket) -> None:
        with predecessor:
            try:
                predecessor.sendall(SERVING)
            except OSError as error:
                log.error("the process before this one has not heard that it may stop: end it (%s)", error)

    def _sockets(self) -> Sockets:
        found = {CLIENTS: self._listener.sockets}
        return found | {HTTP: self._http_sockets} if self._http_sockets else found

    async def close(self) -> None:
        """Let clients go. Who asks for health or metrics finds the next process, if there is one, or nobody."""
        if self._handed_over:
            await self._http.aclose()
        await self._listener.drain(self._context.settings.drain_timeout)
        await self._http.aclose()
