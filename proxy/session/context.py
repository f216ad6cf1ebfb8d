"""What all sessions share, handed to each of them."""

import asyncio
import itertools
import logging
import random
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from proxy.accounts.directory import Directory
from proxy.accounts.failures import Failures
from proxy.admin.traffic import Traffic, Usage
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
from proxy.session.configured import limits_of, shares_of
from proxy.session.gate import Gate
from proxy.session.journal import Journal
from proxy.session.kills import Target
from proxy.session.memory import Memory
from proxy.session.patience import Waits
from proxy.session.promotions import Promotions
from proxy.sql.cache import StatementCache
from proxy.wire.capabilities import Layout
from proxy.wire.openings import Openings
from proxy.wire.rsakey import RsaKey
from topology.config import Settings
from topology.consistency import Level
from topology.monitor import Monitor
from topology.servers import Server
from topology.tlsfiles import WatchedContext

log = logging.getLogger(__name__)

# Far above the ids that servers hand out, so that a KILL with a proxy's id cannot hit a stranger's server connection.
_FIRST_CONNECTION_ID = 1 << 30
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
    of their arrival. `openings` are those of each reply layout. `certificate` is what clients meet. `rules` are
    those of the configuration. `failures` are those of logins, `logins_refused` counts why.
    `addresses` counts connections by client, `traffic` what each server (by name) got,
    `usages` what users ran; `journal` is the log of statements.
    `accepting` tells whether clients are let in, `draining` that the process stops, `hurrying` that half its time for
    that is over, `late` by how many seconds the event loop's last timer was late.
    `timed_out` counts statements that were
    killed because they ran for longer than they may. `since` is when the process began, `waits` counts reads that
    waited for a replica, `promotions`
    transactions that went from a replica to the primary; `held` notices reads that replicas could serve. Without `pool`
    each session has server connections of its own.
    """

    settings: Settings
    monitor: Monitor
    directory: Directory
    greetings: Greetings
    key: RsaKey
    tasks: asyncio.TaskGroup
    certificate: WatchedContext | None = None
    rules: Rules | None = None
    cache: StatementCache | None = None
    balancer: RoundRobin = field(init=False)
    openings: dict[Layout, Openings] = field(default_factory=lambda: defaultdict(Openings))
    traffic: dict[str, Traffic] = field(default_factory=lambda: defaultdict(lambda: Traffic(time.time())))
    usages: dict[str, Usage] = field(default_factory=dict)
    journal: Journal = field(init=False)
    since: float = field(default_factory=time.monotonic)
    sessions: set[Session] = field(default_factory=set)
    logins: dict[asyncio.Task[None], Login] = field(default_factory=dict)
    addresses: Counter[str] = field(default_factory=Counter)
    failures: Failures = field(init=False)
    logins_refused: Counter[str] = field(default_factory=Counter)
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
    connection_ids: Iterator[int] = field(default_factory=lambda: itertools.count(_FIRST_CONNECTION_ID))

    def __post_init__(self) -> None:
        self.journal = Journal(self.settings)
        self.balancer = self._new_balancer()
        self.failures = Failures(self.settings.failed_logins)
        self.gate = Gate(self.settings.primary_wait)
        self.memory = Memory(self.settings.memory_limit)
        self.reaper = Reaper(self.spawn, self.settings.connect_timeout, self.greetings)
        self.pool = self._new_pool() if self.settings.connection_sharing == "shared" else None

    @property
    def tls(self) -> WatchedContext | None:
        """What clients are offered TLS with; None when they are not."""
        return None if self.settings.tls == "off" else self.certificate

    def heed(self, settings: Settings, rules: Rules | None, certificate: WatchedContext | None) -> None:
        """Go by other settings from now on: all that is read where it is used, and what others have of them."""
        self.settings, self.rules, self.certificate = settings, rules, certificate
        self.reaper.within = self.greetings.within = settings.connect_timeout
        self.monitor.interval = settings.probe_interval
        self.monitor.limits, self.monitor.duty.shares = limits_of(settings), shares_of(settings)
        self.journal.heed(settings)
        self.memory.limit = settings.memory_limit
        self.failures.limit = settings.failed_logins
        if settings.balance != self.balancer.name:
            self.balancer = self._new_balancer()
        if self.pool is not None:
            self.pool.limits = _limits(settings)
        for session in self.sessions:
            session.heed(settings.consistency, rules)

    def _new_balancer(self) -> RoundRobin:
        return balancer(self.settings.balance, self.traffic, time.monotonic, random.random)

    def _new_pool(self) -> Pool:
        def open_link(server: Server, identity: Identity, owner: Owner) -> Awaitable[BackendConnection]:
            return open_connection(server, identity, owner, self.settings.connect_timeout, self.greetings)

        return Pool(_limits(self.settings), open_link, self.spawn, self._connections_of, self._keepalive_of)

    def _connections_of(self, server: Server) -> int:
        """How many connections to `server` the proxy takes: some are left to others."""
        observation = self.monitor.snapshot.observation_of(server)
        most = observation.max_connections if observation is not None else 0
        return max(1, most * 9 // 10) if most else _UNTOLD_CONNECTIONS

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
            for traffic in self.traffic.values():
                traffic.now = time.time()
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


def _limits(settings: Settings) -> PoolLimits:
    return PoolLimits(
        most=settings.server_connections,
        per_user=settings.server_connections_per_user,
        spare=settings.spare_connections,
        idle=settings.server_connection_idle,
        lifetime=settings.server_connection_lifetime,
        wait=settings.server_connection_wait,
        queue=settings.server_connection_queue,
    )


async def _contained(work: Coroutine[None, None, None]) -> None:
    try:
        await work
    except Exception:
        log.exception("a session failed")
