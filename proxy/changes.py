"""What a change of the settings means for a proxy that runs. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from topology.config import Settings
from topology.effective import shown
from topology.environment import Deployment
from topology.servers import Server


class Effect(StrEnum):
    """From when on a changed setting holds."""

    AT_ONCE = "at once"
    CLIENTS = "for clients that come from now on"
    CONNECTIONS = "for server connections that are opened from now on"
    RESTART = "not before a restart"


# All others need a restart.
_EFFECTS: Final[Mapping[str, Effect]] = {
    **dict.fromkeys(
        "accounts admin_users allowed_users audit_log balance connect_timeout consistency drain_timeout environment "
        "errant_transactions failed_logins find_replicas freshness_wait http_token http_token_file kill_on_disconnect "
        "log_format log_level log_sample login_timeout long_query_time max_lag memory_limit preferred_lag "
        "primary_reads probe_interval readers readers_file rules server_connection_idle "
        "server_connection_queue server_connection_wait slow_start spare_connections statement_texts weights".split(),
        Effect.AT_ONCE,
    ),
    **dict.fromkeys(
        "allowed_networks "
        "compression long_data_limit max_connections max_connections_per_address primary_wait proxy_protocol_networks "
        "statements_per_connection tls tls_certificate tls_client_ca tls_key transaction_reads transaction_replay "
        "transaction_replay_limit transaction_replay_users statement_timeout user_statement_timeouts".split(),
        Effect.CLIENTS,
    ),
    **dict.fromkeys(
        "server_connection_lifetime server_connections server_connections_per_user".split(), Effect.CONNECTIONS
    ),
}


def effect_of(key: str) -> Effect:
    """From when on another value of `key` holds."""
    return _EFFECTS.get(key, Effect.RESTART)


@dataclass(frozen=True, slots=True)
class Change:
    """One key with another value; the values as they may be shown, without passwords."""

    key: str
    before: str
    after: str

    def __str__(self) -> str:
        effect = effect_of(self.key)
        # Equal where only a password differs.
        values = "changed" if self.before == self.after else f"{self.before} -> {self.after}"
        return f"{self.key}: {values}, {effect}"


def changes(old: Settings, new: Settings) -> list[Change]:
    """The keys that differ, in the order of their definition."""
    return [
        Change(key, shown(key, old), shown(key, new))
        for key in Settings.model_fields
        if getattr(old, key) != getattr(new, key)
    ]


def in_force(old: Settings, new: Settings) -> Settings:
    """The settings of a running proxy after a change: what needs a restart stays as it is."""
    held: dict[str, Any] = {key: getattr(old, key) for key in Settings.model_fields if effect_of(key) is Effect.RESTART}
    return new.model_copy(update=held)


def settled(replicas: tuple[Server, ...], names: Mapping[str, str]) -> Iterator[Server]:
    """The replicas under names that no other address ever had: `names` are those given so far, by address.

    What sessions have of a replica is kept by its name.
    """
    given = dict(names)
    for server in replicas:
        if server.address not in given:
            given[server.address] = _unused(server.name, set(given.values()))
        yield server.named(given[server.address])


def _unused(name: str, used: set[str]) -> str:
    stem = name.rstrip("0123456789")
    number = 1
    while name in used:
        name, number = f"{stem}{number}", number + 1
    return name


def moves(before: Deployment, after: tuple[Server, ...]) -> Iterator[str]:
    """What changes about the replicas, in words."""
    known = {server.name: server for server in before.replicas}
    for server in after:
        if server.name not in known:
            yield f"{server} is a replica from now on"
        elif server != known[server.name]:
            yield f"{server} is looked after in another way"
    names = {server.name for server in after}
    for server in before.replicas:
        if server.name not in names:
            yield f"{server} gets no more reads, and its connections end as they come to rest"
