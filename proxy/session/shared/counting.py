"""Counting what ran: a line per statement in the process's book, two looks at the clock, and a look-up of a bucket."""

from bisect import bisect_left
from time import perf_counter, time
from typing import Final, TypeAlias

from proxy.admin.traffic import OWN_TIME_SHARE, Usage
from proxy.backend.connection import BackendConnection
from proxy.routing.policy import Route
from proxy.session.core.request import Request
from proxy.session.shared.journal import Journal
from proxy.session.shared.ran import Ran, Whose
from proxy.sql.statement import READ, Statement
from proxy.sql.tally import BOUNDS, Tally
from proxy.wire import constants as c
from proxy.wire.commands import EXECUTIONS
from proxy.wire.exchange import Exchange

_COUNTED: Final = frozenset({c.COM_QUERY, *EXECUTIONS})
# So many statements are added up at once, in less than a millisecond; a multiple of OWN_TIME_SHARE.
_PAGE: Final = 1024
# Objects that a statement's own work has just looked at: for others the processor's caches would have to be filled.
_Line: TypeAlias = "tuple[Statement, Route, BackendConnection, Ledger, bool, float, int]"


class Book:
    """The statements of one process that are still to be added to their digests, routes, servers and users.

    Between two statements the processor's caches forget all that. Many in one go cost half as much as one by one.
    `timing` says that it is to be noted when the next command comes: of one statement in OWN_TIME_SHARE, which is the
    first that comes when it is due, so that none are preferred, or of all, for the journal.
    """

    def __init__(self) -> None:
        self.lines: list[_Line] = []
        self.timing = True
        self._all = False

    def time_all(self, wanted: bool) -> None:
        """Whether it is noted of all commands when they come."""
        self._all, self.timing = wanted, True

    def came(self, request: Request, at: float) -> None:
        """Note that `request` came at `at`, by the performance counter, as `timing` asked for."""
        request.begun = at
        if request.code in _COUNTED:
            self.timing = self._all

    def add_up(self) -> None:
        """Do it: before anybody looks at what is counted, and once a second."""
        last: dict[Tally, Route] = {}
        for statement, route, link, ledger, on_primary, served, rows in self.lines:
            tally, traffic, usage = statement.tally, link.traffic, ledger.usage
            if on_primary:
                tally.primary += 1
                route.on_primary += 1
                usage.primary += 1
            else:
                route.on_replicas += 1
                usage.replicas += 1
            if statement.kind is not READ:
                traffic.others += 1
            bucket = bisect_left(BOUNDS, served)
            of_server, of_digest = traffic.served, tally.served
            of_server.counts[bucket] += 1
            of_server.seconds += served
            of_digest.counts[bucket] += 1
            of_digest.seconds += served
            tally.rows += rows
            last[tally] = route
        self.lines.clear()
        now = time()
        for tally, route in last.items():
            tally.reason, tally.seen = route.reason, now


class Ledger:
    """Counts the statements of one session: `usage` is the user's, `whose` is what the log says of both.

    Commands that execute nothing are not counted.
    """

    def __init__(self, usage: Usage, journal: Journal, whose: Whose, book: Book) -> None:
        self.usage = usage
        self._journal = journal
        self._whose = whose
        self._book = book
        self._lines = book.lines

    def count(self, request: Request, link: BackendConnection, exchange: Exchange, on_primary: bool) -> None:
        """The reply to `request` is complete; `exchange` followed it.

        What few statements have is asked for by the caller, where that asks for it anyway: `failed` and `changed`.
        """
        if not request.plain and request.code not in _COUNTED:
            return
        lines, now = self._lines, perf_counter()
        if not len(lines) % OWN_TIME_SHARE:
            self._book.timing = True
            if len(lines) >= _PAGE:
                self._book.add_up()
        lines.append((request.statement, request.route, link, self, on_primary, now - request.sent, exchange.rows))
        if request.queued or request.begun:
            self._note(request, link, exchange, now)

    def failed(self, request: Request, link: BackendConnection, errno: int) -> None:
        """It was answered with an error."""
        if request.code in _COUNTED:
            tally, traffic = request.statement.tally, link.traffic
            tally.errors += 1
            traffic.errors += 1
            traffic.errnos[errno] = traffic.errnos.get(errno, 0) + 1
            self.usage.errors += 1

    def changed(self, request: Request, rows: int) -> None:
        """It has changed so many rows."""
        if request.code in _COUNTED and request.statement.kind is not READ:
            request.statement.tally.affected += rows

    def _note(self, request: Request, link: BackendConnection, exchange: Exchange, now: float) -> None:
        if request.queued:
            link.traffic.queued.add_one(request.queued)
        if request.begun:
            link.traffic.own.add_one(request.sent - request.begun - request.queued)
        if self._journal.active:
            whole, served = now - (request.begun or request.delayed), now - request.sent
            ran = Ran(request, link.server, self._whose, exchange.errno, exchange.rows, whole, request.queued, served)
            self._journal.note(ran)

    def refused(self, request: Request, errno: int) -> None:
        """The proxy answers `request` with an error of its own: no server's figures are touched, but the log has it."""
        if self._journal.active:
            now = perf_counter()
            queued = now - request.delayed if request.delayed else 0.0
            whole = now - request.begun if request.begun else queued
            self._journal.note(Ran(request, None, self._whose, errno, 0, whole, queued, 0.0))
