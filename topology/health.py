"""Is a server fit for use? A pure judgement over what the probes saw, with hysteresis."""

from dataclasses import dataclass, replace
from typing import Final

from topology.servers import Health, Observation, Role, Server, ServerState

# So many failed probes in a row take a server out of use, so many good ones put it back.
FAILURES_TO_FALL: Final = 2
SUCCESSES_TO_RETURN: Final = 2


@dataclass(frozen=True, slots=True)
class Track:
    """What is remembered of one server between judgements: the last verdict and the run of equal outcomes."""

    state: ServerState
    good: int = 0
    bad: int = 0


def begin(server: Server) -> Track:
    """A server of which nothing is known yet."""
    return Track(ServerState(server, Health.UNKNOWN, "not probed yet"))


def judge(track: Track, seen: Observation, primary: Observation | None, max_lag: float) -> Track:
    """The track after one more probe. `primary` is what was last seen of the primary, `max_lag` is in seconds."""
    health, reason = _verdict(track.state.server, seen, primary, max_lag)
    if health is Health.HEALTHY:
        return _after_good(track, seen)
    if health is Health.DOWN:
        return _after_bad(track, reason)
    # An answer that says "do not use me" needs no second opinion.
    return Track(ServerState(track.state.server, health, reason, seen), bad=FAILURES_TO_FALL)


def fail(track: Track, reason: str) -> Track:
    """The track after a statement's connection to the server broke or was refused: out of use at once."""
    state = replace(track.state, health=Health.DOWN, reason=reason)
    return Track(state, bad=FAILURES_TO_FALL)


def _verdict(server: Server, seen: Observation, primary: Observation | None, max_lag: float) -> tuple[Health, str]:
    if seen.error:
        return Health.DOWN, seen.error
    if server.role is Role.PRIMARY:
        return Health.HEALTHY, ""
    return _replica_verdict(seen, primary, max_lag)


def _replica_verdict(seen: Observation, primary: Observation | None, max_lag: float) -> tuple[Health, str]:
    replica = seen.replica
    if replica is None:
        return Health.BROKEN, "follows no primary"
    if not replica.io_running or not replica.sql_running:
        thread = "applier" if replica.io_running else "receiver"
        return Health.BROKEN, f"the replication {thread} does not run: {replica.error or 'no error given'}"
    if primary is not None and not primary.error and replica.source != primary.identity:
        return Health.BROKEN, f"follows another server ({replica.source}, not {primary.identity})"
    if replica.lag_seconds is None:
        return Health.LAGGING, "does not know how far it is behind"
    if replica.lag_seconds > max_lag:
        return Health.LAGGING, f"{replica.lag_seconds:g} s behind, {max_lag:g} s are allowed"
    return Health.HEALTHY, ""


def _after_good(track: Track, seen: Observation) -> Track:
    good = track.good + 1
    back = track.state.health in (Health.HEALTHY, Health.UNKNOWN) or good >= SUCCESSES_TO_RETURN
    if back:
        return Track(ServerState(track.state.server, Health.HEALTHY, "", seen), good=good)
    return Track(replace(track.state, reason="answers again", observation=seen), good=good)


def _after_bad(track: Track, reason: str) -> Track:
    bad = track.bad + 1
    falls = track.state.health is not Health.HEALTHY or bad >= FAILURES_TO_FALL
    health = Health.DOWN if falls else Health.HEALTHY
    return Track(replace(track.state, health=health, reason=reason), bad=bad)
