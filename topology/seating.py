"""Which role each server has now, and whether it is still the same server: kept up with what is seen of all of them."""

import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from topology.primary import LOOKS, Seat, decide, doubt
from topology.servers import Observation, Role, Server

log = logging.getLogger(__name__)


class Seating:
    """That of one deployment; the first of `servers` is the primary until it is seen to be another.

    `servers` are the present ones by name: another object when its role has changed, or when another server answers at
    its address. `tie` is as `topology.primary.decide` has it.
    """

    def __init__(self, servers: Iterable[Server], tie: str = "") -> None:
        self.servers = {server.name: server for server in servers}
        self._looks: dict[str, deque[Observation]] = {name: deque(maxlen=LOOKS) for name in self.servers}
        self._identities: dict[str, str] = {}
        self._seat = Seat(next(iter(self.servers)))
        self._tie = tie
        self._roles = {name: [server] for name, server in self.servers.items()}

    def add(self, server: Server) -> None:
        """There is one more replica."""
        self.servers[server.name] = server
        self._looks[server.name] = deque(maxlen=LOOKS)
        self._roles[server.name] = [server]

    def remove(self, name: str) -> None:
        """A replica is not looked at any more."""
        del self.servers[name], self._looks[name], self._roles[name]
        self._identities.pop(name, None)
        claims, rivals = ([one for one in names if one != name] for names in (self._seat.claims, self._seat.rivals))
        self._seat = replace(self._seat, claims=tuple(claims), rivals=tuple(rivals))

    @property
    def primary(self) -> str:
        """The name of the primary."""
        return self._seat.primary

    @property
    def accepted_writes(self) -> bool:
        """Whether the primary was seen to accept writes."""
        return self._seat.writable

    @property
    def doubt(self) -> str:
        """Why nothing new should be begun on the primary at the moment."""
        return doubt(self._seat, self._looks)

    @property
    def split(self) -> str:
        """Which servers accept writes if that are several, and none of them was said to be the primary then."""
        return self._rivalry() if self._seat.rivals and self._seat.primary != self._tie else ""

    @property
    def rivals(self) -> tuple[str, ...]:
        """The names of the servers that accept writes if that are several."""
        writable = {*self._seat.rivals, *self._writing_primary()} if self._seat.rivals else set()
        return tuple(name for name in self.servers if name in writable)

    def last_look(self, name: str) -> Observation | None:
        """What was seen of a server last."""
        looks = self._looks[name]
        return looks[-1] if looks else None

    def take(self, name: str, seen: Observation) -> frozenset[str]:
        """A server was looked at; the names of those that are not what they were."""
        self._looks[name].append(seen)
        before, self._seat = self._seat, decide(self._seat, self._looks, name, self._tie)
        moved = self._moved(before, self._seat) | self._exchanged(name, seen)
        for other in moved:
            self._give_role(other)
        if self._seat.rivals != before.rivals:
            self._announce_rivals()
        return moved

    def same(self, server: Server) -> bool:
        """Whether no other server has answered at the address since `server` was published."""
        return any(server is one for one in self._roles[server.name])

    def _give_role(self, name: str) -> None:
        role = Role.PRIMARY if name == self._seat.primary else Role.REPLICA
        before = self.servers[name]
        self.servers[name] = replace(before, role=role)
        if role is before.role:
            # Another server has it.
            self._roles[name].clear()
        self._roles[name].append(self.servers[name])

    def _moved(self, before: Seat, now: Seat) -> frozenset[str]:
        if now.primary != before.primary:
            old, new = self.servers[before.primary], self.servers[now.primary]
            log.warning("the primary has changed: it is %s now, not %s", new, old)
            return frozenset((before.primary, now.primary))
        if before.identity not in ("", now.identity):
            log.warning("the primary has changed: another server answers as %s", self.servers[now.primary])
            return frozenset((now.primary,))
        return frozenset()

    def _exchanged(self, name: str, seen: Observation) -> frozenset[str]:
        """A replica that is another server than before."""
        if seen.error:
            return frozenset()
        before, self._identities[name] = self._identities.get(name, seen.identity), seen.identity
        if name == self._seat.primary or before == seen.identity:
            return frozenset()
        log.warning("another server answers as %s", self.servers[name])
        return frozenset((name,))

    def _announce_rivals(self) -> None:
        if self._seat.rivals:
            log.error("split brain: %s", self._rivalry())
        else:
            log.warning("only one server accepts writes again: %s", self.servers[self._seat.primary])

    def _rivalry(self) -> str:
        servers = [str(self.servers[name]) for name in self.rivals]
        return f"{' and '.join(servers)} accept writes, where only one of them may"

    def _writing_primary(self) -> Iterable[str]:
        seen = self.last_look(self._seat.primary)
        return (self._seat.primary,) if seen is not None and not seen.error and not seen.read_only else ()
