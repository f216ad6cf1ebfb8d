"""The composition root: builds the parts, starts them, and stops them in order."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable

from proxy.accounts.directory import Directory
from proxy.backend.greetings import Greetings
from proxy.listener import Listener
from proxy.routing.rules import Rules
from proxy.session.configured import rules_of
from proxy.session.context import Context
from proxy.sql.cache import StatementCache
from proxy.sql.classify import Classifier
from proxy.sql.comments import server_version
from proxy.tls.context import client_facing
from proxy.wire.rsakey import RsaKey
from topology.config import Settings, host_and_port
from topology.environment import Deployment
from topology.monitor import Monitor
from topology.servers import ServerTls, Snapshot
from topology.servertls import server_context
from topology.tlsfiles import WatchedContext

log = logging.getLogger(__name__)


async def run(
    settings: Settings,
    deployment: Deployment,
    stop: asyncio.Event,
    hangup: asyncio.Event,
    ready: Callable[[str, int], None] | None = None,
) -> None:
    """Serve until `stop` is set, then drain. `ready` is called with host and port once clients are accepted.

    Certificates are looked at when `hangup` is set.
    """
    # Files that cannot be used shall stop the start, not each login.
    _towards_servers(settings)
    certificate = client_facing(settings) if settings.tls != "off" or settings.http_tls else None
    monitor = Monitor(
        deployment,
        interval=settings.probe_interval,
        within=settings.probe_timeout,
        max_lag=settings.max_lag,
    )
    async with asyncio.TaskGroup() as tasks:
        context = Context(
            settings=settings,
            monitor=monitor,
            directory=Directory(deployment.primary, settings.accounts, settings.probe_timeout),
            greetings=Greetings(settings.connect_timeout),
            key=await asyncio.to_thread(RsaKey),
            tasks=tasks,
            rules=_rules(settings, deployment),
            tls=certificate if settings.tls != "off" else None,
        )
        monitor.on_change(lambda snapshot: _learn_vendor(context, snapshot))
        monitor.on_silence(context.abandon)
        running = (monitor.run(), _look_at_certificates(context, hangup), context.tick())
        watching = [tasks.create_task(work) for work in running]
        if context.pool is not None:
            watching.append(tasks.create_task(context.pool.keep()))
        async with _http(context, certificate if settings.http_tls else None):
            await _serve(context, deployment, stop, ready)
        for task in watching:
            task.cancel()
    log.info("stopped")


async def _serve(
    context: Context, deployment: Deployment, stop: asyncio.Event, ready: Callable[[str, int], None] | None
) -> None:
    listener = Listener(context)
    host, port = await listener.open(*context.settings.host_and_port)
    await context.monitor.first_round()
    await context.directory.refresh_quietly()
    await listener.serve()
    log.info("serving on %s:%d: %s", host, port, deployment.summary)
    if ready is not None:
        ready(host, port)
    await stop.wait()
    log.info("stopping: %d sessions to drain", len(context.sessions))
    await listener.drain(context.settings.drain_timeout)


@contextlib.asynccontextmanager
async def _http(context: Context, certificate: WatchedContext | None) -> AsyncIterator[None]:
    """Metrics and health over HTTP, or HTTPS with a certificate, while the block runs, if they are asked for."""
    if context.settings.http is None:
        yield
        return
    # Costs some MiB and a moment, which most do without.
    from proxy.http.service import serving

    async with serving(context, *host_and_port(context.settings.http), certificate) as (host, port):
        scheme = "http" if certificate is None else "https"
        log.info("metrics and health on %s://%s:%d/", scheme, host, port)
        yield


async def _look_at_certificates(context: Context, hangup: asyncio.Event) -> None:
    while True:
        await hangup.wait()
        hangup.clear()
        log.info("SIGHUP: looking for changed certificates")
        for watched in (context.tls, _towards_servers(context.settings)):
            if watched is not None:
                watched.look()


def _rules(settings: Settings, deployment: Deployment) -> Rules | None:
    rules = rules_of(settings.rules)
    for warning in rules.warnings(frozenset(server.name for server in deployment.replicas)) if rules else ():
        log.warning("%s", warning)
    return rules


def _towards_servers(settings: Settings) -> WatchedContext | None:
    return None if settings.server_tls is ServerTls.OFF else server_context(settings.server_tls_policy)


def _learn_vendor(context: Context, snapshot: Snapshot) -> None:
    observation = snapshot.primary.observation
    if context.cache is None and observation is not None and observation.vendor is not None:
        version = server_version(observation.vendor, observation.version)
        context.cache = StatementCache(Classifier(version), context.settings.digest_cache_size)


async def run_until_signal(settings: Settings, deployment: Deployment) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP has the certificates looked at."""
    stop, hangup = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, hangup.set)
    with contextlib.suppress(asyncio.CancelledError):
        await run(settings, deployment, stop, hangup)
