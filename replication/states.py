"""Which state a replica is in, why, and what helps. Pure: what was seen in, verdicts out.

`_RULES` is the whole of it: the first rule that has a reason decides.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from replication.errors import ExitCode
from replication.facts import UNFINISHED, Channel, Phase
from replication.lag import lag_by_heartbeat
from replication.seen import PrimarySeen, ReplicaSeen, Seen
from topology.gtid import beyond, covers, missing
from topology.replicastatus import WORKER_STOPPED_BY_ANOTHER
from topology.servers import Vendor


class State(StrEnum):
    """What a replica is good for, and what it takes to mend it."""

    UNREACHABLE = "UNREACHABLE"
    WAITING = "WAITING"
    STANDALONE_EMPTY = "STANDALONE_EMPTY"
    STANDALONE_DATA = "STANDALONE_DATA"
    COPYING = "COPYING"
    INDEXING = "INDEXING"
    CATCHING_UP = "CATCHING_UP"
    HEALTHY = "HEALTHY"
    LAGGING = "LAGGING"
    BROKEN_RETRY = "BROKEN_RETRY"
    BROKEN_REPOINT = "BROKEN_REPOINT"
    DIVERGED = "DIVERGED"
    PURGED = "PURGED"
    AHEAD = "AHEAD"
    FOREIGN = "FOREIGN"


EXIT_CODES = {
    State.HEALTHY: ExitCode.OK,
    State.LAGGING: ExitCode.LAGGING,
    State.UNREACHABLE: ExitCode.NOT_READY,
    State.WAITING: ExitCode.NOT_READY,
    State.STANDALONE_EMPTY: ExitCode.NOT_READY,
    State.COPYING: ExitCode.NOT_READY,
    State.INDEXING: ExitCode.NOT_READY,
    State.CATCHING_UP: ExitCode.NOT_READY,
    State.STANDALONE_DATA: ExitCode.BROKEN,
    State.BROKEN_RETRY: ExitCode.BROKEN,
    State.BROKEN_REPOINT: ExitCode.BROKEN,
    State.PURGED: ExitCode.BROKEN,
    State.FOREIGN: ExitCode.BROKEN,
    State.DIVERGED: ExitCode.DIVERGED,
    State.AHEAD: ExitCode.DIVERGED,
}
_WORST_FIRST = (ExitCode.DIVERGED, ExitCode.BROKEN, ExitCode.NOT_READY, ExitCode.LAGGING)

# Denied, host not allowed, socket account, TLS refused, secure connection wanted, secure transport required.
_LOGIN_FAILED = frozenset({1045, 1130, 1698, 2026, 2061, 3118, 3159})
# ER_MASTER_FATAL_ERROR (MariaDB) and ER_RPL_FATAL_ERROR (MySQL 8 and later).
_FATAL = frozenset({1593, 13117})
# ER_MASTER_FATAL_ERROR_READING_BINLOG, and its name since MySQL 8.
_READING_BINLOG = frozenset({1236, 13114})
_PURGED_TEXTS = ("purged", "Could not find first log file", "Could not find GTID state")
_AHEAD_TEXTS = ("which is not in the master's binlog", "has more GTIDs")
# Lock wait timeout, deadlock, a network error, disk full, table full, too many connections, shutdown, and a worker
# that was stopped by another one's error, which shows again if it does not pass.
_PASSING_SQL = frozenset(
    {1205, 1213, 1158, 1159, 1160, 1161, 2003, 2006, 2013, 1021, 3, 28, 1114, 1040, 1053, WORKER_STOPPED_BY_ANOTHER}
)


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_lag` is in seconds; a replica further behind is LAGGING."""

    max_lag: float = 10.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of one replica. `lag` is in seconds, None if unknown; `behind` counts transactions, None if unknown."""

    state: State
    reason: str = ""
    remedy: str = ""
    lag: float | None = None
    behind: int | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """One replica with all that its state depends on; `leader` is the replica that the primary itself follows."""

    primary: PrimarySeen
    replica: ReplicaSeen
    lag: float | None
    max_lag: float
    same_id: str = ""
    leader: str = ""

    @property
    def channel(self) -> Channel | None:
        return self.replica.channels[0] if self.replica.channels else None

    @property
    def marked(self) -> bool:
        return self.replica.marker is not None and self.replica.marker.primary == self.primary.identity


def judge(seen: Seen, replica: ReplicaSeen, lag: float | None, limits: Limits = Limits()) -> Verdict:
    """The state of `replica`, which is `lag` seconds behind as far as that is known."""
    case = _Case(seen.primary, replica, lag, limits.max_lag, _same_server_id(seen, replica), _leader(seen))
    state, reason, remedy = _decide(case)
    return Verdict(state, reason, remedy, lag, distance(seen.primary, replica))


def exit_code(verdicts: Iterable[Verdict]) -> ExitCode:
    """The code of the worst state."""
    codes = {EXIT_CODES[verdict.state] for verdict in verdicts}
    return next((code for code in _WORST_FIRST if code in codes), ExitCode.OK)


def is_last_healthy(name: str, states: Mapping[str, State]) -> bool:
    """Whether no replica would be left to serve while this one is copied."""
    others = (state for each, state in states.items() if each != name)
    return states.get(name) is State.HEALTHY and State.HEALTHY not in others


def distance(primary: PrimarySeen, replica: ReplicaSeen) -> int | None:
    """How many transactions of the primary the replica has not executed; None if either was not seen.

    Exact on MySQL; on MariaDB, whose positions are sequence numbers, at most so many.
    """
    if primary.error or replica.error or replica.vendor is not primary.vendor:
        return None
    return missing(primary.vendor, replica.gtid, primary.gtid_before)


def own_lag(primary: PrimarySeen, replica: ReplicaSeen) -> float | None:
    """What a single look knows of the lag, in seconds: 0 with everything there, else what the heartbeat tells.

    Without one it is the server's own figure, which is not believed alone: it is None when it cannot be right.
    """
    if primary.error or replica.error or not replica.channels:
        return None
    if covers(primary.vendor, replica.gtid, primary.gtid_before):
        return 0.0
    if (beaten := lag_by_heartbeat(primary, replica)) is not None:
        return beaten
    running = all(channel.running for channel in replica.channels)
    # Something is missing, so a server that claims to be 0 behind has not noticed yet.
    return replica.seconds_behind or None if running else None


def _same_server_id(seen: Seen, replica: ReplicaSeen) -> str:
    same = (each for each in seen.replicas if each.server_id == replica.server_id and not each.error)
    return next((each.server.name for each in same if each is not replica), "")


def _leader(seen: Seen) -> str:
    """The replica that the primary follows: then writes go there, and the roles in the configuration are old."""
    names = (each.server.name for each in seen.replicas if _is_led_by(seen.primary, each))
    return next(names, "") if not seen.primary.error else ""


def _is_led_by(primary: PrimarySeen, replica: ReplicaSeen) -> bool:
    if replica.error or any(follows(each, primary) for each in replica.channels):
        return False
    # On MariaDB several servers may have one server_id.
    by_id = replica.source_id if replica.vendor is Vendor.MYSQL else ""
    address = (replica.server.host, replica.server.port)
    return any((each.host, each.port) == address or each.source_id == by_id != "" for each in primary.channels)


Decision = tuple[State, str, str]
_Rule = Callable[[_Case], Decision | None]


def _decide(case: _Case) -> Decision:
    for rule in _RULES:
        if decision := rule(case):
            return decision
    raise AssertionError("the last rule always decides")


def _not_seen(case: _Case) -> Decision | None:
    replica = case.replica
    if not replica.error:
        return None
    if replica.passing:
        return State.WAITING, replica.error, "wait; it is starting, stopping or has no connection left"
    return State.UNREACHABLE, replica.error, replica.remedy or f"look whether {replica.server} runs and listens there"


def _exchanged(case: _Case) -> Decision | None:
    if not case.leader or any(follows(each, case.primary) for each in case.replica.channels):
        return None
    old, name = case.primary.server.name, case.replica.server.name
    reason = (
        f"is where writes go: {old}, which is named as the primary, follows it"
        if case.leader == name
        else f"belongs to {case.leader}, which {old}, named as the primary, follows itself"
    )
    return State.FOREIGN, reason, f"name {case.leader} as the primary and {old} as a replica"


def _foreign(case: _Case) -> Decision | None:
    if case.primary.error:
        return None
    stranger = next((each for each in case.replica.channels if not follows(each, case.primary)), None)
    if stranger is None:
        return None
    if case.marked and case.replica.marker is not None and case.replica.marker.phase is Phase.DETOUR:
        return _on_a_detour(case, stranger)
    name = case.replica.server.name
    return (
        State.FOREIGN,
        f"follows {stranger.address}, which is not {case.primary.server}",
        f"take it out of the configuration, or let it lose its data with resync {name} --full --force {name}",
    )


def _on_a_detour(case: _Case, lender: Channel) -> Decision:
    if case.primary.setting_up:
        return State.CATCHING_UP, f"gets from {lender.address} what the primary has purged", "wait"
    reason = f"still follows {lender.address}, where a run let it get what the primary has purged"
    return State.BROKEN_REPOINT, reason, "attach it again: run startsync"


def follows(channel: Channel, primary: PrimarySeen) -> bool:
    """Whether the channel's source is the primary, or was at the primary's address."""
    known = ((primary.server.host, primary.server.port), primary.seen_at)
    return (channel.host, channel.port) in known or (
        primary.vendor is Vendor.MYSQL and channel.source_id == primary.source_id
    )


def _alone(case: _Case) -> Decision | None:
    if case.replica.channels:
        return None
    name, marker = case.replica.server.name, case.replica.marker
    if marker is not None and marker.phase in UNFINISHED:
        if case.primary.setting_up and marker.phase is Phase.INDEXING:
            return State.INDEXING, "has all rows; its indexes are being built", "wait"
        if case.primary.setting_up:
            return State.COPYING, "is being copied", "wait"
        return State.COPYING, "the run that copied it has ended before it was done", "run startsync again"
    if marker is not None and marker.phase is Phase.ATTACHING:
        return State.COPYING, "is copied completely but not attached", "wait, or run startsync again"
    if marker is not None:
        return State.STANDALONE_DATA, "was a replica and lost its source", "run startsync, which attaches it again"
    if case.replica.has_data:
        return State.STANDALONE_DATA, "follows nobody and holds data", f"run startsync, with --force {name} to lose it"
    return State.STANDALONE_EMPTY, "is blank and follows nobody", "run startsync"


def _ahead(case: _Case) -> Decision | None:
    if case.primary.error or not beyond(case.primary.vendor, case.replica.gtid, case.primary.gtid):
        return None
    name = case.replica.server.name
    return (
        State.AHEAD,
        f"has transactions that {case.primary.server.name} lacks",
        "find out who wrote to it, and whether the primary is the right one; to lose them: "
        f"resync {name} --chunks --force {name}, which writes anew just the rows that differ, or --full in its place",
    )


def _received(case: _Case) -> Decision | None:
    channel = case.channel
    if channel is None or not channel.relay_log_damaged:
        return None
    error = channel.error or "the server could not open it when it started"
    return State.BROKEN_REPOINT, f"its relay log is damaged: {error}", "attach it again: run startsync"


def _applier(case: _Case) -> Decision | None:
    channel = case.channel
    if channel is None or not channel.sql_errno:
        return None
    name, error = case.replica.server.name, channel.error
    if channel.sql_errno in _PASSING_SQL:
        return State.BROKEN_RETRY, f"its applier stopped: {error}", "mend the cause; then it is started again"
    return State.DIVERGED, f"its data differs from the primary's: {error}", f"copy it anew: resync {name} --full"


def _receiver(case: _Case) -> Decision | None:
    channel = case.channel
    if channel is None or not channel.io_errno or channel.io_running == "Yes":
        return None
    name, error, errno = case.replica.server.name, channel.error, channel.io_errno
    if errno in _READING_BINLOG and any(text in channel.io_error for text in _AHEAD_TEXTS):
        return State.DIVERGED, f"has a history of its own: {error}", f"copy it anew: resync {name} --full"
    if errno in _READING_BINLOG and any(text in channel.io_error for text in _PURGED_TEXTS):
        return (
            State.PURGED,
            f"what it lacks is not in the primary's binary log any more: {error}",
            f"run startsync: another replica may have it; else copy it anew: resync {name} --full",
        )
    if errno in _READING_BINLOG:
        return State.BROKEN_REPOINT, f"cannot read the primary's binary log: {error}", "attach it again: run startsync"
    if errno in _LOGIN_FAILED:
        return State.BROKEN_REPOINT, f"is not let in by the primary: {error}", "attach it again: run startsync"
    if errno in _FATAL:
        return State.BROKEN_RETRY, f"its receiver stopped: {error}", "give it a server_id of its own: run startsync"
    return State.BROKEN_RETRY, f"does not reach the primary: {error}", "look at the network between the two"


def _failed_over(case: _Case) -> Decision | None:
    channel = case.channel
    if channel is None or case.primary.error or not channel.source_id:
        return None
    if channel.source_id == case.primary.source_id:
        return None
    return (
        State.BROKEN_REPOINT,
        f"follows server {channel.source_id}, but {case.primary.source_id} is at the primary's address now",
        "attach it again: run startsync",
    )


def _stopped(case: _Case) -> Decision | None:
    channel = case.channel
    if channel is None or channel.running:
        return None
    if channel.io_running == "Connecting" and case.same_id:
        reason = f"cannot stay connected: {case.same_id} has the same server_id {case.replica.server_id}"
        return State.BROKEN_RETRY, reason, "give it a server_id of its own: run startsync"
    if channel.io_running == "Connecting":
        return State.BROKEN_RETRY, "is connecting to the primary", "wait"
    thread = "receiver" if channel.sql_running == "Yes" else "applier" if channel.io_running == "Yes" else "replication"
    return State.BROKEN_RETRY, f"its {thread} is stopped, without an error", "start it again: run startsync"


def _not_marked_done(case: _Case) -> Decision | None:
    marker = case.replica.marker
    if marker is None or not case.marked or marker.phase is Phase.DONE or case.lag == 0:
        return None
    return State.CATCHING_UP, "is attached and catching up", "wait"


def _late(case: _Case) -> Decision | None:
    if case.primary.error:
        return State.LAGGING, "how far it is behind is unknown: the primary does not answer", "look at the primary"
    if case.lag is None:
        return State.LAGGING, "does not know how far it is behind", "look again in some seconds"
    if case.lag <= case.max_lag:
        return None
    return State.LAGGING, f"is {case.lag:.0f} s behind, {case.max_lag:g} s are allowed", "wait, or lessen its load"


def _healthy(_: _Case) -> Decision:
    return State.HEALTHY, "", ""


_RULES: tuple[_Rule, ...] = (
    _not_seen,
    _exchanged,
    _foreign,
    _alone,
    _ahead,
    _received,
    _applier,
    _failed_over,
    _receiver,
    _stopped,
    _not_marked_done,
    _late,
    _healthy,
)
