"""The composition root: starts the parts, and stops them in order."""

import asyncio
import contextlib
import logging
import signal
from typing import TYPE_CHECKING

from proxy.building import Own, context_of, last_spans, monitor_of, spans_of
from proxy.declared import Declared
from proxy.doors import Doors
from proxy.listener import Listener
from proxy.notify import Notifier
from proxy.origin import Origin
from proxy.reload import Reloader, rules, warn_of_weights
from proxy.session.shared.alone import Alone
from proxy.session.shared.context import Context
from proxy.tls.loginkey import login_key
from topology.addresses import endpoint
from topology.config import Settings
from topology.monitor import Monitor

if TYPE_CHECKING:
    from proxy.workers.parent import Parent

log = logging.getLogger(__name__)


async def run(origin: Origin, settings: Settings, stop: asyncio.Event, hangup: asyncio.Event) -> None:
    """Serve until `stop` is set, then drain. `settings` are those of `origin`, which is read again on `hangup`."""
    notifier = Notifier(origin.variables)
    monitor = monitor_of(origin, settings)
    replicas = [server.name for server in monitor.deployment.replicas]
    if not settings.searches:
        warn_of_weights(settings, monitor.deployment)
    async with asyncio.TaskGroup() as tasks:
        # With workers it is they who have sessions.
        spans = spans_of(settings) if settings.processes == 1 else None
        own = Own(await asyncio.to_thread(login_key, settings))
        context = await context_of(settings, monitor, tasks, rules(settings, replicas), spans, own)
        parent = _parent(context, monitor) if settings.processes > 1 else None
        if parent is None:
            context.colleagues = Alone(context, monitor)
            doors = Doors(context, Listener(context), None, origin.variables, hangup)
            reloader = Reloader(context, monitor, origin, notifier)
        else:
            doors = Doors(context, parent, parent.exposition, origin.variables, hangup)
            reloader = Reloader(context, monitor, origin, notifier, parent.heed)
        running = [monitor.run(), reloader.watch(hangup), reloader.search(), context.tick()]
        if context.pool is not None and parent is None:
            running.append(context.pool.keep())
        if settings.trust_sql_data_access and parent is None:
            running.append(Declared(context).keep())
        watching = [tasks.create_task(work) for work in running]
        await _serve(context, monitor, reloader, notifier, doors, stop)
        for task in watching:
            task.cancel()
    log.info("stopped")


def _parent(context: Context, monitor: Monitor) -> "Parent":
    # Here and not above: a single process has no need of it, and would start later.
    from proxy.workers.parent import Parent

    return Parent(context, monitor)


async def _serve(
    context: Context, monitor: Monitor, reloader: Reloader, notifier: Notifier, doors: Doors, stop: asyncio.Event
) -> None:
    host, port = await doors.open()
    await monitor.first_round()
    await reloader.search_once()
    await context.directory.refresh_quietly()
    offering = await doors.serve(stop)
    log.info("serving on %s: %s", endpoint(host, port), monitor.deployment.summary)
    notifier.ready()
    await stop.wait()
    notifier.stopping()
    log.info("stopping: %d sessions to drain", context.clients)
    await doors.close()
    await last_spans(context)
    if offering is not None:
        offering.cancel()


async def run_until_signal(origin: Origin, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP has the settings and certificates read again."""
    stop, hangup = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, hangup.set)
    with contextlib.suppress(asyncio.CancelledError):
        await run(origin, settings, stop, hangup)
