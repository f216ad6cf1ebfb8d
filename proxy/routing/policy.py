"""The routing decision: (statement, session state) -> Route. docs/routing.md is this module in prose."""

import functools
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from proxy.routing.state import SessionState
from proxy.sql.statement import DIAGNOSTIC, READ, SERVER_SCHEMAS, Statement


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
_DIAGNOSTIC: Final = Route(Target.LAST, "diagnostic")
_IN_TRANSACTION: Final = Route(Target.PRIMARY, "in-transaction")
_SERVER_SCHEMA: Final = Route(Target.PRIMARY, "server-local")


@functools.lru_cache(256)
def _to_primary(reason: str) -> Route:
    return Route(Target.PRIMARY, reason)


def decide(statement: Statement, state: SessionState) -> Route:
    """Where `statement` goes; whether a fit replica exists is asked afterwards."""
    if statement.kind is READ:
        return _decide_read(state)
    if statement.kind is DIAGNOSTIC:
        return _DIAGNOSTIC
    return _to_primary(statement.reason)


def _decide_read(state: SessionState) -> Route:
    if state.pin:
        return _to_primary(f"pinned:{state.pin}")
    if state.in_transaction:
        return _IN_TRANSACTION
    if state.schema.lower() in SERVER_SCHEMAS:
        return _SERVER_SCHEMA
    return _READ
