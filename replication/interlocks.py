"""Interlocks between two servers: why one can never follow the other, with the remedy. Pure."""

from collections.abc import Iterable

from replication.actions import Wanted
from replication.errors import Refused
from replication.facts import Channel, ServerFacts
from topology.servers import Vendor

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def check_primary(primary: ServerFacts) -> None:
    """Raise Refused when no replica can ever follow this primary."""
    if not primary.on("log_bin"):
        raise Refused(
            f"{primary.server} writes no binary log (log_bin is OFF), so no replica can follow it",
            "put log_bin and a server_id of its own into its configuration and restart it",
        )
    if primary.server_id == 0:
        raise Refused(
            f"{primary.server} has server_id 0 and refuses replicas", "give it another: SET GLOBAL server_id = 1"
        )
    _check_gtid_mode(primary)
    if primary.channels and not logs_what_it_applies(primary):
        raise Refused(
            f"{primary.server} is itself a replica and does not log what it applies",
            "switch log_slave_updates (log_replica_updates) on there, or name its own primary as the primary",
        )


def check_pair(primary: ServerFacts, target: ServerFacts, wanted: Wanted) -> None:
    if target.is_primary:
        raise Refused(
            f"{target.server} is the primary itself ({primary.server}) under another address",
            "name each server once",
        )
    _check_not_exchanged(primary, target)
    check_fits(primary, target)
    if target.followers:
        raise Refused(
            f"{target.server} has replicas of its own ({', '.join(target.followers)})",
            "attach those to the primary first, then run this again",
        )
    if wanted.host in LOOPBACK and target.server.host not in LOOPBACK:
        raise Refused(
            f"{target.server} cannot reach the primary as {wanted.host}:{wanted.port}, which is a loopback address",
            "name the address that the replicas see with --primary-address HOST:PORT",
        )


def _check_not_exchanged(primary: ServerFacts, target: ServerFacts) -> None:
    if any(is_source(channel, target) for channel in primary.channels):
        raise Refused(
            f"{primary.server} follows {target.server}: their roles were exchanged",
            f"name {target.name} as the primary and {primary.name} as a replica",
        )


def is_source(channel: Channel, server: ServerFacts) -> bool:
    """Whether `channel` leads to `server`, as far as one that is reached under another address can be known."""
    if server.vendor is Vendor.MYSQL and channel.source_id:
        return channel.source_id == server.identity
    return (channel.host, channel.port) == (server.server.host, server.server.port)


def check_fits(primary: ServerFacts, target: ServerFacts) -> None:
    """Raise Refused when `target` can never follow `primary`."""
    if target.vendor is not primary.vendor:
        raise Refused(
            f"{target.server} is {target.vendor} {target.version_text} but {primary.server} is {primary.vendor} "
            f"{primary.version_text}",
            "primary and replicas must be of one vendor",
        )
    if target.version[:2] < primary.version[:2]:
        raise Refused(
            f"{target.server} ({target.version_text}) is older than {primary.server} ({primary.version_text})",
            "upgrade the replica first: an older server may not understand a newer one's binary log",
        )
    if target.identity == primary.identity and target.vendor is Vendor.MYSQL:
        raise _same_uuid(target, primary)
    _check_gtid_mode(target)
    _check_case_rules(primary, target)


def _check_gtid_mode(facts: ServerFacts) -> None:
    if facts.vendor is Vendor.MYSQL and not facts.on("gtid_mode"):
        raise Refused(
            f"{facts.server} has gtid_mode {facts.variables.get('gtid_mode', 'unknown')}",
            "run there, one after the other: SET PERSIST enforce_gtid_consistency = ON; "
            "SET PERSIST gtid_mode = OFF_PERMISSIVE; SET PERSIST gtid_mode = ON_PERMISSIVE; SET PERSIST gtid_mode = ON",
        )


def _check_case_rules(primary: ServerFacts, target: ServerFacts) -> None:
    variable = "lower_case_table_names"
    ours, theirs = primary.variables.get(variable), target.variables.get(variable)
    if ours != theirs:
        raise Refused(
            f"{target.server} has {variable} = {theirs} but {primary.server} has {ours}",
            "set up the replica anew with the primary's value; it cannot be changed later",
        )


def check_unique_identity(target: ServerFacts, targets: Iterable[ServerFacts]) -> None:
    for other in targets:
        same = other.identity == target.identity and other.vendor is Vendor.MYSQL
        if other.name != target.name and same:
            raise _same_uuid(target, other)


def _same_uuid(target: ServerFacts, other: ServerFacts) -> Refused:
    return Refused(
        f"{target.server} and {other.server} have the same server_uuid {target.identity}",
        f"stop {target.name}, delete auto.cnf in its data directory, and start it again",
    )


def logs_what_it_applies(primary: ServerFacts) -> bool:
    """Whether what this server gets as a replica is in its own binary log."""
    return primary.on("log_slave_updates") or primary.on("log_replica_updates")
