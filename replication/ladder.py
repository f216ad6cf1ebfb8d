"""What the watcher does next: the ladder of repairs from cheap to dear. Pure: looks and history in, one step out.

`_LADDER` says for each state which repairs there are, in order; `--repair` says how far up the ladder it may go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from math import inf

from replication.facts import Phase
from replication.seen import ReplicaSeen, Seen
from replication.states import State, Verdict


class Repair(StrEnum):
    """How far the watcher may go: each includes those before it."""

    NONE = "none"
    RESTART = "restart"
    REPOINT = "repoint"
    CHUNKS = "chunks"
    FULL = "full"


class Rung(IntEnum):
    """The repairs, from cheap to dear."""

    RESTART = 1
    REPOINT = 2
    CHUNKS = 3
    FULL = 4


_ALLOWED = {
    Repair.NONE: 0,
    Repair.RESTART: Rung.RESTART,
    Repair.REPOINT: Rung.REPOINT,
    Repair.CHUNKS: Rung.CHUNKS,
    Repair.FULL: Rung.FULL,
}

_LADDER: Mapping[State, tuple[Rung, ...]] = {
    State.BROKEN_RETRY: (Rung.RESTART, Rung.REPOINT, Rung.FULL),
    State.BROKEN_REPOINT: (Rung.REPOINT, Rung.FULL),
    State.DIVERGED: (Rung.CHUNKS, Rung.FULL),
    # By way of another replica's binary log, if that reaches back so far.
    State.PURGED: (Rung.REPOINT, Rung.CHUNKS, Rung.FULL),
    # Those that carry our marker only.
    State.STANDALONE_DATA: (Rung.REPOINT, Rung.FULL),
}
# The servers try again by themselves; this is when to help them.
_GRACE = {State.BROKEN_RETRY: 3.0, State.BROKEN_REPOINT: 0.0}
_TRIES_ON_A_RUNG = 3
_FIRST_PAUSE = 5.0
_LONGEST_PAUSE = 300.0


@dataclass(frozen=True, slots=True)
class Past:
    """What is remembered of one replica. Times are in seconds of a monotonic clock.

    `since` is when its state began, `broken_since` when it was last in a good one. `tries` counts the repairs since
    then on the rung `rung`, and `not_before` is when the next one may be tried.
    """

    state: State | None = None
    since: float = 0.0
    broken_since: float = 0.0
    rung: int = 0
    tries: int = 0
    not_before: float = 0.0


History = Mapping[str, Past]


@dataclass(frozen=True, slots=True)
class Step:
    """One repair: what is done to the replicas named. Rung 0 is a run of startsync; with `recopy` they are copied,
    on the rung CHUNKS only what differs.
    """

    names: tuple[str, ...]
    rung: int
    reason: str
    recopy: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """How far the watcher goes; a full copy comes only when a replica was broken for `full_after` seconds."""

    repair: Repair = Repair.REPOINT
    full_after: float = 600.0


@dataclass(frozen=True, slots=True)
class Watched:
    """One replica at this look, with its verdict."""

    replica: ReplicaSeen
    verdict: Verdict

    @property
    def name(self) -> str:
        return self.replica.server.name


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that the next step depends on."""

    seen: Seen
    watched: tuple[Watched, ...]
    history: History = field(default_factory=dict)


def remember(past: Past, state: State, now: float) -> Past:
    """The past of a replica that is in `state` at this look."""
    if state in (State.HEALTHY, State.LAGGING, State.CATCHING_UP):
        return Past(state, past.since if past.state is state else now, not_before=past.not_before)
    if past.state is state:
        return past
    if past.state in (None, State.HEALTHY, State.LAGGING, State.CATCHING_UP):
        # A repair may have ended since that look: it was of what was wrong before.
        return Past(state, now, now, not_before=past.not_before)
    return replace(past, state=state, since=now)


def tried(past: Past, rung: int, now: float) -> Past:
    """The past of a replica on which a repair was just tried: the pause before the next one doubles each time."""
    tries = past.tries + 1 if past.rung == rung else 1
    pause = min(_FIRST_PAUSE * 2 ** (tries - 1), _LONGEST_PAUSE)
    return replace(past, rung=rung, tries=tries, not_before=now + pause)


def mended(past: Past, rung: int, now: float) -> Past:
    """The past of a replica that a repair has just brought in step: what breaks next is another matter."""
    return Past(State.CATCHING_UP, now, not_before=tried(past, rung, now).not_before)


def given_up(past: Past, rung: int, now: float) -> Past:
    """The past of a replica to which a repair does not apply: the next rung's turn comes."""
    return replace(past, rung=rung, tries=_TRIES_ON_A_RUNG, not_before=now + _FIRST_PAUSE)


def plan(situation: Situation, policy: Policy, now: float) -> Step | None:
    """The next step, or None when there is nothing to do now. Only one is under way at any time.

    Blank servers come first, then the replicas that cost least to mend. Nothing is done to a healthy replica, so the
    last one of those is safe, nor to one that is AHEAD, FOREIGN or unmarked and full of data.
    """
    if situation.seen.primary.error or policy.repair is Repair.NONE:
        return None
    if situation.seen.primary.setting_up:
        # Somebody else's run; it does what is needed, or says why not.
        return None
    if step := _first_set_up(situation, now):
        return step
    steps = [step for each in situation.watched if (step := _mend(each, situation, policy, now))]
    return min(steps, key=lambda step: step.rung, default=None)


def climb(seen: Seen, watched: Sequence[Watched], policy: Policy) -> list[Step]:
    """What would be tried one after the other on these replicas alone, for as long as nothing helps; without pauses."""
    steps: list[Step] = []
    past = Past()
    while step := plan(Situation(seen, tuple(watched), {each.name: past for each in watched}), policy, inf):
        if steps and step.rung <= steps[-1].rung:
            break
        steps.append(step)
        past = given_up(past, step.rung, inf)
    return steps


def _first_set_up(situation: Situation, now: float) -> Step | None:
    ready = [each for each in situation.watched if is_to_set_up(each) and _may(situation, each, now)]
    if not ready:
        return None
    return Step(tuple(each.name for each in ready), 0, ready[0].verdict.reason)


def is_to_set_up(watched: Watched) -> bool:
    """Whether a run of startsync comes first; all such replicas are set up together."""
    return watched.verdict.state in (State.STANDALONE_EMPTY, State.COPYING)


def _may(situation: Situation, watched: Watched, now: float) -> bool:
    return now >= situation.history.get(watched.name, Past()).not_before


def _mend(watched: Watched, situation: Situation, policy: Policy, now: float) -> Step | None:
    if not _may(situation, watched, now):
        return None
    state = watched.verdict.state
    if state is State.HEALTHY and _has_new_primary(watched, situation):
        return Step((watched.name,), 0, "found its way to the new primary by itself, which is noted on it")
    if state is State.STANDALONE_DATA and watched.replica.marker is None:
        return None
    return _climb(watched, situation.history.get(watched.name, Past()), policy, now)


def _has_new_primary(watched: Watched, situation: Situation) -> bool:
    marker = watched.replica.marker
    return marker is not None and marker.phase is Phase.DONE and marker.primary != situation.seen.primary.identity


def _climb(watched: Watched, past: Past, policy: Policy, now: float) -> Step | None:
    rungs = _LADDER.get(watched.verdict.state, ())
    if now - past.since < _GRACE.get(watched.verdict.state, 0.0):
        return None
    for rung in _untired(rungs, past):
        if rung > _ALLOWED[policy.repair] or (rung is Rung.FULL and now - past.broken_since < policy.full_after):
            continue
        return _step(watched, rung)
    # Nothing better is allowed, so what there is is tried again, at its pauses.
    lower = [rung for rung in rungs if rung <= _ALLOWED[policy.repair] and rung < Rung.CHUNKS]
    return _step(watched, lower[-1]) if lower else None


def _step(watched: Watched, rung: Rung) -> Step:
    return Step((watched.name,), rung, watched.verdict.reason, recopy=rung in (Rung.CHUNKS, Rung.FULL))


def _untired(rungs: Sequence[Rung], past: Past) -> list[Rung]:
    """The rungs that were not tried often enough without success; those below the last one were."""
    return [rung for rung in rungs if rung > past.rung or (rung == past.rung and past.tries < _TRIES_ON_A_RUNG)]
