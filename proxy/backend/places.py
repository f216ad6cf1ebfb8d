"""The places of a pool: connections by server, who has them, and who waits for one."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from proxy.admin.views import PoolFigure
from proxy.backend.connection import BackendConnection, Owner
from proxy.backend.login import Identity
from proxy.errors import ServerLost, ServerRefused
from proxy.routing.told import Fit, Told
from proxy.wire import constants as c
from proxy.wire.exchange import Exchange
from topology.servers import Server

# What servers refuse a login with as long as there are too many connections: ER_CON_COUNT_ERROR,
# ER_TOO_MANY_USER_CONNECTIONS, ER_USER_LIMIT_REACHED.
FULL: Final = frozenset({c.ER_CON_COUNT, 1203, 1226})
# So many whole ticks a client is given to ask for the warnings of its last statement.
_ASKED_WITHIN: Final = 1


class Holder(Owner, Protocol):
    """A session, as the pool sees it."""

    def may_part(self, link: BackendConnection) -> bool:
        """Whether it needs none of what the connection has, or can take that with it."""

    def owes(self, link: BackendConnection) -> bool:
        """Whether its client is likely to ask at once for what only the connection can tell in full."""

    def part(self, link: BackendConnection, done: Callable[[Told | None], None]) -> None:
        """Give the connection up: `done` is called with what it has, or with None if it cannot be had after all."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """How a connection can be opened ahead of demand, and what it has then."""

    identity: Identity
    told: Told


class Kind:
    """Connections that can serve each other's sessions: what cannot be changed once one is open is the same.

    `several` says that there can be more than one such session. `pattern` is that of the last one that was opened; None
    before, and when opening one like it has failed since.
    """

    __slots__ = ("__weakref__", "pattern", "several", "user")

    def __init__(self, user: str, several: bool) -> None:
        self.user = user
        self.several = several
        self.pattern: Pattern | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """A connection for a session, and what it has of the one before; `told` is None when it was opened just now."""

    link: BackendConnection
    told: Told | None


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """Connections to one server (`most`, of one user `per_user`; 0 for what the server takes), and their times.

    `spare` free ones of each kind are kept however long nobody uses them, and opened ahead of demand as long as a
    session has one of the kind; others are closed after `idle` seconds. Each lives for `lifetime` seconds or so. A
    session waits `wait` seconds for one, and no more than `queue` do so at a time (0 for any number).
    """

    most: int = 0
    per_user: int = 0
    spare: int = 0
    idle: float = 60.0
    lifetime: float = 3600.0
    wait: float = 10.0
    queue: int = 0


@dataclass(slots=True)
class Wish:
    """A session that needs a connection to `server`. `done` is called with it, or with the reason why there is none.

    `new`: a connection that was nobody's before. `account` is as in `Pool.kind`. `fresh` is what a connection has that
    is opened for it. It waits until the event loop's time is `until`, by default as long as the pool's limits say.
    """

    server: Server
    identity: Identity
    holder: Holder
    fit: Callable[[Told], Fit]
    done: Callable[[Given | ServerLost | ServerRefused], None]
    new: bool = False
    account: object = None
    fresh: Told = field(default_factory=Told)
    until: float | None = None
    kind: Kind = field(init=False)
    timer: asyncio.TimerHandle | None = None
    over: bool = False

    def end(self) -> None:
        """It is fulfilled, or nobody has it any more."""
        self.over = True
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class PooledLink:
    """The place of one connection in the pool."""

    __slots__ = ("expires", "holder", "idle", "key", "link", "parting", "sends", "told")

    def __init__(self, link: BackendConnection, kind: Kind, holder: Holder | None, expires: float) -> None:
        self.link = link
        self.key = kind
        self.holder = holder
        self.expires = expires
        self.told = Told()
        self.idle = 0
        self.sends = 0
        self.parting = False

    @property
    def user(self) -> str:
        """Whose it is."""
        return self.key.user

    @property
    def free(self) -> bool:
        """Whether no session has it, and it is not being asked whether it lives."""
        return self.holder is None and not self.parting and self.link.at_rest

    def may_part(self) -> bool:
        """As `proxy.backend.plan.Place` says."""
        return not self.parting and self.holder is not None and self.holder.may_part(self.link)

    @property
    def owes(self) -> bool:
        """As `proxy.backend.plan.Place` says."""
        return self.holder is not None and self.idle <= _ASKED_WITHIN and self.holder.owes(self.link)

    def tick(self) -> None:
        """Note whether it was used since the last tick."""
        self.idle = 0 if self.link.sends != self.sends or not self.link.at_rest else self.idle + 1
        self.sends = self.link.sends


class Ring:
    """The connections to one server, in the order in which they were given out, and who waits for one.

    `adding` says that one is just being opened ahead of demand.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.places: dict[BackendConnection, PooledLink] = {}
        self.opening: Counter[str] = Counter()
        self.waiting: deque[Wish] = deque()
        self.offering = False
        self.adding = False
        self.learnt = 0
        self.believed = 0

    @property
    def size(self) -> int:
        return len(self.places) + self.opening.total()

    def of_user(self, user: str) -> int:
        return sum(place.user == user for place in self.places.values()) + self.opening[user]

    def to_the_end(self, place: PooledLink) -> None:
        del self.places[place.link]
        self.places[place.link] = place

    def figures(self, most: int) -> Iterator[PoolFigure]:
        """How it stands, by user; `most` connections are opened."""
        users = dict.fromkeys([place.user for place in self.places.values()])
        users |= dict.fromkeys(wish.identity.user for wish in self.waiting if not wish.over)
        for user in users:
            yield self._figures_of(user, most)

    def _figures_of(self, user: str, most: int) -> PoolFigure:
        places = [place for place in self.places.values() if place.user == user]
        free = sum(place.free for place in places)
        idle = sum(place.may_part() for place in places)
        waiting = sum(wish.identity.user == user for wish in self.waiting if not wish.over)
        return PoolFigure(self.server.name, user, len(places), len(places) - free - idle, idle, waiting, free, most)


class Nobody:
    """The sink of a connection that no session has; what is asked then is only whether the server lives."""

    def reply_chunk(self, connection: BackendConnection, exchange: Exchange, chunk: bytes) -> None:
        """Called by the connection."""

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        """Called by the connection, which tells the pool itself."""

    def pause_client(self) -> None:
        """Called by the connection."""

    def resume_client(self) -> None:
        """Called by the connection."""
