"""Puts together what a process of the proxy is made of."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from proxy.accounts.directory import Directory
from proxy.backend.greetings import Greetings
from proxy.origin import Origin
from proxy.reload import certificate_of, towards_servers
from proxy.routing.rules import Rules
from proxy.session.shared.configured import limits_of, shares_of
from proxy.session.shared.context import Context
from proxy.session.shared.spans import Spans
from proxy.sql.cache import StatementCache
from proxy.sql.classify import Classifier
from proxy.sql.comments import server_version
from proxy.tls.selfmade import OfThisRun
from proxy.tracing.start import exporter_of, require_packages
from proxy.wire.rsakey import RsaKey
from topology.config import Settings
from topology.monitor import Monitor
from topology.servers import Snapshot
from topology.watch import Watch

# In seconds.
_LAST_SPANS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Own:
    """What is the same in all processes of a proxy: the RSA `key`, and the certificate of this run."""

    key: RsaKey
    of_this_run: OfThisRun = field(default_factory=OfThisRun)


def monitor_of(origin: Origin, settings: Settings) -> Monitor:
    """What watches the servers of the settings, which come from `origin`. Raises ConfigError."""
    deployment = origin.deployment(settings)
    # Files that cannot be used, and packages that are missing, shall stop the start, not each login.
    towards_servers(settings)
    require_packages(settings)
    return Monitor(
        deployment,
        interval=settings.probe_interval,
        within=settings.probe_timeout,
        limits=limits_of(settings),
        shares=shares_of(settings),
        tie=deployment.primary.name if settings.on_two_primaries == "configured" else "",
    )


async def context_of(
    settings: Settings,
    monitor: Watch,
    tasks: asyncio.TaskGroup,
    rules: Rules | None,
    spans: Spans | None,
    own: Own,
) -> Context:
    """What the sessions of a process share; it goes by what `monitor` finds. `own` is what it shows to clients."""
    context = Context(
        settings=settings,
        monitor=monitor,
        directory=Directory(monitor.snapshot.primary.server, settings.accounts, settings.probe_timeout),
        greetings=Greetings(settings.connect_timeout),
        key=own.key,
        tasks=tasks,
        rules=rules,
        certificate=certificate_of(settings, own.of_this_run),
        of_this_run=own.of_this_run,
        spans=spans,
    )
    monitor.on_change(lambda snapshot: _learn_vendor(context, snapshot))
    monitor.on_change(context.gate.look)
    monitor.on_move(context.follow)
    monitor.on_silence(context.abandon)
    _learn_vendor(context, monitor.snapshot)
    context.gate.look(monitor.snapshot)
    return context


def spans_of(settings: Settings) -> Spans | None:
    """What makes spans of a process's statements, if they are traced. Raises ConfigError."""
    exporter = exporter_of(settings)
    return None if exporter is None else Spans(exporter, settings.tracing_ratio)


async def last_spans(context: Context) -> None:
    """Send what is left of them, for a moment at most: the collector can be away."""
    if context.spans is not None:
        await asyncio.to_thread(context.spans.exporter.close, _LAST_SPANS)


def _learn_vendor(context: Context, snapshot: Snapshot) -> None:
    observation = snapshot.primary.observation
    if context.cache is None and observation is not None and observation.vendor is not None:
        version = server_version(observation.vendor, observation.version)
        classifier = Classifier(version, context.settings.read_functions)
        context.cache = StatementCache(classifier, context.settings.digest_cache_size)
