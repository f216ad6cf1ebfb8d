"""The routing decision: (statement, session state) -> Route. docs/routing.md is this module in prose."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from proxy.routing.state import SessionState
from proxy.sql.hints import NO_HINT
from proxy.sql.statement import DIAGNOSTIC, INSERT_ID, NO_VARIABLES, READ, SERVER_SCHEMAS, Statement


class Target(IntEnum):
    """Which server a statement is for."""

    PRIMARY = 0
    REPLICA = 1
    LAST = 2  # the one that ran the statement before


REPLICA: Final = Target.REPLICA
LAST: Final = Target.LAST


@dataclass(slots=True)
class Route:
    """Where a statement goes, and the stable code that says why; and how many went that way in the whole process.

    A read for a replica runs `on_primary` if none was fit. `twin` says that it is one of a transaction, all of whose
    reads see one snapshot.
    """

    target: Target
    reason: str
    on_primary: int = field(default=0, compare=False, repr=False)
    on_replicas: int = field(default=0, compare=False, repr=False)
    twin: bool = False


# Some reasons hold names that clients make up.
_MOST_ROUTES: Final = 1024
_routes: dict[tuple[Target, str], Route] = {}


def route_to(target: Target, reason: str, *, twin: bool = False) -> Route:
    """The one Route of this target and reason.

    Above a number of reasons they are made anew, and not counted.
    """
    known = _routes.get((target, reason))
    if known is None:
        known = Route(target, reason, twin=twin)
        if len(_routes) < _MOST_ROUTES:
            _routes[target, reason] = known
    return known


def routes() -> list[Route]:
    """All that are counted."""
    return list(_routes.values())


PLAIN: Final = route_to(Target.REPLICA, "read")
READ_ONLY: Final = route_to(Target.REPLICA, "read-only-transaction", twin=True)
OPTIMISTIC: Final = route_to(Target.REPLICA, "optimistic-transaction", twin=True)
IN_TRANSACTION: Final = route_to(Target.PRIMARY, "in-transaction")
_HINT: Final = route_to(Target.PRIMARY, "hint")
_DIAGNOSTIC: Final = route_to(Target.LAST, "diagnostic")
_INSERT_ID: Final = route_to(Target.PRIMARY, INSERT_ID)


def decide(statement: Statement, state: SessionState) -> Route:
    """Where `statement` goes; whether a fit replica exists is asked afterwards."""
    if statement.kind is READ:
        if state.free and statement.variables is NO_VARIABLES and statement.hint is NO_HINT:
            return PLAIN
        if statement.hint.primary:
            return _HINT
        reason = _reason_to_stay(statement, state)
        if reason:
            return route_to(Target.PRIMARY, reason)
        if not state.in_transaction:
            return PLAIN
        return READ_ONLY if state.reads_only else OPTIMISTIC
    if statement.kind is DIAGNOSTIC:
        # Where the session's own insert id is, if it has one; where it has none it is 0, as it is everywhere.
        return _INSERT_ID if state.wrote and statement.reason == INSERT_ID else _DIAGNOSTIC
    return route_to(Target.PRIMARY, statement.reason)


def _reason_to_stay(statement: Statement, state: SessionState) -> str:
    """Why a plain read does not go to a replica; empty when it does."""
    if state.pin:
        return f"pinned:{state.pin}"
    if state.in_transaction and not state.has_twin:
        return IN_TRANSACTION.reason
    if state.schema.lower() in SERVER_SCHEMAS:
        return "server-local"
    return "" if state.repeatable.knows(statement.variables) else "user-variable"
