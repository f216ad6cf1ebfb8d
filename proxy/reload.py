"""Changes the settings of a running proxy: when its files change, and when it is told to look."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from proxy.changes import changes, in_force, moves, settled
from proxy.listener import raise_file_limit
from proxy.logs import set_up as set_up_logs
from proxy.notify import Notifier
from proxy.origin import Origin
from proxy.routing.rules import Rules
from proxy.session.shared.configured import rules_of, shares_of
from proxy.session.shared.context import Context
from proxy.tls.context import client_facing
from proxy.tls.selfmade import OfThisRun
from topology.config import Settings
from topology.discovery import replicas_of
from topology.environment import Deployment
from topology.errors import ConfigError, ServerError
from topology.events import happens
from topology.monitor import Monitor
from topology.servers import Server, ServerTls
from topology.servertls import server_context
from topology.tlsfiles import WatchedContext, stamp

log = logging.getLogger(__name__)

# How often files are looked at, in seconds. A change counts once it lasts as long, so that no half of one is read.
_PAUSE: Final = 1.0
# So often the primary is asked for its replicas.
_SEARCH_PAUSE: Final = 30.0


class Reloader:
    """Looks after the settings of `context`, which come from `origin`; `heeded` is called when they were read again."""

    def __init__(
        self,
        context: Context,
        monitor: Monitor,
        origin: Origin,
        notifier: Notifier,
        heeded: Callable[[Settings], None] = lambda _: None,
    ) -> None:
        self._context = context
        self._monitor = monitor
        self._heeded = heeded
        self._origin = origin
        self._notifier = notifier
        # As they were read: some of it needs a restart, and is not in force.
        self._read = context.settings
        self._names = {server.address: server.name for server in monitor.deployment.servers}
        self._found: dict[str, Server] = {}

    async def watch(self, hangup: asyncio.Event) -> None:
        """Look at the files again and again, and at once when `hangup` is set, until cancelled."""
        files = self._origin.files(self._read)
        taken = seen = stamp(files)
        while True:
            asked = await _within(_PAUSE, hangup)
            before, seen = seen, stamp(files)
            if asked or (seen == before and seen != taken):
                log.info("SIGHUP: reading the settings" if asked else "files of the settings changed: reading them")
                taken = seen
                self._notifier.reloading()
                await self.read()
                self._notifier.ready()
                if files != (files := self._origin.files(self._read)):
                    taken = seen = stamp(files)

    async def read(self) -> None:
        """Read the settings and go by them; if they cannot be used, nothing changes and the log says why."""
        try:
            new = await asyncio.to_thread(self._origin.settings)
            settings = in_force(self._context.settings, new)
            certificate = certificate_for(self._context, settings)
            replicas = tuple(settled(self._deployment(settings).replicas, self._names))
        except ConfigError as error:
            log.error("the settings cannot be used, so nothing changes: %s", error)
            return
        for change in changes(self._read, new):
            log.info("settings: %s", change)
        self._read = new
        await heed(self._context, settings, rules(settings, [each.name for each in replicas]), certificate)
        self._follow(Deployment(self._monitor.deployment.primary, replicas))
        self._heeded(settings)
        warn_of_weights(settings, self._monitor.deployment)

    async def search(self) -> None:
        """Ask the primary for its replicas again and again, until cancelled, if the settings name none.

        One that is not among them any more stays: it may only be away, and is not used then.
        """
        while True:
            await asyncio.sleep(_SEARCH_PAUSE)
            await self.search_once()

    async def search_once(self) -> None:
        """Ask once. What hinders it is logged."""
        settings, running = self._context.settings, self._monitor.deployment
        if not settings.searches:
            return
        try:
            found = await replicas_of(running.primary, settings.probe_timeout)
        except (ServerError, TimeoutError) as error:
            log.warning("cannot ask %s for its replicas: %s", running.primary, error)
            return
        self._found |= {server.address: server for server in found}
        if self._found.keys() != {server.address for server in running.replicas}:
            self._follow(Deployment(running.primary, tuple(settled(tuple(self._found.values()), self._names))))
            warn_of_weights(settings, self._monitor.deployment)

    def _deployment(self, settings: Settings) -> Deployment:
        found, running = self._origin.deployment(settings), self._monitor.deployment
        if found.primary != running.primary:
            log.warning(
                "settings: the primary is %s, not before a restart; until then %s", found.primary, running.primary
            )
        return replace(found, replicas=tuple(self._found.values())) if settings.searches else found

    def _follow(self, after: Deployment) -> None:
        monitor, pool = self._monitor, self._context.pool
        before = monitor.deployment
        for move in moves(before, after.replicas):
            log.info("settings: %s", move)
        self._names |= {server.address: server.name for server in after.replicas}
        monitor.follow(after.replicas)
        gone = {server.name for server in before.replicas} - {server.name for server in after.replicas}
        for server in before.replicas:
            if server.name in gone and pool is not None:
                pool.retire(server)


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Whether `event` is set within so many seconds; it is cleared."""
    happened = await happens(event, seconds)
    if happened:
        event.clear()
    return happened


async def heed(context: Context, settings: Settings, rules: Rules | None, certificate: WatchedContext | None) -> None:
    """Have a process go by other settings from now on."""
    if settings.max_connections != context.settings.max_connections:
        raise_file_limit(settings.max_connections)
    configured, context.directory.configured = context.directory.configured, settings.accounts
    context.heed(settings, rules, certificate)
    set_up_logs(settings.log_level, settings.log_format, audit=settings.audit_log)
    for watched in (certificate, towards_servers(settings)):
        if watched is not None:
            watched.look()
    if settings.accounts != configured:
        await context.directory.refresh_quietly()


def certificate_for(context: Context, settings: Settings) -> WatchedContext | None:
    """What clients meet with other settings: the same as before, if these say the same of it. Raises ConfigError."""
    keys = ("tls", "tls_certificate", "tls_key", "tls_client_ca", "http_tls")
    if all(getattr(settings, key) == getattr(context.settings, key) for key in keys):
        return context.certificate
    return certificate_of(settings, context.of_this_run)


def certificate_of(settings: Settings, of_this_run: OfThisRun) -> WatchedContext | None:
    """What clients meet, if they are offered TLS anywhere. Raises ConfigError."""
    return client_facing(settings, of_this_run) if settings.tls != "off" or settings.http_tls else None


def towards_servers(settings: Settings) -> WatchedContext | None:
    """How servers are spoken to. Raises ConfigError when files cannot be used."""
    return None if settings.server_tls is ServerTls.OFF else server_context(settings.server_tls_policy)


def warn_of_weights(settings: Settings, deployment: Deployment) -> None:
    """Log which weights are for servers that there are not."""
    for warning in shares_of(settings).warnings([server.name for server in deployment.servers]):
        log.warning("%s", warning)


def rules(settings: Settings, replicas: list[str]) -> Rules | None:
    """The rules of the settings; what is doubtful about them is logged."""
    found = rules_of(settings.rules)
    for warning in found.warnings(frozenset(replicas)) if found else ():
        log.warning("%s", warning)
    return found
