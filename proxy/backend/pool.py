"""Server connections that sessions share: a session has one only as long as it must, and gets its own back if it can.

What to do is decided in `proxy.backend.plan`; this is where it is done. A connection stays with the session that used
it last until another one needs it, so that a pool that is large enough costs nothing.
"""

import asyncio
import logging
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Final
from weakref import WeakValueDictionary

from proxy.admin.views import PoolFigure
from proxy.backend.connection import BackendConnection, Owner
from proxy.backend.login import Identity
from proxy.backend.places import FULL, Given, Holder, Kind, Nobody, Pattern, PooledLink, PoolLimits, Ring, Wish
from proxy.backend.plan import Move, Room, plan
from proxy.backend.shedding import Shed
from proxy.errors import ServerLost, ServerRefused
from proxy.routing.seen import Seen
from proxy.routing.told import Fit, Told
from proxy.wire import constants as c
from proxy.wire.commands import closing
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import frame
from topology.servers import ProxyProtocol, Server

log = logging.getLogger(__name__)

# So many ticks a server is believed that it takes no more connections than it has.
_BELIEVED: Final = 10
# So many free connections of a kind ended sessions leave behind on the primary.
_LEFT_BEHIND: Final = 2
# Connections differ by this much of their lifetime, so that they do not all end at once.
_JITTER: Final = 0.1
_SETTINGS: Final = "too many want one (server_connections, server_connection_wait, server_connection_queue)"
_PING: Final = frame(bytes((c.COM_PING,)), 0)

Opener = Callable[[Server, Identity, Owner], Awaitable[BackendConnection]]


class Pool:
    """All of them. `open_link` opens one, `allowed` tells how many connections a server takes at all.

    Other `limits` hold for what is opened and waits from then on.
    """

    def __init__(
        self,
        limits: PoolLimits,
        open_link: Opener,
        spawn: Callable[[Coroutine[None, None, None]], object],
        allowed: Callable[[Server], int],
        keepalive: Callable[[Server], float],
    ) -> None:
        self.limits = limits
        self._open_link = open_link
        self._spawn = spawn
        self._allowed = allowed
        self._keepalive = keepalive
        self._rings: dict[str, Ring] = {}
        self._kinds: WeakValueDictionary[tuple[object, ...], Kind] = WeakValueDictionary()
        self.waiting = 0
        self.shed = Shed()

    def kind(self, server: Server, identity: Identity, account: object) -> Kind:
        """Which connections a session of `identity` can have; `account` is equal where the server's account is, and no
        bytes when it is not known whether another session has the same."""
        origin = None if server.proxy_protocol is ProxyProtocol.OFF else identity.origin
        properties = (identity.user, identity.secret, identity.capabilities & ~c.CLIENT_CONNECT_WITH_DB)
        # A client that asked for it is told the schema by the end of its login.
        schema = identity.database if identity.capabilities & c.CLIENT_SESSION_TRACK else None
        key = (*properties, identity.collation_id, origin, schema, account)
        kind = self._kinds.get(key)
        if kind is None:
            self._kinds[key] = kind = Kind(identity.user, several=origin is None and isinstance(account, bytes))
        return kind

    # --- sessions come and go ----------------------------------------------------------------------------------------

    def get(self, wish: Wish) -> None:
        """Find a connection, at once or later."""
        ring = self._ring(wish.server)
        wish.kind = self.kind(wish.server, wish.identity, wish.account)
        if not ring.waiting and self._serve(ring, wish):
            return
        most = self.limits.queue
        if most and len(ring.waiting) >= most and self._clear_queue(ring) >= most:
            wish.end()
            wish.done(self.shed.at_once(ring.server, most))
        else:
            self._enqueue(ring, wish)

    def _clear_queue(self, ring: Ring) -> int:
        """Forget the wishes that nobody has any more; how many are left."""
        left = [wish for wish in ring.waiting if not wish.over]
        self.waiting -= len(ring.waiting) - len(left)
        ring.waiting = deque(left)
        return len(left)

    def enroll(self, link: BackendConnection, identity: Identity, account: object, holder: Holder) -> None:
        """A connection that was opened or changed outside of the pool is one of it now."""
        self._add(self._ring(link.server), link, self.kind(link.server, identity, account), holder)

    def reveal(self, link: BackendConnection, identity: Identity, account: object) -> None:
        """The account of a connection is known now."""
        if (place := self._ring(link.server).places.get(link)) is not None:
            pattern, place.key = place.key.pattern, self.kind(link.server, identity, account)
            place.key.pattern = pattern

    def withdraw(self, link: BackendConnection) -> None:
        """A connection is none of the pool any more."""
        link.on_gone = None
        self._forget(link)

    def release(self, link: BackendConnection, told: Told, *, primary: bool) -> None:
        """The session of a connection has ended and leaves it behind.

        On the primary that is of use only for sessions that others took theirs from: logins open their own.
        """
        ring = self._ring(link.server)
        if link.server is not ring.server:
            link.close()
            return
        place = ring.places[link]
        place.holder, place.told, place.idle = None, told, 0
        link.belong_to(Nobody())
        link.resume_reading()
        self._offer(ring)
        if primary and place.free and self._free(ring, place.key) > max(self.limits.spare, _LEFT_BEHIND):
            link.close()

    @staticmethod
    def _free(ring: Ring, kind: Kind) -> int:
        return sum(place.free and place.key is kind for place in ring.places.values())

    def relieve(self, server: Server) -> bool:
        """`server` takes no more prepared statements: close those of free connections; whether there were any."""
        found = False
        for place in self._ring(server).places.values():
            if place.free and (numbers := place.link.seen.statements.values()):
                place.link.write(b"".join(map(closing, numbers)))
                place.link.seen = Seen()
                found = True
        return found

    def retire(self, server: Server) -> None:
        """`server` is used no more: its connections end as soon as their sessions can do without them."""
        for place in self._ring(server).places.values():
            place.expires = 0.0

    def offer(self, server: Server) -> None:
        """A connection to `server` may be free for others now."""
        self._offer(self._ring(server))

    def follow(self, server: Server) -> None:
        """`server` is another one, or has another role: connections that were opened before are of no use any more."""
        ring = self._ring(server)
        if ring.server is not server:
            ring.server, ring.learnt, ring.believed = server, 0, 0
            for place in list(ring.places.values()):
                if place.free:
                    place.link.close()

    def _ring(self, server: Server) -> Ring:
        ring = self._rings.get(server.name)
        if ring is None:
            ring = self._rings[server.name] = Ring(server)
        return ring

    def _add(self, ring: Ring, link: BackendConnection, kind: Kind, holder: Holder | None) -> PooledLink:
        life = self.limits.lifetime * random.uniform(1 - _JITTER, 1 + _JITTER)
        place = PooledLink(link, kind, holder, asyncio.get_running_loop().time() + life)
        ring.places[link] = place
        link.on_gone = self._forget
        return place

    def _forget(self, link: BackendConnection) -> None:
        ring = self._ring(link.server)
        if ring.places.pop(link, None) is not None:
            self._offer(ring)

    # --- one wish ----------------------------------------------------------------------------------------------------

    def _serve(self, ring: Ring, wish: Wish) -> bool:
        """Do what can be done for a wish; False when it has to wait."""
        step = plan(
            ring.places.values(), wish.kind, wish.identity.user, wish.fit, self._room(ring, wish.kind, new=wish.new)
        )
        place = step.place
        if step.move is Move.OPEN:
            self._open(ring, wish)
        elif isinstance(place, PooledLink):
            self._by_place(ring, step.move, place, wish)
        return step.move is not Move.WAIT

    def _by_place(self, ring: Ring, move: Move, place: PooledLink, wish: Wish) -> None:
        if place.holder is not None:
            self._take(ring, place, wish, keep=move is Move.TAKE)
        elif move is Move.USE:
            self._give(ring, place, wish, place.told)
        else:
            self._instead(ring, place, wish)

    def most(self, server: Server) -> int:
        """How many connections to `server` are opened at most."""
        ring = self._ring(server)
        most = self.limits.most or self._allowed(server)
        return min(most, ring.learnt) if ring.believed else most

    def _room(self, ring: Ring, kind: Kind, *, new: bool = False) -> Room:
        per_user = self.limits.per_user
        user_fits = not per_user or ring.of_user(kind.user) < per_user
        return Room(at_server=ring.size < self.most(ring.server), for_user=user_fits, new=new)

    def _give(self, ring: Ring, place: PooledLink, wish: Wish, told: Told | None) -> None:
        wish.end()
        place.holder, place.idle = wish.holder, 0
        ring.to_the_end(place)
        place.link.belong_to(wish.holder)
        place.link.resume_reading()
        wish.done(Given(place.link, told))

    def _take(self, ring: Ring, place: PooledLink, wish: Wish, *, keep: bool) -> None:
        """Have a session part from its connection, for `wish` itself or to make room for the one that it gets."""

        def parted(told: Told | None) -> None:
            place.parting = False
            if told is None:
                self._again(ring, wish)
                return
            place.holder, place.told = None, told
            place.link.belong_to(Nobody())
            if place.link.server is not ring.server:
                place.link.close()
                self._again(ring, wish)
            elif wish.over:
                self._offer(ring)
            elif keep and wish.fit(told) is not Fit.UNFIT:
                self._give(ring, place, wish, told)
            else:
                self._instead(ring, place, wish)

        place.parting = True
        assert place.holder is not None
        place.holder.part(place.link, parted)

    def _instead(self, ring: Ring, place: PooledLink, wish: Wish) -> None:
        """Close a free connection and open another one in its place."""
        place.link.on_gone = None
        ring.places.pop(place.link, None)
        place.link.close()
        self._open(ring, wish)

    def _again(self, ring: Ring, wish: Wish) -> None:
        """What was to be had for a wish is gone."""
        if not wish.over and not self._serve(ring, wish):
            self._enqueue(ring, wish, first=True)

    def _open(self, ring: Ring, wish: Wish) -> None:
        ring.opening[wish.kind.user] += 1
        self._spawn(self._opened(ring, wish))

    async def _opened(self, ring: Ring, wish: Wish) -> None:
        outcome: BackendConnection | ServerLost | ServerRefused
        try:
            outcome = await self._open_link(ring.server, wish.identity, wish.holder)
        except (ServerLost, ServerRefused) as error:
            outcome = error
        finally:
            ring.opening[wish.kind.user] -= 1
        if not isinstance(outcome, BackendConnection):
            self._not_opened(ring, wish, outcome)
        elif wish.over:
            outcome.close()
        else:
            wish.kind.pattern = Pattern(wish.identity, wish.fresh)
            self._give(ring, self._add(ring, outcome, wish.kind, None), wish, None)
        self._offer(ring)

    def _not_opened(self, ring: Ring, wish: Wish, error: ServerLost | ServerRefused) -> None:
        if error.err.errno in FULL and ring.places:
            log.warning("%s takes no more than %d connections of ours: %s", ring.server, len(ring.places), error)
            ring.learnt, ring.believed = len(ring.places), _BELIEVED
            self._again(ring, wish)
        elif not wish.over:
            wish.end()
            wish.done(error)

    # --- waiting -----------------------------------------------------------------------------------------------------

    def _enqueue(self, ring: Ring, wish: Wish, *, first: bool = False) -> None:
        if first:
            ring.waiting.appendleft(wish)
        else:
            ring.waiting.append(wish)
        self.waiting += 1
        if wish.timer is None:
            loop = asyncio.get_running_loop()
            if wish.until is None:
                wish.until = loop.time() + self.limits.wait
            wish.timer = loop.call_at(wish.until, self._expire, ring, wish)

    def _expire(self, ring: Ring, wish: Wish) -> None:
        wish.timer = None
        if wish.over or wish not in ring.waiting:
            return
        wish.end()
        wish.done(self.shed.in_the_end(ring.server, len(ring.places), self.limits.wait))

    def _offer(self, ring: Ring) -> None:
        """Serve those that wait, in their order, as far as that goes."""
        if ring.offering:
            return
        ring.offering = True
        try:
            while ring.waiting:
                wish = ring.waiting.popleft()
                self.waiting -= 1
                if not wish.over and not self._serve(ring, wish):
                    self._enqueue(ring, wish, first=True)
                    break
        finally:
            ring.offering = False

    # --- the clock ---------------------------------------------------------------------------------------------------

    async def keep(self, tick: float = 1.0) -> None:
        """Look after the connections, each `tick` seconds, until cancelled."""
        while True:
            await asyncio.sleep(tick)
            for ring in list(self._rings.values()):
                ring.believed = max(0, ring.believed - 1)
                if shed := self.shed.untold(ring.server):
                    log.warning("%s: %d statements or logins got no connection: %s", ring.server, shed, _SETTINGS)
                self._look_after(ring, tick)
                self._offer(ring)

    def _look_after(self, ring: Ring, tick: float) -> None:
        now = asyncio.get_running_loop().time()
        kept: Counter[Kind] = Counter()
        for place in list(ring.places.values()):
            place.tick()
            if now >= place.expires:
                self._retire(ring, place)
            elif place.free:
                kept[place.key] += 1
                if place.idle * tick >= self.limits.idle and kept[place.key] > self.limits.spare:
                    place.link.close()
                elif place.idle and place.idle * tick % max(tick, self._keepalive(ring.server)) < tick:
                    place.link.send(_PING, Exchange(Reply.RESULT, place.link.layout), Nobody())
        if not (ring.adding or ring.waiting or ring.believed):
            self._add_spare(ring, kept)

    def _add_spare(self, ring: Ring, free: Counter[Kind]) -> None:
        """Open one connection ahead of demand: of a kind that sessions have, with too few free ones."""
        for kind in dict.fromkeys(place.key for place in ring.places.values() if place.holder is not None):
            room = self._room(ring, kind)
            wanted = kind.several and free[kind] < self.limits.spare
            if wanted and kind.pattern is not None and room.at_server and room.for_user:
                ring.adding = True
                ring.opening[kind.user] += 1
                self._spawn(self._spare_added(ring, kind, kind.pattern))
                return

    async def _spare_added(self, ring: Ring, kind: Kind, pattern: Pattern) -> None:
        try:
            link = await self._open_link(ring.server, pattern.identity, Nobody())
            if link.alive:
                self._add(ring, link, kind, None).told = pattern.told
        except (ServerLost, ServerRefused) as error:
            log.info("%s: no spare connection of %s: %s", ring.server, kind.user, error)
            # The account may have changed. The next session that gets one from the server makes it known again.
            kind.pattern = None
        finally:
            ring.adding = False
            ring.opening[kind.user] -= 1
        self._offer(ring)

    def _retire(self, ring: Ring, place: PooledLink) -> None:
        """End a connection that has lived long enough, as soon as its session can do without it."""
        if place.free:
            place.link.close()
        elif place.idle and place.may_part():
            place.parting = True
            assert place.holder is not None
            place.holder.part(place.link, lambda told: self._retired(ring, place, told))

    def _retired(self, ring: Ring, place: PooledLink, told: Told | None) -> None:
        place.parting = False
        if told is not None:
            place.holder = None
            place.link.close()

    def figures(self) -> Iterator[PoolFigure]:
        """How it stands, by server and user."""
        for ring in self._rings.values():
            yield from ring.figures(self.most(ring.server))
