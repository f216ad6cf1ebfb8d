"""What has to be done to each replica, and why something must not be done. Pure: facts in, decisions out."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from replication.actions import Action, ReplicaPlan, Wanted
from replication.dataguards import check_continues, check_data_behind, check_not_shrunk, find_lender, would_be_lost
from replication.errors import Purged, Refused, ReplicationBroken
from replication.facts import UNFINISHED, Channel, Phase, ServerFacts
from replication.interlocks import check_pair, check_unique_identity
from topology.errors import ManyreadsError
from topology.gtid import beyond, covers
from topology.servers import Vendor

# Denied, host not allowed, no connection, host unknown, connection lost, TLS, secure connection wanted.
_REACHING_FAILED = frozenset({1045, 1130, 2003, 2005, 2013, 2026, 2061})
# Equal server_ids: ER_MASTER_FATAL_ERROR (MariaDB) and ER_RPL_FATAL_ERROR (MySQL 8 and later).
_SAME_SERVER_ID = frozenset({1593, 13117})
# ER_MASTER_FATAL_ERROR_READING_BINLOG, and its name since MySQL 8.
_READING_BINLOG = frozenset({1236, 13114})
_ORDER = tuple(Action)
# Bytes that are worth a word about the disk.
_MUCH_MORE = 1_000_000_000


def decide(primary: ServerFacts, target: ServerFacts, wanted: Wanted) -> ReplicaPlan:
    """What to do to one replica; raises Refused or ReplicationBroken with the remedy when nothing may be done."""
    check_pair(primary, target, wanted)
    forced = target.name in wanted.force
    ours = [channel for channel in target.channels if _is_ours(channel, primary, wanted)]
    detoured = _was_on_a_detour(target, primary)
    if len(ours) < len(target.channels) and not forced and not detoured:
        raise _foreign(target, next(channel for channel in target.channels if channel not in ours), primary)
    if target.name in wanted.recopy:
        copy = _recopy(primary, target, bool(ours), forced)
        return replace(copy, action=_way(target, wanted.by))
    if detoured:
        return _attach_again(primary, target, "the run before ended while it followed another replica", forced)
    if ours and len(ours) == len(target.channels) and not _was_interrupted(target, primary):
        return _following(primary, target, ours[0], forced)
    return _not_following(primary, target, forced)


def decide_all(
    primary: ServerFacts, targets: Sequence[ServerFacts], wanted: Wanted, lenders: Sequence[ServerFacts] = ()
) -> dict[str, ReplicaPlan | ManyreadsError]:
    """Each replica's plan, or the reason why it gets none, by name; server_ids made unique among all of them.

    Nothing is done to `lenders`, other replicas whose binary logs may be used.
    """
    numbers = new_server_ids(primary, targets, wanted.taken)
    decisions: dict[str, ReplicaPlan | ManyreadsError] = {}
    for target in targets:
        try:
            plan = _bounded(_decide_with(primary, target, wanted, (*targets, *lenders)), wanted)
            check_unique_identity(target, targets)
        except ManyreadsError as error:
            decisions[target.name] = error
            continue
        decisions[target.name] = _with_warnings(primary, _with_server_id(plan, numbers.get(target.name)))
    return decisions


def _decide_with(
    primary: ServerFacts, target: ServerFacts, wanted: Wanted, others: Iterable[ServerFacts]
) -> ReplicaPlan:
    try:
        return decide(primary, target, wanted)
    except Purged:
        lender = find_lender(primary, target, others)
        if lender is None:
            raise
        reason = f"what it lacks is in the binary log of {lender.name} alone; nothing has to be copied"
        return ReplicaPlan(target, Action.DETOUR, reason, lender=lender)


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


def _with_server_id(plan: ReplicaPlan, number: int | None) -> ReplicaPlan:
    if number is None:
        return plan
    # A running replica announced itself under its old number; only a new connection uses the new one.
    action = Action.RESTART if plan.action is Action.LEAVE else plan.action
    return replace(plan, action=action, new_server_id=number)


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


def _was_on_a_detour(target: ServerFacts, primary: ServerFacts) -> bool:
    return target.marker is not None and _marked(target, primary) and target.marker.phase is Phase.DETOUR


def _foreign(target: ServerFacts, channel: Channel, primary: ServerFacts) -> Refused:
    return Refused(
        f"{target.server} follows {channel.address}, which is not {primary.server}",
        f"if that is the same server, give --primary-address {channel.address}; "
        f"if it shall follow {primary.name} from now on and lose its data, run again with --force {target.name}",
    )


def _way(target: ServerFacts, by: Action) -> Action:
    """How it is copied: what is blank, or not whole, serves nobody meanwhile."""
    unfinished = target.marker is not None and target.marker.phase in UNFINISHED
    return Action.COPY if by is Action.SHADOW and (unfinished or not target.user_schemas) else by


def _with_warnings(primary: ServerFacts, plan: ReplicaPlan) -> ReplicaPlan:
    name = plan.facts.name
    size = sum(schema.bytes for schema in primary.user_schemas)
    more = size - sum(schema.bytes for schema in plan.facts.user_schemas)
    if plan.action is Action.COPY and more >= _MUCH_MORE:
        warning = f"needs room on its disk for {more / 1e6:,.1f} MB more at least; no SQL tells what is free"
    elif plan.action is Action.SHADOW:
        warning = f"needs room on its disk for a second copy, at least {size / 1e6:,.1f} MB; no SQL tells what is free"
    elif plan.facts.shadow is not None and plan.action is not Action.COPY:
        warning = f"a copy beside its tables was begun and not finished: resync {name} --shadow goes on with it"
    else:
        return plan
    return replace(plan, warnings=(*plan.warnings, warning))


def _recopy(primary: ServerFacts, target: ServerFacts, follows: bool, forced: bool) -> ReplicaPlan:
    managed = follows or _marked(target, primary) or _lost_its_source(primary, target)
    if not forced and target.user_schemas and not managed:
        raise would_be_lost(target)
    if not forced and beyond(target.vendor, target.gtid, primary.gtid):
        raise Refused(
            f"{target.server} has transactions that {primary.server} lacks",
            f"look at what it has; if that may go, run again with --force {target.name}",
        )
    if not forced:
        check_not_shrunk(primary, target)
    return _copy(primary, target, "it was asked to be copied again")


def _following(primary: ServerFacts, target: ServerFacts, channel: Channel, forced: bool) -> ReplicaPlan:
    if channel.source_id and channel.source_id != primary.source_id:
        reason = f"{primary.name} is another server now ({primary.source_id}, not {channel.source_id})"
        return _attach_again(primary, target, reason, forced)
    warnings = _ahead_warning(primary, target)
    if channel.running:
        return ReplicaPlan(target, Action.LEAVE, f"already in step with {primary.name}", warnings=warnings)
    if channel.relay_log_damaged:
        error = f" ({channel.error})" if channel.error else ""
        return _attach_again(primary, target, f"its relay log is damaged{error}", forced)
    if channel.io_errno in _SAME_SERVER_ID or not (channel.io_errno or channel.sql_errno):
        return ReplicaPlan(target, Action.RESTART, f"its replication from {primary.name} is stopped", warnings=warnings)
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
        check_data_behind(primary, target)
        check_continues(primary, target)
    except ReplicationBroken:
        if forced:
            return _copy(primary, target, f"{reason}, and --force names it")
        raise
    return ReplicaPlan(target, Action.REPOINT, f"{reason}; nothing has to be copied")


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
        raise would_be_lost(target)
    return _copy(primary, target, "it is blank")


def _lost_its_source(primary: ServerFacts, target: ServerFacts) -> bool:
    """Whether its data is a copy that was complete once, of this primary or of one that it took over from."""
    marker = target.marker
    if marker is None or marker.phase is not Phase.DONE or not target.applied or not primary.user_schemas:
        return False
    try:
        check_continues(primary, target)
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
    check_not_shrunk(primary, target)
    return _copy(primary, target, f"it was a replica of {primary.name} and does not follow it any more")


def _copy(primary: ServerFacts, target: ServerFacts, reason: str) -> ReplicaPlan:
    """A copy; those that nobody asked for with --force call `check_not_shrunk` before."""
    check_data_behind(primary, target)
    return ReplicaPlan(target, Action.COPY, reason)
