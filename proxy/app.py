"""The composition root: builds the parts, starts them, and stops them in order."""

import asyncio
import contextlib
import logging
import signal

from proxy.accounts.directory import Directory
from proxy.backend.greetings import Greetings
from proxy.doors import Doors
from proxy.notify import Notifier
from proxy.origin import Origin
from proxy.reload import Reloader, certificate_of, rules, towards_servers
from proxy.session.configured import limits_of, shares_of
from proxy.session.context import Context
from proxy.sql.cache import StatementCache
from proxy.sql.classify import Classifier
from proxy.sql.comments import server_version
from proxy.wire.rsakey import RsaKey
from topology.config import Settings
from topology.monitor import Monitor
from topology.servers import Snapshot

log = logging.getLogger(__name__)


async def run(origin: Origin, settings: Settings, stop: asyncio.Event, hangup: asyncio.Event) -> None:
    """Serve until `stop` is set, then drain. `settings` are those of `origin`, which is read again on `hangup`."""
    notifier = Notifier(origin.variables)
    deployment = origin.deployment(settings)
    # Files that cannot be used shall stop the start, not each login.
    towards_servers(settings)
    monitor = Monitor(
        deployment,
        interval=settings.probe_interval,
        within=settings.probe_timeout,
        limits=limits_of(settings),
        shares=shares_of(settings),
        tie=deployment.primary.name if settings.on_two_primaries == "configured" else "",
    )
    async with asyncio.TaskGroup() as tasks:
        context = Context(
            settings=settings,
            monitor=monitor,
            directory=Directory(deployment.primary, settings.accounts, settings.probe_timeout),
            greetings=Greetings(settings.connect_timeout),
            key=await asyncio.to_thread(RsaKey),
            tasks=tasks,
            rules=rules(settings, [server.name for server in deployment.replicas]),
            certificate=certificate_of(settings),
        )
        monitor.on_change(lambda snapshot: _learn_vendor(context, snapshot))
        monitor.on_change(context.gate.look)
        monitor.on_move(context.follow)
        monitor.on_silence(context.abandon)
        reloader = Reloader(context, origin, notifier)
        running = (monitor.run(), reloader.watch(hangup), reloader.search(), context.tick())
        watching = [tasks.create_task(work) for work in running]
        if context.pool is not None:
            watching.append(tasks.create_task(context.pool.keep()))
        await _serve(context, reloader, notifier, Doors(context, origin.variables, hangup), stop)
        for task in watching:
            task.cancel()
    log.info("stopped")


async def _serve(context: Context, reloader: Reloader, notifier: Notifier, doors: Doors, stop: asyncio.Event) -> None:
    host, port = await doors.open()
    await context.monitor.first_round()
    await reloader.search_once()
    await context.directory.refresh_quietly()
    offering = await doors.serve(stop)
    log.info("serving on %s:%d: %s", host, port, context.monitor.deployment.summary)
    notifier.ready()
    await stop.wait()
    notifier.stopping()
    log.info("stopping: %d sessions to drain", len(context.sessions))
    await doors.close()
    if offering is not None:
        offering.cancel()


def _learn_vendor(context: Context, snapshot: Snapshot) -> None:
    observation = snapshot.primary.observation
    if context.cache is None and observation is not None and observation.vendor is not None:
        version = server_version(observation.vendor, observation.version)
        context.cache = StatementCache(Classifier(version), context.settings.digest_cache_size)


async def run_until_signal(origin: Origin, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP has the settings and certificates read again."""
    stop, hangup = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, hangup.set)
    with contextlib.suppress(asyncio.CancelledError):
        await run(origin, settings, stop, hangup)
