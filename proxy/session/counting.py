"""Counting what ran: a few attributes per statement, and no look-up."""

from typing import Final

from proxy.backend.connection import BackendConnection
from proxy.session.request import Request
from proxy.sql.statement import READ
from proxy.wire import constants as c
from proxy.wire.commands import EXECUTIONS

_COUNTED: Final = frozenset({c.COM_QUERY, *EXECUTIONS})


def count(request: Request, link: BackendConnection, errno: int, on_primary: bool) -> None:
    """The reply to `request` is complete. Commands that execute nothing are not counted."""
    if not request.plain and request.code not in _COUNTED:
        return
    tally, route, traffic = request.statement.tally, request.route, link.traffic
    if on_primary:
        tally.primary += 1
        route.on_primary += 1
    else:
        tally.replicas += 1
        route.on_replicas += 1
    if request.plain or request.statement.kind is READ:
        traffic.reads += 1
    else:
        traffic.others += 1
    if errno:
        tally.errors += 1
        traffic.errors += 1
    tally.reason = route.reason
    # Asking for the time would cost more than all of this.
    tally.seen = traffic.now
