"""Is a server fit for use? A pure judgement over what the probes saw, with hysteresis.

`HEALTH_OF` is the table of causes, `_RULES` looks for them: the first rule that finds one decides.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from topology.breaker import Breaker
from topology.gtid import errant
from topology.servers import Circuit, Health, Member, Observation, Role, Server, ServerState, Trouble, Vendor
from topology.versions import is_older

# So many failed probes in a row take a server out of use, so many good ones put it back.
FAILURES_TO_FALL: Final = 2
SUCCESSES_TO_RETURN: Final = 2
# So many times in a row a replica must be seen with transactions that the primary lacks.
ERRANT_TO_LEAVE: Final = 2
# While something is wrong probes come so much faster, until so many were bad in a row.
_HASTE: Final = 4
_HASTY_PROBES: Final = 40


class Cause(StrEnum):
    """Why a server is not used."""

    NO_ANSWER = "no-answer"
    LOGIN = "login"
    FAILED_IN_USE = "failed-in-use"
    SAME_SERVER = "same-server"
    NO_SOURCE = "no-source"
    OTHER_SOURCE = "other-source"
    RECEIVER = "receiver"
    APPLIER = "applier"
    ERRANT = "errant"
    LAG_UNKNOWN = "lag-unknown"
    LAG = "lag"
    LAG_SHRINKS = "lag-shrinks"
    RECOVERING = "recovering"
    DONOR = "donor"
    NO_QUORUM = "no-quorum"
    OFFLINE = "offline"
    MEMBER_ERROR = "member-error"
    OTHER_GROUP = "other-group"


HEALTH_OF: Final[Mapping[Cause, Health]] = {
    Cause.NO_ANSWER: Health.DOWN,
    Cause.LOGIN: Health.DOWN,
    Cause.FAILED_IN_USE: Health.DOWN,
    Cause.SAME_SERVER: Health.FOREIGN,
    Cause.NO_SOURCE: Health.BROKEN,
    Cause.OTHER_SOURCE: Health.FOREIGN,
    Cause.RECEIVER: Health.BROKEN,
    Cause.APPLIER: Health.BROKEN,
    Cause.ERRANT: Health.AHEAD,
    Cause.LAG_UNKNOWN: Health.LAGGING,
    Cause.LAG: Health.LAGGING,
    Cause.LAG_SHRINKS: Health.CATCHING_UP,
    Cause.RECOVERING: Health.CATCHING_UP,
    Cause.DONOR: Health.LAGGING,
    Cause.NO_QUORUM: Health.BROKEN,
    Cause.OFFLINE: Health.BROKEN,
    Cause.MEMBER_ERROR: Health.BROKEN,
    Cause.OTHER_GROUP: Health.FOREIGN,
}
_TROUBLES: Final[Mapping[Trouble, tuple[Cause, str]]] = {
    Trouble.RECOVERING: (Cause.RECOVERING, "still gets what it lacks from its group"),
    Trouble.DONOR: (Cause.DONOR, "gives its data to another member, or was desynced"),
    Trouble.NO_QUORUM: (Cause.NO_QUORUM, "is not in the primary component: cut off from most of its group"),
    Trouble.OFFLINE: (Cause.OFFLINE, "takes no part in its group"),
    Trouble.ERROR: (Cause.MEMBER_ERROR, "has left its group, or does not know its state"),
}
# Nobody answered: that may be an accident. All others are what a server says of itself.
_ACCIDENTS: Final = frozenset({Cause.NO_ANSWER, Cause.LOGIN})
_BEHIND: Final = frozenset({Health.LAGGING, Health.CATCHING_UP})


@dataclass(frozen=True, slots=True)
class Limits:
    """What a replica may be: `max_lag` seconds behind, and with transactions that the primary lacks.

    One that is more than `preferred_lag` seconds behind is late.
    """

    max_lag: float
    errant_allowed: bool = False
    preferred_lag: float = math.inf


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What a replica is measured by: the primary as it was last seen, and the limits."""

    primary: Observation | None
    limits: Limits


@dataclass(frozen=True, slots=True)
class Track:
    """What is remembered of one server between judgements: the last verdict and the run of equal outcomes.

    `cause` is why it is not used. `seen` is the last observation that was answered, `errant` how often in a row it had
    transactions that the primary, asked afterwards, lacked: those in `surplus`. `breaker` counts its breaks in use.
    """

    state: ServerState
    good: int = 0
    bad: int = 0
    cause: Cause | None = None
    seen: Observation | None = None
    errant: int = 0
    surplus: str = ""
    breaker: Breaker = field(default_factory=Breaker)


@dataclass(frozen=True, slots=True)
class _Case:
    """One replica, which has answered, with all that the verdict depends on."""

    track: Track
    seen: Observation
    lag: float | None
    by: Yardstick


Finding = tuple[Cause, str]


def begin(server: Server) -> Track:
    """A server of which nothing is known yet."""
    return Track(ServerState(server, Health.UNKNOWN, "not probed yet"))


def judge(track: Track, seen: Observation, lag: float | None, by: Yardstick) -> Track:
    """The track after one more probe. `lag` is what was measured of a replica (`topology.lag`)."""
    if seen.error:
        return _after_bad(track, Cause.LOGIN if seen.denied else Cause.NO_ANSWER, seen.error)
    if track.state.server.role is Role.PRIMARY:
        track, finding = replace(track, seen=seen), _of_primary(seen.member)
        return _unfit(track, seen, None, finding) if finding else _after_good(track, seen, None, "")
    track = _compared(track, seen, by)
    case = _Case(track, seen, lag, by)
    rules = _RULES if seen.member is None or seen.replica is not None else _MEMBER_RULES
    finding = next((found for rule in rules if (found := rule(case))), None)
    if finding is None:
        late = lag is not None and lag > by.limits.preferred_lag
        return _after_good(track, seen, lag, "; ".join(_oddities(case)), late=late)
    return _unfit(track, seen, lag, finding)


def _unfit(track: Track, seen: Observation, lag: float | None, finding: Finding) -> Track:
    cause, reason = finding
    # An answer that says "do not use me" needs no second opinion.
    circuit = track.breaker.circuit(seen.ended)
    state = ServerState(track.state.server, HEALTH_OF[cause], reason, seen, lag, circuit=circuit)
    return replace(track, state=state, good=0, bad=max(FAILURES_TO_FALL, track.bad + 1), cause=cause)


def fail(track: Track, reason: str, now: float) -> Track:
    """The track after a statement's connection to the server broke or was refused: out of use at once.

    A primary that breaks again and again is not kept out for longer: nobody else can run what waits for it.
    """
    if track.state.usable and track.state.server.role is Role.REPLICA:
        # Others that were under way there break with it.
        track = replace(track, breaker=track.breaker.broken(now))
    circuit = track.breaker.circuit(now)
    told = "; ".join(filter(None, (reason, track.breaker.told(now))))
    state = _silent(track.state, Cause.FAILED_IN_USE, told, circuit)
    return replace(track, state=state, good=0, bad=FAILURES_TO_FALL, cause=Cause.FAILED_IN_USE)


def drained(state: ServerState) -> ServerState:
    """The same of a server that an operator has taken out of use."""
    return replace(state, health=Health.DRAINING, reason="drained by command") if state.usable else state


def pause(track: Track, interval: float) -> float:
    """Seconds until the next probe: fewer than `interval` while something is wrong, unless it has been for long."""
    restless = not track.state.usable or track.bad or 0 < track.errant < ERRANT_TO_LEAVE
    return interval / _HASTE if restless and track.bad < _HASTY_PROBES else interval


def _compared(track: Track, seen: Observation, by: Yardstick) -> Track:
    """The replica's transactions as of the probe before are compared with the primary's, which was asked afterwards.

    So what has reached the replica only just now is not taken for its own.
    """
    before, primary = track.seen, by.primary
    track = replace(track, seen=seen)
    if seen.member is not None and seen.replica is None:
        # Its group lets it commit nothing that the others do not.
        return replace(track, errant=0, surplus="")
    if before is None or primary is None or primary.began < before.ended:
        return track
    surplus = ""
    if before.vendor is not None and before.vendor is primary.vendor and primary.logged:
        # What the primary has from another one may be in no binary log of its own.
        had = f"{primary.history},{primary.applied}"
        surplus = errant(before.vendor, before.history, had, before.identity)
    return replace(track, errant=track.errant + 1 if surplus else 0, surplus=surplus)


def _of_primary(member: Member | None) -> Finding | None:
    """As `topology.primary` has it: a donor is up to date with its own writes, one that takes no part stands alone."""
    if member is None or member.trouble in (None, Trouble.DONOR, Trouble.OFFLINE):
        return None
    return _troubled(member)


def _troubled(member: Member) -> Finding | None:
    if member.trouble is None:
        return None
    cause, reason = _TROUBLES[member.trouble]
    return cause, f"{reason} ({member.state})"


def _apart(case: _Case) -> Finding | None:
    """A member is read from if it is whole, and in the primary's own group."""
    member, primary = case.seen.member, case.by.primary
    assert member is not None
    if trouble := _troubled(member):
        return trouble
    if primary is None or (primary.member is not None and primary.member.group == member.group):
        return None
    return Cause.OTHER_GROUP, f"is in a group that the primary is not in ({member.group})"


def _is_primary(case: _Case) -> Finding | None:
    primary = case.by.primary
    if primary is None or case.seen.replica is not None or case.seen.identity != primary.identity:
        return None
    if case.seen.member is not None and case.seen.vendor is Vendor.MARIADB:
        # The nodes of a Galera cluster usually have the same server_id.
        return None
    return Cause.SAME_SERVER, f"is the primary itself, or has its identity ({primary.identity})"


def _alone(case: _Case) -> Finding | None:
    return (Cause.NO_SOURCE, "follows no primary") if case.seen.replica is None else None


def _stopped(case: _Case) -> Finding | None:
    replica = case.seen.replica
    assert replica is not None
    error = replica.error or "no error given"
    # One that tries to reach its source has what it has: its lag decides.
    if not replica.io_running and not replica.connecting:
        return Cause.RECEIVER, f"the replication receiver does not run: {error}"
    if not replica.sql_running:
        return Cause.APPLIER, f"the replication applier does not run: {error}"
    return None


def _astray(case: _Case) -> Finding | None:
    replica, primary = case.seen.replica, case.by.primary
    assert replica is not None
    # One that has not reached its source yet does not know who that is.
    if primary is None or not replica.source or replica.source == primary.identity:
        return None
    return Cause.OTHER_SOURCE, f"follows another server ({replica.source}, not {primary.identity})"


def _told(surplus: str) -> str:
    return f"has transactions that the primary lacks: {surplus} (manyreads doctor tells what mends it)"


def _ahead(case: _Case) -> Finding | None:
    if case.by.limits.errant_allowed or case.track.errant < ERRANT_TO_LEAVE:
        return None
    return Cause.ERRANT, _told(case.track.surplus)


def _late(case: _Case) -> Finding | None:
    replica, lag, limit = case.seen.replica, case.lag, case.by.limits.max_lag
    trouble = ""
    if replica is not None and not replica.io_running:
        trouble = f"; cannot reach its source: {replica.error or 'no error given'}"
    if lag is None and replica is None and case.by.primary is None:
        # A member has no figure of its own; whole members are at most a moment behind.
        return None
    if lag is None:
        return Cause.LAG_UNKNOWN, f"does not know how far it is behind{trouble}"
    if lag <= limit:
        return None
    before = case.track.state
    nearer = before.health in _BEHIND and before.lag is not None and lag < before.lag
    return (Cause.LAG_SHRINKS if nearer else Cause.LAG), f"{lag:.3g} s behind, {limit:g} s are allowed{trouble}"


_Rule = Callable[[_Case], Finding | None]
_RULES: Final[tuple[_Rule, ...]] = (_is_primary, _alone, _astray, _ahead, _stopped, _late)
_MEMBER_RULES: Final[tuple[_Rule, ...]] = (_is_primary, _apart, _late)


def _oddities(case: _Case) -> Iterator[str]:
    """What does not keep a replica from being used, but should be known."""
    seen, primary = case.seen, case.by.primary
    if not seen.read_only and seen.member is None:
        yield "takes writes from others than its source: read_only is off"
    if primary is not None and is_older(seen.version, primary.version):
        yield f"is older ({seen.version}) than the primary ({primary.version})"
    if case.by.limits.errant_allowed and case.track.errant >= ERRANT_TO_LEAVE:
        yield _told(case.track.surplus)


def _after_good(track: Track, seen: Observation, lag: float | None, oddity: str, *, late: bool = False) -> Track:
    good = track.good + 1
    before, breaker = track.state, track.breaker
    circuit, told = breaker.circuit(seen.ended), breaker.told(seen.ended)
    rested = good >= SUCCESSES_TO_RETURN and circuit is not Circuit.OPEN
    if before.health in (Health.HEALTHY, Health.UNKNOWN) or rested:
        oddity = "; ".join(filter(None, (oddity, told)))
        state = ServerState(before.server, Health.HEALTHY, oddity, seen, lag, late, circuit=circuit)
        return replace(track, state=state, good=good, bad=0, cause=None)
    if before.health in _BEHIND:
        reason = told or "is within the limit again"
        state = ServerState(before.server, Health.CATCHING_UP, reason, seen, lag, circuit=circuit)
        return replace(track, state=state, good=good, bad=0, cause=Cause.LAG_SHRINKS)
    reason = f"answers again; {told}" if told else "answers again"
    state = replace(before, reason=reason, observation=seen, lag=lag, circuit=circuit)
    return replace(track, state=state, good=good, bad=0)


def _after_bad(track: Track, cause: Cause, reason: str) -> Track:
    bad = track.bad + 1
    if track.state.health is Health.HEALTHY and bad < FAILURES_TO_FALL:
        return replace(track, state=replace(track.state, reason=reason), good=0, bad=bad)
    state = _silent(track.state, cause, reason, track.state.circuit)
    return replace(track, state=state, good=0, bad=bad, cause=cause)


def _silent(state: ServerState, cause: Cause, reason: str, circuit: Circuit) -> ServerState:
    """The state of a server that does not answer: how far it was behind says nothing of how far it is."""
    return replace(state, health=HEALTH_OF[cause], reason=reason, lag=None, circuit=circuit)
