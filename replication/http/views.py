"""What the HTTP service says, as values that JSON can hold. Pure; nothing here holds a password."""

from typing import Any

from replication.described import primary_object, replica_object
from replication.ladder import Watched
from replication.states import State
from replication.telling import Event, LastComparison, Report


def status(report: Report) -> dict[str, Any]:
    """The whole report; docs/replication.md describes the keys."""
    return {
        "ok": is_ready(report),
        "acting": report.leads,
        "primary": primary_object(report.primary),
        "replicas": [replica(report, each) for each in report.replicas],
    }


def replica(report: Report, watched: Watched) -> dict[str, Any]:
    """One replica, whether it is being mended or compared now, and what the last comparison found."""
    return {
        **replica_object(watched.replica, watched.verdict),
        "repairing": watched.name in report.repairing,
        "verifying": watched.name in report.verifying,
        "progress": dict(report.progress).get(watched.name, ""),
        "verified": next((_verified(each) for each in report.verified if each.name == watched.name), None),
    }


def _verified(last: LastComparison) -> dict[str, Any]:
    found = last.found
    return {
        "at": last.at,
        "equal": found.equal if found.error is None else None,
        "error": found.error.problem if found.error else "",
        "remedy": found.error.remedy if found.error else "",
        "gtid": found.gtid,
        "rows": found.rows,
        "paused_seconds": found.paused,
        "differences": list(found.differences),
    }


def is_ready(report: Report) -> bool:
    """Whether the primary answers and every replica is healthy."""
    return not report.primary.error and all(each.verdict.state is State.HEALTHY for each in report.replicas)


def serves(watched: Watched, max_lag: float | None) -> bool:
    """Whether a replica may get reads: it is healthy, or, with `max_lag` in seconds, not further behind than that."""
    if max_lag is None:
        return watched.verdict.state is State.HEALTHY
    follows = watched.verdict.state in (State.HEALTHY, State.LAGGING)
    return follows and watched.verdict.lag is not None and watched.verdict.lag <= max_lag


def event(happened: Event) -> dict[str, Any]:
    """One event; docs/replication.md describes the keys."""
    return {
        "at": happened.at,
        "server": happened.server,
        "state": happened.state,
        "message": happened.message,
        "warning": happened.warning,
    }
