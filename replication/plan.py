"""What has to be done to each replica, and why something must not be done. Pure: facts in, decisions out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from replication.errors import Diverged, Refused, ReplicationBroken
from replication.facts import Channel, Phase, ServerFacts
from topology.errors import ManyreadsError
from topology.gtid import beyond, covers, shares_history
from topology.servers import Vendor

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
# Denied, host not allowed, no connection, host unknown, connection lost, TLS, secure connection wanted.
_REACHING_FAILED = frozenset({1045, 1130, 2003, 2005, 2013, 2026, 2061})
# Equal server_ids: ER_MASTER_FATAL_ERROR (MariaDB) and ER_RPL_FATAL_ERROR (MySQL 8 and later).
_SAME_SERVER_ID = frozenset({1593, 13117})
# ER_MASTER_FATAL_ERROR_READING_BINLOG, and its name since MySQL 8.
_READING_BINLOG = frozenset({1236, 13114})
# The replica's own copy of the events is damaged: ER_SLAVE_RELAY_LOG_READ_FAILURE, 13121 since MySQL 8.
_RELAY_LOG = frozenset({1594, 13121})


_SMALL_BYTES = 10_000_000
_SMALL_TABLES = 10
UNFINISHED = frozenset({Phase.COPYING, Phase.INDEXING})


class Users(StrEnum):
    """What becomes of the replica's accounts when it is copied."""

    COPY = "copy"
    KEEP = "keep"


class Action(StrEnum):
    """What is done to one replica."""

    LEAVE = "leave alone"
    RESTART = "restart replication"
    REPOINT = "attach again"
    ATTACH = "attach"
    RENEW = "write anew what differs"
    COPY = "copy"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator asked for; `host` and `port` are where the replicas reach the primary.

    Replicas in `recopy` are copied whatever they are, as far as they may be; with `renew` only what differs. `taken`
    are server_ids of servers that are not looked at. `least` and `most` bound what may be done, in the order in which
    Action lists it.
    """

    host: str
    port: int
    force: frozenset[str] = frozenset()
    recopy: frozenset[str] = frozenset()
    renew: bool = False
    taken: frozenset[int] = frozenset()
    least: Action = Action.LEAVE
    most: Action = Action.COPY


@dataclass(frozen=True, slots=True)
class ReplicaPlan:
    """The decision about one replica. `new_server_id` is None when its own may stay."""

    facts: ServerFacts
    action: Action
    reason: str
    new_server_id: int | None = None
    warnings: tuple[str, ...] = field(default=())


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


def decide(primary: ServerFacts, target: ServerFacts, wanted: Wanted) -> ReplicaPlan:
    """What to do to one replica; raises Refused or ReplicationBroken with the remedy when nothing may be done."""
    _check_pair(primary, target, wanted)
    forced = target.name in wanted.force
    ours = [channel for channel in target.channels if _is_ours(channel, primary, wanted)]
    if len(ours) < len(target.channels) and not forced:
        raise _foreign(target, next(channel for channel in target.channels if channel not in ours), primary)
    if target.name in wanted.recopy:
        copy = _recopy(primary, target, bool(ours), forced)
        return replace(copy, action=Action.RENEW) if wanted.renew else copy
    if ours and len(ours) == len(target.channels) and not _was_interrupted(target, primary):
        return _following(primary, target, ours[0], forced)
    return _not_following(primary, target, forced)


def decide_all(
    primary: ServerFacts, targets: Sequence[ServerFacts], wanted: Wanted
) -> dict[str, ReplicaPlan | ManyreadsError]:
    """Each replica's plan, or the reason why it gets none, by name; server_ids made unique among all of them."""
    numbers = new_server_ids(primary, targets, wanted.taken)
    decisions: dict[str, ReplicaPlan | ManyreadsError] = {}
    for target in targets:
        try:
            plan = _bounded(decide(primary, target, wanted), wanted)
            _check_unique_identity(target, targets)
        except ManyreadsError as error:
            decisions[target.name] = error
            continue
        decisions[target.name] = _with_server_id(plan, numbers.get(target.name))
    return decisions


_ORDER = tuple(Action)


def _bounded(plan: ReplicaPlan, wanted: Wanted) -> ReplicaPlan:
    """The plan with no less and no more than is wanted; raises Refused where less would not do."""
    if _ORDER.index(plan.action) < _ORDER.index(wanted.least):
        return replace(plan, action=wanted.least)
    if _ORDER.index(plan.action) <= _ORDER.index(wanted.most):
        return plan
    if wanted.most is Action.RESTART and plan.action is Action.REPOINT and plan.facts.channels:
        return replace(plan, action=Action.RESTART)
    raise Refused(
        f"{plan.facts.server} would have to do more than is allowed: {plan.action}, since {plan.reason}",
        "run startsync, or let the watcher go further with --repair",
    )


def new_server_ids(
    primary: ServerFacts, targets: Iterable[ServerFacts], others: frozenset[int] = frozenset()
) -> dict[str, int]:
    """Name -> new server_id of each replica whose own is 0 or taken by a server before it."""
    listed = tuple(targets)
    taken = {primary.server_id, 0, *others}
    reserved = taken | {target.server_id for target in listed}
    renumbered: dict[str, int] = {}
    for target in listed:
        if target.server_id in taken:
            renumbered[target.name] = max(reserved) + 1
            reserved.add(max(reserved) + 1)
        taken.add(target.server_id)
    return renumbered


def losses(target: ServerFacts) -> str:
    """What wiping `target` would destroy, one schema a line."""
    return "\n".join(
        f"    schema {schema.name}: {schema.tables} tables, about {schema.rows:,} rows, {schema.bytes / 1e6:,.1f} MB"
        for schema in target.user_schemas
    )


def _with_server_id(plan: ReplicaPlan, number: int | None) -> ReplicaPlan:
    if number is None:
        return plan
    # A running replica announced itself under its old number; only a new connection uses the new one.
    action = Action.RESTART if plan.action is Action.LEAVE else plan.action
    return ReplicaPlan(plan.facts, action, plan.reason, number, plan.warnings)


def _check_pair(primary: ServerFacts, target: ServerFacts, wanted: Wanted) -> None:
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


def _check_unique_identity(target: ServerFacts, targets: Iterable[ServerFacts]) -> None:
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


def _is_ours(channel: Channel, primary: ServerFacts, wanted: Wanted) -> bool:
    if primary.vendor is Vendor.MYSQL and channel.source_id == primary.identity:
        return True
    # Another server may have taken over the address. MariaDB knows its source by address and server_id only, and
    # server_ids of strangers are often equal.
    known = ((wanted.host, wanted.port), (primary.server.host, primary.server.port))
    return (channel.host, channel.port) in known


def _marked(target: ServerFacts, primary: ServerFacts) -> bool:
    return target.marker is not None and target.marker.primary == primary.identity


def _was_interrupted(target: ServerFacts, primary: ServerFacts) -> bool:
    return target.marker is not None and _marked(target, primary) and target.marker.phase in UNFINISHED


def _foreign(target: ServerFacts, channel: Channel, primary: ServerFacts) -> Refused:
    return Refused(
        f"{target.server} follows {channel.host}:{channel.port}, which is not {primary.server}",
        f"if that is the same server, give --primary-address {channel.host}:{channel.port}; "
        f"if it shall follow {primary.name} from now on and lose its data, run again with --force {target.name}",
    )


def _recopy(primary: ServerFacts, target: ServerFacts, follows: bool, forced: bool) -> ReplicaPlan:
    managed = follows or _marked(target, primary) or _lost_its_source(primary, target)
    if not forced and target.user_schemas and not managed:
        raise _would_be_lost(target)
    if not forced and beyond(target.vendor, target.gtid, primary.gtid):
        raise Refused(
            f"{target.server} has transactions that {primary.server} lacks",
            f"look at what it has; if that may go, run again with --force {target.name}",
        )
    if not forced:
        _check_not_shrunk(primary, target)
    return _copy(primary, target, "it was asked to be copied again")


def _would_be_lost(target: ServerFacts) -> Refused:
    return Refused(
        f"{target.server} holds data that would be lost:\n{losses(target)}",
        f"if that data may go, run again with --force {target.name}",
    )


def _following(primary: ServerFacts, target: ServerFacts, channel: Channel, forced: bool) -> ReplicaPlan:
    if channel.source_id and channel.source_id != primary.source_id:
        reason = f"{primary.name} is another server now ({primary.source_id}, not {channel.source_id})"
        return _attach_again(primary, target, reason, forced)
    warnings = _ahead_warning(primary, target)
    if channel.running:
        return ReplicaPlan(target, Action.LEAVE, f"already in step with {primary.name}", warnings=warnings)
    if channel.io_errno in _SAME_SERVER_ID or not (channel.io_errno or channel.sql_errno):
        return ReplicaPlan(target, Action.RESTART, f"its replication from {primary.name} is stopped", warnings=warnings)
    if channel.sql_errno in _RELAY_LOG:
        return _attach_again(primary, target, f"its relay log is damaged ({channel.error})", forced)
    if channel.io_errno in _READING_BINLOG and not channel.sql_errno and not forced:
        return _attach_again(primary, target, f"it cannot read the binary log of {primary.name}", forced)
    if channel.io_errno in _REACHING_FAILED and not channel.sql_errno:
        return ReplicaPlan(target, Action.REPOINT, f"it cannot log in at {primary.name}", warnings=warnings)
    if not forced:
        raise ReplicationBroken(
            f"{target.server} follows {primary.name} but stopped with {channel.error}",
            f"to copy it anew run again with --force {target.name}",
        )
    return _copy(primary, target, f"its replication is broken and --force names it ({channel.error})")


def _attach_again(primary: ServerFacts, target: ServerFacts, reason: str, forced: bool) -> ReplicaPlan:
    """Attach by GTID without a copy if its transactions are the primary's and the rest is still to be had there."""
    try:
        _check_data_behind(primary, target)
        _check_continues(primary, target)
    except ReplicationBroken:
        if forced:
            return _copy(primary, target, f"{reason}, and --force names it")
        raise
    return ReplicaPlan(target, Action.REPOINT, f"{reason}; nothing has to be copied")


def _check_continues(primary: ServerFacts, target: ServerFacts) -> None:
    """Raise ReplicationBroken, as a diverged or a purged replica, where GTIDs do not lead on from the target's."""
    remedy = f"look at what it has; if that may go, run again with --force {target.name}"
    if beyond(target.vendor, target.gtid, primary.gtid) or not _same_history(primary, target):
        raise Diverged(f"{target.server} has transactions that {primary.server} lacks", remedy)
    if not covers(target.vendor, target.applied, primary.purged):
        raise ReplicationBroken(
            f"what {target.server} lacks is not in the binary log of {primary.server} any more",
            f"to copy it anew run again with --force {target.name}",
        )


def _same_history(primary: ServerFacts, target: ServerFacts) -> bool:
    if target.vendor is Vendor.MYSQL:
        return True
    parts = (primary.variables.get(name, "") for name in ("gtid_binlog_state", "gtid_slave_pos"))
    return shares_history(target.applied, ",".join(parts))


def _ahead_warning(primary: ServerFacts, target: ServerFacts) -> tuple[str, ...]:
    if not beyond(target.vendor, target.gtid, primary.gtid):
        return ()
    return (f"it has transactions that {primary.name} lacks ({target.gtid}); something wrote to it",)


def _not_following(primary: ServerFacts, target: ServerFacts, forced: bool) -> ReplicaPlan:
    if forced:
        return _copy(primary, target, "--force names it")
    if _lost_its_source(primary, target):
        return ReplicaPlan(target, Action.REPOINT, "it was a replica and lost its source; nothing has to be copied")
    if target.marker is not None and _marked(target, primary):
        return _marked_but_not_following(primary, target, target.marker.phase)
    if target.user_schemas:
        raise _would_be_lost(target)
    return _copy(primary, target, "it is blank")


def _lost_its_source(primary: ServerFacts, target: ServerFacts) -> bool:
    """Whether its data is a copy that was complete once, of this primary or of one that it took over from."""
    marker = target.marker
    if marker is None or marker.phase is not Phase.DONE or not target.applied or not primary.user_schemas:
        return False
    try:
        _check_continues(primary, target)
    except ReplicationBroken:
        return False
    # A position that was set back says nothing about the data any more.
    return covers(target.vendor, target.applied, marker.gtid)


def _marked_but_not_following(primary: ServerFacts, target: ServerFacts, phase: Phase) -> ReplicaPlan:
    if phase is Phase.ATTACHING:
        return ReplicaPlan(target, Action.ATTACH, "its data is complete; the run before ended while attaching it")
    if phase in UNFINISHED:
        return _copy(primary, target, "the run before ended while copying it")
    if beyond(target.vendor, target.gtid, primary.gtid):
        raise Refused(
            f"{target.server} was a replica of {primary.name} and has got transactions since that {primary.name} lacks",
            f"if those may go, run again with --force {target.name}",
        )
    _check_not_shrunk(primary, target)
    return _copy(primary, target, f"it was a replica of {primary.name} and does not follow it any more")


def _copy(primary: ServerFacts, target: ServerFacts, reason: str) -> ReplicaPlan:
    """A copy; those that nobody asked for with --force call `_check_not_shrunk` before."""
    _check_data_behind(primary, target)
    return ReplicaPlan(target, Action.COPY, reason)


def _check_data_behind(primary: ServerFacts, target: ServerFacts) -> None:
    if target.user_schemas and not primary.user_schemas:
        raise Refused(
            f"{primary.server} holds no data but {target.server} does:\n{losses(target)}",
            "check that these are not mixed up; to set up from an empty primary, drop the replica's schemas first",
        )


def _check_not_shrunk(primary: ServerFacts, target: ServerFacts) -> None:
    """Raise Refused when the copy holds so much more than the primary that the primary may be the one that lost data.

    Sizes are the servers' estimates, and of small tables say little.
    """
    ours, theirs = target.user_schemas, primary.user_schemas
    size, left = sum(each.bytes for each in ours), sum(each.bytes for each in theirs)
    tables, tables_left = sum(each.tables for each in ours), sum(each.tables for each in theirs)
    shrunk = size > 2 * left and size - left > _SMALL_BYTES
    if shrunk or (tables > 2 * tables_left and tables - tables_left > _SMALL_TABLES):
        raise Refused(
            f"{primary.server} holds less than half of what {target.server} does: {tables_left} tables of "
            f"{left / 1e6:,.1f} MB against {tables} of {size / 1e6:,.1f} MB",
            f"find out whether {primary.name} lost data; if it shall be copied, run again with --force {target.name}",
        )
