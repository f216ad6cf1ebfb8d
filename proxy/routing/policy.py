"""The routing decision: (statement, session state) -> Route. docs/routing.md is this module in prose."""

import functools
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from proxy.routing.state import SessionState
from proxy.sql.hints import NO_HINT
from proxy.sql.statement import DIAGNOSTIC, INSERT_ID, READ, SERVER_SCHEMAS, Statement


class Target(IntEnum):
    """Which server a statement is for."""

    PRIMARY = 0
    REPLICA = 1
    LAST = 2  # the one that ran the statement before


REPLICA: Final = Target.REPLICA
LAST: Final = Target.LAST


@dataclass(frozen=True, slots=True)
class Route:
    """Where a statement goes, and the stable code that says why."""

    target: Target
    reason: str


_READ: Final = Route(Target.REPLICA, "read")
_HINT: Final = Route(Target.PRIMARY, "hint")
_DIAGNOSTIC: Final = Route(Target.LAST, "diagnostic")
_INSERT_ID: Final = Route(Target.PRIMARY, INSERT_ID)


@functools.lru_cache(1024)
def _to_primary(reason: str) -> Route:
    return Route(Target.PRIMARY, reason)


def decide(statement: Statement, state: SessionState) -> Route:
    """Where `statement` goes; whether a fit replica exists is asked afterwards."""
    if statement.kind is READ:
        if state.free and not statement.variables and statement.hint is NO_HINT:
            return _READ
        if statement.hint.primary:
            return _HINT
        reason = _reason_to_stay(statement, state)
        return _to_primary(reason) if reason else _READ
    if statement.kind is DIAGNOSTIC:
        # Where the session's own insert id is, if it has one; where it has none it is 0, as it is everywhere.
        return _INSERT_ID if state.wrote and statement.reason == INSERT_ID else _DIAGNOSTIC
    return _to_primary(statement.reason)


def _reason_to_stay(statement: Statement, state: SessionState) -> str:
    """Why a plain read does not go to a replica; empty when it does."""
    if state.pin:
        return f"pinned:{state.pin}"
    if state.in_transaction:
        return "in-transaction"
    if state.schema.lower() in SERVER_SCHEMAS:
        return "server-local"
    return "" if state.knows(statement) else "user-variable"
