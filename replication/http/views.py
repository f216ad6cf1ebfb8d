"""What the HTTP service says, as values that JSON can hold. Pure; nothing here holds a password."""

from typing import Any

from replication.described import primary_object, replica_object
from replication.ladder import Watched
from replication.states import State
from replication.watcher import Event, Report


def status(report: Report) -> dict[str, Any]:
    """The whole report; docs/replication.md describes the keys."""
    progress = dict(report.progress)
    return {
        "ok": is_ready(report),
        "acting": report.leads,
        "primary": primary_object(report.primary),
        "replicas": [
            replica(each, each.name in report.repairing, progress.get(each.name, "")) for each in report.replicas
        ],
    }


def replica(watched: Watched, repairing: bool, progress: str) -> dict[str, Any]:
    """One replica, and whether it is being mended now."""
    described = replica_object(watched.replica, watched.verdict)
    return {**described, "repairing": repairing, "progress": progress}


def is_ready(report: Report) -> bool:
    """Whether the primary answers and every replica is healthy."""
    return not report.primary.error and all(each.verdict.state is State.HEALTHY for each in report.replicas)


def serves(watched: Watched, max_lag: float | None) -> bool:
    """Whether a replica may get reads: it is healthy, or, with `max_lag` in seconds, not further behind than that."""
    if max_lag is None:
        return watched.verdict.state is State.HEALTHY
    follows = watched.verdict.state in (State.HEALTHY, State.LAGGING)
    return follows and watched.verdict.lag is not None and watched.verdict.lag <= max_lag


def event(happened: Event, at: str) -> dict[str, Any]:
    """One event; `at` is the time in ISO 8601."""
    return {"at": at, "server": happened.server, "message": happened.message, "warning": happened.warning}
