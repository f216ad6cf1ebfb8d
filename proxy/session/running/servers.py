"""The servers as one session sees them: which of them a request goes to, and the connections that the session has."""

import asyncio
import functools
import logging
from collections.abc import Callable
from typing import Final

from proxy.backend.connection import BackendConnection, Owner
from proxy.backend.login import Identity, open_connection, server_lost
from proxy.backend.places import FULL, Given, Holder, Wish
from proxy.errors import ServerLost, ServerRefused
from proxy.routing.balance import allowed
from proxy.routing.consistency import GLOBAL, MONOTONIC, Consistency
from proxy.routing.policy import IN_TRANSACTION, LAST, REPLICA
from proxy.routing.state import Seen, SessionState
from proxy.routing.told import Fit, Told
from proxy.session.core.lastran import LastRan
from proxy.session.core.request import Request
from proxy.session.core.transactionflags import TransactionFlags
from proxy.session.core.wording import MOVED
from proxy.session.running.links import Links
from proxy.session.shared.context import Context
from proxy.sql.hints import NO_HINT, Hint
from proxy.sql.statement import Tables
from proxy.wire import constants as c
from topology.consistency import Level
from topology.freshness import NOTHING
from topology.servers import Role, Server, Snapshot

log = logging.getLogger(__name__)

_PRIMARY: Final = Role.PRIMARY

Opened = Callable[[BackendConnection | ServerLost | ServerRefused], None]


class Servers:
    """Chooses servers and opens connections to them, in the name of one client.

    `links` are the open ones; it is known from `ran` which servers ran what the session may ask about. `unfit` are the
    names of replicas that do not take this session. `consistency` is about what its reads see. `awaited` is where a
    connection is being opened.
    """

    def __init__(self, context: Context, identity: Identity, state: SessionState, ran: LastRan, name: str) -> None:
        self.links = Links()
        self.unfit: frozenset[str] = frozenset()
        self.consistency = Consistency(context.settings.consistency, context.monitor.freshness)
        self._context = context
        self._identity = identity
        self._state = state
        self._ran = ran
        self._fresh = state.repeatable.told(Seen())
        self._wish: Wish | None = None
        # Unless it is known to be another session's, too.
        self._account: object = object()
        self._name = name
        self._task: asyncio.Task[None] | None = None
        self.awaited: Server | None = None
        self._closed = False

    def leave_behind(self, link: BackendConnection) -> None:
        """The client is gone, and a statement of it runs on `link`: have it killed if that is wanted."""
        if self._context.settings.kill_on_disconnect:
            self.remove(link)
            self._context.reaper.take(link, self._identity)

    def close(self, may_part: Callable[[BackendConnection], bool], left: Callable[[BackendConnection], Told]) -> None:
        """Give up all connections: those that others can have go to them, with what is `left` in them of the session.

        Safe to call twice.
        """
        self._closed = True
        self.give_up()
        for link in list(self.links.values()):
            if self._context.pool is not None and may_part(link):
                self._context.pool.release(link, left(link), primary=self.is_primary(link.server))
            else:
                link.close()
        self.links.clear()

    def give_up(self) -> None:
        """The connection that is being got is not wanted any more."""
        if self._task is not None:
            self._task.cancel()
        if self._wish is not None:
            self._wish.end()
        self._task = self._wish = self.awaited = None

    def remove(self, link: BackendConnection) -> None:
        """A connection is none of the session's any more, nor anybody's."""
        self.links.remove(link)
        if self._context.pool is not None:
            self._context.pool.withdraw(link)

    def over(self, link: BackendConnection | None) -> None:
        """A command is over: somebody else may wait for its connection."""
        pool = self._context.pool
        if pool is not None and pool.waiting and link is not None:
            pool.offer(link.server)

    def is_primary(self, server: Server) -> bool:
        """Whether `server` takes the writes, or took them when the connection to it was opened."""
        return server.role is _PRIMARY

    @property
    def primary_link(self) -> BackendConnection | None:
        """The connection to the primary; None while it is lost."""
        server = self._context.monitor.snapshot.primary.server
        link = self.links.get(server.name)
        return link if link is not None and link.server is server else None

    def choose(self, request: Request) -> Server | None:
        """The server for `request`; None when the only one that could serve it is gone, or when it waits.

        Also when only the primary could serve a read that may not run there: it is not bound to a server (`at`) then.
        """
        snapshot = self._context.monitor.snapshot
        if isinstance(request.at, Server):
            return request.at
        if request.at is not None:
            if (link := self.links.of(request.at)) is not None:
                return link.server
            if request.code != c.COM_STMT_RESET:
                return None
            # What was to be reset is gone with its connection: the primary may say that all is reset.
            request.at = None
        if request.route.twin and not self._state.has_twin:
            request.route = IN_TRANSACTION
        target = request.route.target
        if target is REPLICA:
            if request.route.twin and (twin := self.links.of_transaction(self._state.twins.number)):
                return twin.server
            picked = self._replica_for(request, snapshot)
            if picked is not None:
                return picked
            if request.waits:
                return None
            if request.route.twin:
                request.route = IN_TRANSACTION
            elif self._context.settings.primary_reads == "never":
                return None
        elif target is LAST and (last := self.links.get(self._ran.asked(request.statement.asks))) is not None:
            if self._state.in_transaction and request.whole is None and not self.is_primary(last.server):
                request.whole = TransactionFlags(self._state.status)
            return last.server
        return snapshot.primary.server

    def level_of(self, request: Request) -> Level:
        """What a read must see."""
        wish = request.wish
        if wish is not None and wish.level is not None:
            return wish.level
        return self._state.level or self.consistency.level

    def _replica_for(self, request: Request, snapshot: Snapshot) -> Server | None:
        """The replica for a read; if there is none, `request.waits` tells whether one may be fit soon."""
        balancer, freshness = self._context.balancer, self._context.monitor.freshness
        need = request.need
        if need is None:
            freshness.catch_up()
            reads, schema = self._reads(request)
            if request.wish is None and (self._state.level or self.consistency.level) is GLOBAL:
                picked = balancer.pick(snapshot, freshness, request.avoid, reads, schema)
                if picked is not None:
                    return picked
            need = self.consistency.need(self.level_of(request), reads, schema)
            if request.wish is not None and request.wish.after:
                need = max(need, freshness.number_of(request.wish.after))
            request.need = need
        wish = request.wish or NO_HINT
        if self.level_of(request) is MONOTONIC:
            return self._same_or_newer(request, snapshot, wish, need)
        picked = balancer.pick_wished(snapshot, freshness, request.avoid, wish, need)
        request.waits = picked is None and self._may_wait(request, snapshot, wish, need)
        return picked

    def _reads(self, request: Request) -> tuple[Tables, str]:
        """The tables that a read depends on, and their default schema."""
        # Later reads of a transaction see the same snapshot, whatever they read.
        reads = request.statement.reads if not request.route.twin else None
        return reads, self._state.schema if request.prepared is None else request.prepared.schema

    def _same_or_newer(self, request: Request, snapshot: Snapshot, wish: Hint, need: int) -> Server | None:
        """A replica that has all that the session has seen: the one where it saw that, as long as it can be had."""
        consistency, freshness = self.consistency, self._context.monitor.freshness
        if consistency.last and freshness.has(consistency.last, need):
            for server in allowed(snapshot, request.avoid, wish):
                if server.name == consistency.last:
                    return server
        need = request.need = max(need, consistency.leave())
        picked = self._context.balancer.pick_wished(snapshot, freshness, request.avoid, wish, need)
        if picked is not None:
            consistency.choose(picked.name)
        request.waits = picked is None and self._may_wait(request, snapshot, wish, need)
        return picked

    def _may_wait(self, request: Request, snapshot: Snapshot, wish: Hint, need: int) -> bool:
        if request.waited or need == NOTHING:
            return False
        wait = self._context.settings.freshness_wait
        return wait > 0 and self._context.monitor.hopeful(wait) and bool(allowed(snapshot, request.avoid, wish))

    def foresee(self, request: Request) -> Server | None:
        """As `choose`, but it is nobody's turn."""
        balancer = self._context.balancer
        turn = balancer.turn
        server = self.choose(request)
        if request.waits:
            request.waited = True
            server = self.choose(request)
            request.waits = True
        balancer.turn = turn
        return server

    def add(self, link: BackendConnection) -> None:
        """Keep a new connection."""
        link.openings = self._context.openings[link.layout]
        link.traffic = self._context.traffic[link.server.name]
        self.links.add(link)

    def adopt(self, link: BackendConnection, holder: Holder) -> None:
        """Keep a connection that was opened, or changed, outside of the pool."""
        link.belong_to(holder)
        self.add(link)
        if self._context.pool is not None:
            self._context.pool.enroll(link, self._identity, self._account, holder)

    @property
    def sharing(self) -> bool:
        """Whether other sessions may get the connections."""
        return self._context.pool is not None

    def know_account(self, link: BackendConnection, account: bytes) -> None:
        """`account` is what `link`, a new connection to the primary, may do there."""
        if self._context.pool is not None:
            self._account = account
            self._context.pool.reveal(link, self._identity, account)

    def open_for(self, request: Request, server: Server, holder: Holder, opened: Opened) -> None:
        """As `open`, for `request`: what it must see is settled, and it waits once, for however many connections."""
        if request.need is None and request.route.target is REPLICA:
            request.need = self.consistency.need(self.level_of(request), *self._reads(request))
        if not request.served_by:
            request.served_by = asyncio.get_running_loop().time() + self._context.settings.server_connection_wait
        self.open(server, holder, opened, until=request.served_by)

    def serves(self, server: Server, request: Request) -> bool:
        """Whether `server` is still right for `request`, which was to go there and has waited for its connection.

        If another one was chosen now, it would wait for that, and so on.
        """
        if self.is_primary(server) or request.at is not None:
            return True
        if request.need is None or request.route.twin or self.level_of(request) is MONOTONIC:
            return False
        fit = allowed(self._context.monitor.snapshot, request.avoid, request.wish or NO_HINT)
        return server in fit and self._context.monitor.freshness.has(server.name, request.need)

    def open(
        self, server: Server, holder: Holder, opened: Opened, *, new: bool = False, until: float | None = None
    ) -> None:
        """Get a connection to `server`, and call `opened` with it, or with what went wrong; at once or later.

        `new`: none that was another session's before, so that the server judges the login. `until` is as in `Wish`.
        """
        self.awaited = server
        if self._context.pool is None:
            self._task = self._context.spawn(self._open(server, holder, opened))
            return
        done = functools.partial(self._given, server, opened)
        self._wish = Wish(server, self._identity, holder, self._fit, done, new, self._account, self._fresh, until=until)
        self._context.pool.get(self._wish)

    def _fit(self, told: Told) -> Fit:
        return self._state.repeatable.fit(told, resettable=self._resettable)

    @property
    def _resettable(self) -> bool:
        """Whether a reset makes a connection what it was after its login.

        It does not bring back what these flags ask for, nor what a server's init_connect has set.
        """
        observation = self._context.monitor.snapshot.primary.observation
        kept = self._identity.capabilities & (c.CLIENT_IGNORE_SPACE | c.CLIENT_INTERACTIVE)
        return not kept and observation is not None and not observation.init_connect

    def _given(self, server: Server, opened: Opened, outcome: Given | ServerLost | ServerRefused) -> None:
        self._wish = self.awaited = None
        if isinstance(outcome, Given):
            link = outcome.link
            if not self._context.monitor.current(link.server):
                # The pool forgets it with that.
                link.close()
                opened(ServerLost(server_lost(server, MOVED)))
                return
            if outcome.told is not None:
                link.seen = link.seen.passed_on()
                self._state.repeatable.take_over(outcome.told, link.seen)
            self.add(link)
            opened(link)
            return
        self._note_failure(server, outcome)
        opened(outcome)

    async def _open(self, server: Server, owner: Owner, opened: Opened) -> None:
        outcome: BackendConnection | ServerLost | ServerRefused
        try:
            within = self._context.settings.connect_timeout
            outcome = await open_connection(server, self._identity, owner, within, self._context.greetings)
        except (ServerLost, ServerRefused) as error:
            outcome = error
        self._task = self.awaited = None
        if isinstance(outcome, BackendConnection):
            if self._closed:
                outcome.close()
                return
            if self._context.monitor.current(server):
                self.add(outcome)
            else:
                outcome.close()
                outcome = ServerLost(server_lost(server, MOVED))
        if not isinstance(outcome, BackendConnection):
            self._note_failure(server, outcome)
        opened(outcome)

    def _note_failure(self, server: Server, error: ServerLost | ServerRefused) -> None:
        # Of those that a pool sheds, it tells itself how many there are.
        shed = self._context.pool is not None and error.err.errno in FULL
        log.log(logging.DEBUG if shed else logging.WARNING, "%s: %s: %s", self._name, server, error)
        if isinstance(error, ServerLost):
            self._context.monitor.report_failure(server, error.err.message)
        elif not self.is_primary(server) and error.err.errno not in FULL:
            self.unfit |= {server.name}
