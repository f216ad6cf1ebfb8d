"""Whether a proxy could start with its settings, told without starting one: no port is taken, no server asked."""

import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.origin import Origin
from proxy.session.shared.configured import rules_of, shares_of
from proxy.tracing.start import require_packages
from topology.config import Settings
from topology.environment import Deployment
from topology.errors import ConfigError
from topology.servers import ServerTls
from topology.servertls import server_context
from topology.settings import Fault, Loaded, SettingsError, load, misspelt
from topology.tlsfiles import load_authorities, load_certificate


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, what is only doubtful, and which servers are meant."""

    faults: tuple[Fault, ...]
    warnings: tuple[str, ...] = ()
    summary: str = ""


def findings(file: Path | None, variables: Mapping[str, str], flags: Mapping[str, Any]) -> Findings:
    """Everything that can be said of settings from these sources."""
    doubts = tuple(map(str, misspelt(variables)))
    try:
        loaded = load(file, variables, flags)
    except SettingsError as error:
        return Findings(error.faults, doubts)
    faults = list(_unusable(loaded))
    try:
        deployment = Origin(file, variables, flags).deployment(loaded.settings)
    except ConfigError as error:
        return Findings((*faults, _servers_fault(loaded, error)), doubts)
    return Findings(
        tuple(faults), (*doubts, *_of_names(loaded.settings, deployment)), _summary(loaded.settings, deployment)
    )


def _summary(settings: Settings, deployment: Deployment) -> str:
    found = f"writes to {deployment.primary}, reads to the replicas that it names"
    return found if settings.searches else deployment.summary


def _servers_fault(loaded: Loaded, error: ConfigError) -> Fault:
    key = next((key for key in ("readers", "writer", "environment") if key in loaded.sources), "writer")
    return Fault(loaded.sources.get(key, ""), key, f"{error.problem}; {error.remedy}")


def _unusable(loaded: Loaded) -> Iterator[Fault]:
    for key, use in _uses(loaded.settings):
        try:
            use()
        except ConfigError as error:
            yield Fault(loaded.sources.get(key, ""), key, f"{error.problem}; {error.remedy}")


def _uses(settings: Settings) -> Iterator[tuple[str, Callable[[], object]]]:
    """The keys that name files, or need packages, and what is done with these at a start."""
    yield "tracing", lambda: require_packages(settings)
    clients = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, authorities = settings.tls_certificate, settings.tls_client_ca
    if settings.tls != "off" and certificate is not None:
        yield "tls_certificate", lambda: load_certificate(clients, certificate, settings.tls_key)
    if settings.tls != "off" and authorities is not None:
        yield "tls_client_ca", lambda: load_authorities(clients, authorities)
    if settings.server_tls is not ServerTls.OFF:
        yield "server_tls", lambda: server_context(settings.server_tls_policy)


def _of_names(settings: Settings, deployment: Deployment) -> Iterator[str]:
    """What names servers that there are not, or does less than it seems to."""
    rules = rules_of(settings.rules)
    if rules is not None:
        yield from rules.warnings(frozenset(server.name for server in deployment.replicas))
    if not settings.searches:
        yield from shares_of(settings).warnings([server.name for server in deployment.servers])
