"""Counting what ran: a few attributes per statement, two looks at the clock, and no look-up but one of a bucket."""

from bisect import bisect_left
from time import perf_counter
from typing import Final

from proxy.admin.traffic import OWN_TIME_SHARE, Usage
from proxy.backend.connection import BackendConnection
from proxy.session.journal import Journal
from proxy.session.ran import Ran, Whose
from proxy.session.request import Request
from proxy.sql.statement import READ
from proxy.sql.tally import BOUNDS
from proxy.wire import constants as c
from proxy.wire.commands import EXECUTIONS
from proxy.wire.exchange import Exchange

_COUNTED: Final = frozenset({c.COM_QUERY, *EXECUTIONS})


class Ledger:
    """Where the statements of one session are counted: `usage` is the user's, `whose` is what the log says of both."""

    def __init__(self, usage: Usage, journal: Journal, whose: Whose) -> None:
        self._usage = usage
        self._journal = journal
        self._whose = whose

    def count(self, request: Request, link: BackendConnection, exchange: Exchange, on_primary: bool) -> None:
        """The reply to `request` is complete; `exchange` followed it. Commands that execute nothing are not counted."""
        if not request.plain and request.code not in _COUNTED:
            return
        # Nothing was sent if a server refused what had to come before.
        now = perf_counter() if request.sent else 0.0
        served = now - request.sent
        tally, route, traffic = request.statement.tally, request.route, link.traffic
        if on_primary:
            tally.primary += 1
            route.on_primary += 1
            self._usage.primary += 1
        else:
            tally.replicas += 1
            route.on_replicas += 1
            self._usage.replicas += 1
        if request.plain or request.statement.kind is READ:
            traffic.reads += 1
        else:
            traffic.others += 1
        bucket = bisect_left(BOUNDS, served)
        of_server, of_digest = traffic.served, tally.served
        of_server.counts[bucket] += 1
        of_server.seconds += served
        of_digest.counts[bucket] += 1
        of_digest.seconds += served
        queued = request.queued
        if queued:
            traffic.queued.counts[bisect_left(BOUNDS, queued)] += 1
            traffic.queued.seconds += queued
        if now and not (traffic.reads + traffic.others) % OWN_TIME_SHARE:
            own = now - request.begun - served - queued
            traffic.own.counts[bisect_left(BOUNDS, own)] += 1
            traffic.own.seconds += own
        tally.rows += exchange.rows
        if exchange.affected:
            tally.affected += exchange.affected
        errno = exchange.errno
        if errno:
            tally.errors += 1
            traffic.errors += 1
            traffic.errnos[errno] = traffic.errnos.get(errno, 0) + 1
            self._usage.errors += 1
        tally.reason = route.reason
        # Asking for the time of day would cost more.
        tally.seen = traffic.now
        if self._journal.active:
            seconds = now - request.begun
            rows = exchange.rows
            self._journal.note(Ran(request, link.server, self._whose, errno, rows, seconds, queued, served))
