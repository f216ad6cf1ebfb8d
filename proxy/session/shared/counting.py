"""Counting what ran: a line per statement in the process's book, two looks at the clock, and a look-up of a bucket."""

from bisect import bisect_left
from time import perf_counter
from typing import Final, TypeAlias

from proxy.admin.traffic import OWN_TIME_SHARE, Traffic, Usage
from proxy.backend.connection import BackendConnection
from proxy.routing.policy import Route
from proxy.session.core.request import Request
from proxy.session.shared.journal import Journal
from proxy.session.shared.ran import Ran, Whose
from proxy.sql.statement import READ
from proxy.sql.tally import BOUNDS, Tally
from proxy.wire import constants as c
from proxy.wire.commands import EXECUTIONS
from proxy.wire.exchange import Exchange

_COUNTED: Final = frozenset({c.COM_QUERY, *EXECUTIONS})
# So many statements, and one, are added up at once, in less than a millisecond; a multiple of OWN_TIME_SHARE.
_PAGE: Final = 1024
_Line: TypeAlias = tuple[Tally, Route, Traffic, Usage, bool, bool, float, int]


class Book:
    """The statements of one process that are still to be added to their digests, routes, servers and users.

    Between two statements the processor's caches forget all that. Many in one go cost half as much as one by one.
    """

    def __init__(self) -> None:
        self.lines: list[_Line] = []

    def add_up(self) -> None:
        """Do it: before anybody looks at what is counted, and once a second."""
        for tally, route, traffic, usage, on_primary, read, served, rows in self.lines:
            if on_primary:
                tally.primary += 1
                route.on_primary += 1
                usage.primary += 1
            else:
                tally.replicas += 1
                route.on_replicas += 1
                usage.replicas += 1
            if read:
                traffic.reads += 1
            else:
                traffic.others += 1
            bucket = bisect_left(BOUNDS, served)
            of_server, of_digest = traffic.served, tally.served
            of_server.counts[bucket] += 1
            of_server.seconds += served
            of_digest.counts[bucket] += 1
            of_digest.seconds += served
            tally.rows += rows
            tally.reason = route.reason
            # Asking for the time of day would cost more.
            tally.seen = traffic.now
        self.lines.clear()


class Ledger:
    """Counts the statements of one session: `usage` is the user's, `whose` is what the log says of both."""

    def __init__(self, usage: Usage, journal: Journal, whose: Whose, book: Book) -> None:
        self._usage = usage
        self._journal = journal
        self._whose = whose
        self._book = book
        self._lines = book.lines

    def count(self, request: Request, link: BackendConnection, exchange: Exchange, on_primary: bool) -> None:
        """The reply to `request` is complete; `exchange` followed it. Commands that execute nothing are not counted."""
        read = request.plain
        if not read:
            if request.code not in _COUNTED:
                return
            read = request.statement.kind is READ
        # Nothing was sent if a server refused what had to come before.
        sent = request.sent
        now = perf_counter() if sent else 0.0
        served, traffic, lines = now - sent, link.traffic, self._lines
        lines.append(
            (request.statement.tally, request.route, traffic, self._usage, on_primary, read, served, exchange.rows)
        )
        if request.queued:
            traffic.queued.add_one(request.queued)
        if len(lines) % OWN_TIME_SHARE == 1:
            if now:
                traffic.own.add_one(now - request.begun - served - request.queued)
            if len(lines) > _PAGE:
                self._book.add_up()
        if not read and exchange.affected:
            request.statement.tally.affected += exchange.affected
        if exchange.errno:
            self._failed(request.statement.tally, traffic, exchange.errno)
        if self._journal.active:
            self._note(request, link, exchange, now)

    def refused(self, request: Request, errno: int) -> None:
        """The proxy answers `request` with an error of its own: no server's figures are touched, but the log has it."""
        if self._journal.active:
            now = perf_counter()
            queued = now - request.delayed if request.delayed else 0.0
            self._journal.note(Ran(request, None, self._whose, errno, 0, now - request.begun, queued, 0.0))

    def _failed(self, tally: Tally, traffic: Traffic, errno: int) -> None:
        tally.errors += 1
        traffic.errors += 1
        traffic.errnos[errno] = traffic.errnos.get(errno, 0) + 1
        self._usage.errors += 1

    def _note(self, request: Request, link: BackendConnection, exchange: Exchange, now: float) -> None:
        seconds, served = now - request.begun, now - request.sent
        self._journal.note(
            Ran(request, link.server, self._whose, exchange.errno, exchange.rows, seconds, request.queued, served)
        )
