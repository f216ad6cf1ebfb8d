"""What was seen of servers, and judged of them, as values that JSON can hold. Pure; no password is in them."""

from typing import Any

from replication.errors import ExitCode, exit_code
from replication.seen import PrimarySeen, ReplicaSeen
from replication.states import Verdict
from topology.errors import ManyreadsError


def primary_object(primary: PrimarySeen) -> dict[str, Any]:
    """The primary; docs/replication.md describes the keys."""
    return {
        "name": primary.server.name,
        "address": primary.server.address,
        "ok": not primary.error,
        "error": primary.error,
        "version": primary.version,
        "gtid": primary.gtid,
    }


def replica_object(replica: ReplicaSeen, verdict: Verdict) -> dict[str, Any]:
    """One replica with its state."""
    return {
        "name": replica.server.name,
        "address": replica.server.address,
        "state": verdict.state,
        "reason": verdict.reason,
        "remedy": verdict.remedy,
        "lag_seconds": None if verdict.lag is None else round(verdict.lag, 1),
        "transactions_behind": verdict.behind,
        "version": replica.version,
        "server_id": replica.server_id,
        "gtid": replica.gtid,
    }


def ended_object(name: str, address: str, error: ManyreadsError | None) -> dict[str, Any]:
    """How one replica ended; `error` is what it failed with, if it did."""
    return {
        "name": name,
        "address": address,
        "ok": error is None,
        "exit_code": exit_code(error) if error else ExitCode.OK,
        "error": error.problem if error else "",
        "remedy": error.remedy if error else "",
    }
