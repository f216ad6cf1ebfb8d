"""What all sessions share, handed to each of them."""

import asyncio
import logging
import random
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from proxy.accounts.directory import Directory
from proxy.accounts.failures import Failures
from proxy.admin.traffic import Traffic, Usage, Volume
from proxy.admin.views import PoolFigure, SessionView
from proxy.backend.connection import BackendConnection, Owner
from proxy.backend.greetings import Greetings
from proxy.backend.login import Identity, open_connection
from proxy.backend.places import PoolLimits
from proxy.backend.pool import Pool
from proxy.backend.reaper import Reaper
from proxy.logs import audit
from proxy.routing.balance import RoundRobin, balancer
from proxy.routing.forms import Forms
from proxy.routing.held import HeldReads
from proxy.routing.rules import Rules
from proxy.session.core.memory import Memory
from proxy.session.shared.colleagues import Colleagues
from proxy.session.shared.configured import limits_of, shares_of
from proxy.session.shared.counting import Book
from proxy.session.shared.gate import Gate
from proxy.session.shared.heaviest import Heaviest
from proxy.session.shared.journal import Journal
from proxy.session.shared.kills import Target
from proxy.session.shared.numbers import numbers
from proxy.session.shared.patience import Waits
from proxy.session.shared.promotions import Promotions
from proxy.session.shared.replays import Replays
from proxy.session.shared.spans import Spans
from proxy.sql.cache import StatementCache
from proxy.sql.tally import Tally
from proxy.tls.selfmade import OfThisRun
from proxy.wire.capabilities import Layout
from proxy.wire.openings import Openings
from proxy.wire.rsakey import RsaKey
from topology.config import Settings
from topology.consistency import Level
from topology.servers import Server
from topology.tlsfiles import WatchedContext
from topology.watch import Watch

log = logging.getLogger(__name__)

# Until a server has told how many connections it takes.
_UNTOLD_CONNECTIONS = 100
_LONGEST_SILENCE = 30.0
_TICK = 1.0
_HELD = (
    "%d of the last minute's %d reads ran on the primary because they were in transactions; with autocommit on, or "
    "transaction_reads = optimistic, replicas can serve such reads"
)
# Connections to the primary that clients with wrong passwords cause at the same time.
_REFUSALS_AT_ONCE = 4
# What the users beyond so many ran is counted together.
_MOST_USERS = 1000


class Login(Protocol):
    """A client that is logging in: since when (the event loop's time), and whether it has yet to prove who it is."""

    name: str
    since: float
    stranger: bool

    def cut_off(self) -> None:
        """End it."""


class Session(Target, Protocol):
    """A session as the rest of the process sees it."""

    @property
    def address(self) -> str:
        """The client's IP address."""

    @property
    def user(self) -> str:
        """Whose it is."""

    @property
    def number(self) -> int:
        """The connection id that its client was greeted with."""

    def view(self) -> SessionView:
        """What is shown of it."""

    def figures(self) -> Iterable[PoolFigure]:
        """Its server connections, one figure for each."""

    def goes_by(self, number: int) -> bool:
        """Whether a client may mean this session with the connection id `number`."""

    def drain(self) -> None:
        """Close as soon as nothing would be lost."""

    def abandon(self, server: Server) -> None:
        """Wait no longer for `server`."""

    def leave_if_silent(self) -> None:
        """Close as `drain` does, if nothing was asked since this was called before."""

    def heed(self, level: Level, rules: Rules | None) -> None:
        """Go by another level of consistency and by other rules."""

    def follow(self) -> None:
        """Give up the connections to servers that are not what they were."""

    @property
    def engaged(self) -> bool:
        """Whether something is under way that has to end before the primary can be changed without an error."""

    def relieve(self, server: Server) -> bool:
        """Close prepared statements on `server` that can be prepared again when they are needed; whether there were."""


@dataclass(slots=True)
class Context:
    """Shared by all sessions of one process.

    `cache` is there once the vendor of the primary is known; `logins` are the clients that are logging in, in the order
    of their arrival. `openings` are those of each reply layout. `certificate` is what clients meet, and `of_this_run`
    the one that is made if there is no other. `rules` are those of the configuration. `failures` are those of logins,
    `logins_refused` counts why. `addresses` counts connections by client, `traffic` what each server (by name) got,
    `usages` what users ran, and `book` what is to be added to all that; `volume` are the bytes of
    all clients; `journal` is the log of statements, `spans` what makes spans of them if they are traced.
    `processes` share the limits. `colleagues` are all of them; `others` tells how many clients they have beside this
    one, and `counted` is called with how many this one has.
    `accepting` tells whether clients are let in, `draining` that the process stops, `hurrying` that half its time for
    that is over, `late` by how many seconds the event loop's last timer was late.
    `timed_out` counts statements that were
    killed because they ran for longer than they may. `since` is when the process began, `waits` counts reads that
    waited for a replica, `promotions`
    transactions that went from a replica to the primary, `replays` those that were lost with it; `held` notices reads
    that replicas could serve. Without `pool` each session has server connections of its own.
    """

    settings: Settings
    monitor: Watch
    directory: Directory
    greetings: Greetings
    key: RsaKey
    tasks: asyncio.TaskGroup
    certificate: WatchedContext | None = None
    of_this_run: OfThisRun = field(default_factory=OfThisRun)
    rules: Rules | None = None
    spans: Spans | None = None
    cache: StatementCache | None = None
    balancer: RoundRobin = field(init=False)
    openings: dict[Layout, Openings] = field(default_factory=lambda: defaultdict(Openings))
    traffic: dict[str, Traffic] = field(default_factory=lambda: defaultdict(Traffic))
    usages: dict[str, Usage] = field(default_factory=dict)
    book: Book = field(default_factory=Book)
    volume: Volume = field(default_factory=Volume)
    journal: Journal = field(init=False)
    heaviest: Heaviest = field(init=False)
    since: float = field(default_factory=time.monotonic)
    sessions: set[Session] = field(default_factory=set)
    logins: dict[asyncio.Task[None], Login] = field(default_factory=dict)
    addresses: Counter[str] = field(default_factory=Counter)
    failures: Failures = field(init=False)
    logins_refused: Counter[str] = field(default_factory=Counter)
    processes: int = 1
    colleagues: Colleagues = field(init=False)
    others: Callable[[], int] = lambda: 0
    counted: Callable[[int], None] = lambda _: None
    accepting: bool = False
    draining: bool = False
    hurrying: bool = False
    late: float = 0.0
    timed_out: int = 0
    empty: asyncio.Event = field(default_factory=asyncio.Event)
    verifying: asyncio.Lock = field(default_factory=asyncio.Lock)
    refusing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_REFUSALS_AT_ONCE))
    forms: Forms = field(default_factory=Forms)
    reaper: Reaper = field(init=False)
    pool: Pool | None = field(init=False)
    gate: Gate = field(init=False)
    memory: Memory = field(init=False)
    waits: Waits = field(default_factory=Waits)
    held: HeldReads = field(default_factory=lambda: HeldReads(time.monotonic()))
    promotions: Promotions = field(default_factory=Promotions)
    replays: Replays = field(default_factory=Replays)
    connection_ids: Iterator[int] = field(default_factory=numbers)

    def __post_init__(self) -> None:
        self.heaviest = Heaviest(self.tallies)
        self.journal = Journal(self.settings, self.spans)
        self.book.time_all(self.journal.active)
        self.balancer = self._new_balancer()
        self.failures = Failures(self.settings.failed_logins)
        self.gate = Gate(self.settings.primary_wait)
        self.memory = Memory(self._part(self.settings.memory_limit))
        self.reaper = Reaper(self.spawn, self.settings.connect_timeout, self.greetings)
        self.pool = self._new_pool() if self.settings.connection_sharing == "shared" else None

    @property
    def tls(self) -> WatchedContext | None:
        """What clients are offered TLS with; None when they are not."""
        return None if self.settings.tls == "off" else self.certificate

    def tallies(self) -> list[Tally]:
        """What is counted of each digest that is remembered."""
        return self.cache.tallies() if self.cache is not None else []

    def heed(self, settings: Settings, rules: Rules | None, certificate: WatchedContext | None) -> None:
        """Go by other settings from now on: all that is read where it is used, and what others have of them."""
        self.settings, self.rules, self.certificate = settings, rules, certificate
        self.reaper.within = self.greetings.within = settings.connect_timeout
        self.monitor.heed(settings.probe_interval, limits_of(settings), shares_of(settings))
        self.journal.heed(settings)
        self.book.time_all(self.journal.active)
        self.failures.limit = settings.failed_logins
        self.memory.limit = self._part(settings.memory_limit)
        if settings.balance != self.balancer.name:
            self.balancer = self._new_balancer()
        if self.pool is not None:
            self.pool.limits = self._limits()
        for session in self.sessions:
            session.heed(settings.consistency, rules)

    def _new_balancer(self) -> RoundRobin:
        return balancer(self.settings.balance, self.traffic, self._time, random.random)

    def _time(self) -> float:
        """For who looks then at how long replies took: all are added up."""
        self.book.add_up()
        return time.monotonic()

    def _new_pool(self) -> Pool:
        def open_link(server: Server, identity: Identity, owner: Owner) -> Awaitable[BackendConnection]:
            return open_connection(server, identity, owner, self.settings.connect_timeout, self.greetings)

        return Pool(self._limits(), open_link, self.spawn, self._connections_of, self._keepalive_of)

    def _connections_of(self, server: Server) -> int:
        """How many connections to `server` the proxy takes: some are left to others."""
        observation = self.monitor.snapshot.observation_of(server)
        most = observation.max_connections if observation is not None else 0
        return self._part(max(1, most * 9 // 10) if most else _UNTOLD_CONNECTIONS)

    def share(self, processes: int) -> None:
        """So many processes share the limits."""
        self.processes = processes
        self.memory.limit = self._part(self.settings.memory_limit)
        if self.pool is not None:
            self.pool.limits = self._limits()

    def _part(self, limit: int) -> int:
        """This process's part of what is a limit for the whole proxy; 0 stays none."""
        return max(1, limit // self.processes) if limit else 0

    def _limits(self) -> PoolLimits:
        settings = self.settings
        return PoolLimits(
            most=self._part(settings.server_connections),
            per_user=self._part(settings.server_connections_per_user),
            spare=self._part(settings.spare_connections),
            idle=settings.server_connection_idle,
            lifetime=settings.server_connection_lifetime,
            wait=settings.server_connection_wait,
            queue=self._part(settings.server_connection_queue),
        )

    def _keepalive_of(self, server: Server) -> float:
        """After how many seconds of silence a free connection to `server` is used, so that it is not closed there."""
        observation = self.monitor.snapshot.observation_of(server)
        wait = observation.wait_timeout if observation is not None else 0.0
        return min(_LONGEST_SILENCE, wait / 2) if wait else _LONGEST_SILENCE

    def usage(self, user: str) -> Usage:
        """Where the statements of `user` are counted."""
        name = user if user in self.usages or len(self.usages) < _MOST_USERS else ""
        return self.usages.setdefault(name, Usage())

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run a session's work as a task of its own; what goes wrong in it must not end the other sessions."""
        return self.tasks.create_task(_contained(work))

    async def tick(self) -> None:
        """Tell the time to those who count, once a second, and see how punctual that is."""
        full = False
        while True:
            self.book.add_up()
            begin = time.monotonic()
            if (held := self.held.look(begin)) is not None:
                log.warning(_HELD, *held)
            full = self._look_at_memory(begin, full)
            await asyncio.sleep(_TICK)
            self.late = max(0.0, time.monotonic() - begin - _TICK)

    def _look_at_memory(self, now: float, was_full: bool) -> bool:
        """Count what is held; whether that is too much, of which the log tells when it changes."""
        self.memory.look(now)
        if self.memory.full and not was_full:
            log.warning(
                "%d bytes are held for clients: more is refused until they are less (memory_limit)", self.memory.held
            )
        elif was_full and not self.memory.full:
            log.info("%d bytes are held for clients: nothing is refused any more", self.memory.held)
        return self.memory.full

    @property
    def clients(self) -> int:
        """How many clients there are, also those that log in; of all processes."""
        return len(self.sessions) + len(self.logins) + self.others()

    def count_clients(self) -> None:
        """A client has come or gone."""
        self.counted(len(self.sessions) + len(self.logins))

    def enter(self, session: Session) -> None:
        """A session begins."""
        audit("logged in", user=session.user, client=session.address, session=session.number)
        self.sessions.add(session)
        self.empty.clear()
        # They may have changed while it logged in.
        session.heed(self.settings.consistency, self.rules)

    def leave(self, session: Session) -> None:
        """A session has ended; `empty` is set with the last one."""
        audit("logged out", user=session.user, client=session.address, session=session.number)
        self.sessions.discard(session)
        self.count_clients()
        self.leave_address(session.address)
        if not self.sessions:
            self.empty.set()

    def leave_address(self, address: str) -> None:
        """A connection from `address` has ended."""
        self.addresses[address] -= 1
        if not self.addresses[address]:
            del self.addresses[address]

    def follow(self) -> None:
        """Servers are not what they were."""
        snapshot = self.monitor.snapshot
        self.directory.follow(snapshot.primary.server)
        if self.pool is not None:
            for state in snapshot.states():
                self.pool.follow(state.server)
        for session in list(self.sessions):
            session.follow()
        self.spawn(self.directory.refresh_quietly())

    def abandon(self, server: Server) -> None:
        """`server` does not answer its probes."""
        for session in list(self.sessions):
            session.abandon(server)

    def session(self, number: int) -> Session | None:
        """The session with a connection id. There are two: that of its greeting, and that of the primary's thread."""
        return next((session for session in self.sessions if session.goes_by(number)), None)

    def relieve(self, server: Server) -> bool:
        """`server` takes no more prepared statements: have idle ones closed; whether there were any."""
        relieved = self.pool is not None and self.pool.relieve(server)
        return any([session.relieve(server) for session in self.sessions]) or relieved


async def _contained(work: Coroutine[None, None, None]) -> None:
    try:
        await work
    except Exception:
        log.exception("a session failed")
