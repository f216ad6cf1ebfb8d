"""Which server connection a session gets: decided from what there is, performed by `proxy.backend.pool`. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from proxy.routing.told import Fit, Told


class Place(Protocol):
    """One server connection, as far as this decision goes.

    `key` is equal, and the same object, for connections that can serve each other's sessions; `user` is its user's
    name. `free` says that no session has it, `told` what it has of the last one. `idle` counts the ticks of the pool's
    clock since it was used. `owes` says that its session may still ask for what only the connection can tell in full.
    """

    @property
    def key(self) -> object: ...
    @property
    def user(self) -> str: ...
    @property
    def free(self) -> bool: ...
    @property
    def told(self) -> Told: ...
    @property
    def idle(self) -> int: ...
    @property
    def owes(self) -> bool: ...

    def may_part(self) -> bool:
        """Whether it can be taken from the session that has it."""


class Move(IntEnum):
    """What to do for a session that needs a connection."""

    USE = 0  # a free one
    TAKE = 1  # one from another session
    OPEN = 2  # a new one
    REPLACE = 3  # one of another kind is closed, for a new one
    WAIT = 4  # until something changes


@dataclass(frozen=True, slots=True)
class Step:
    """A move, and the place that it is about."""

    move: Move
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """Whether another connection may be opened: to the server at all, and for this user."""

    at_server: bool
    for_user: bool
    # A login is the server's to judge: it takes a connection of its own, in another one's place if it must.
    new: bool = False


@dataclass(slots=True)
class _Found:
    """The best of each sort; of those that are in use the first, which was given out longest ago."""

    near: Place | None = None
    fit: Fit = Fit.UNFIT
    resting: Place | None = None
    owing: Place | None = None
    taken: Place | None = None
    spare: Place | None = None
    strange: Place | None = None


def plan(places: Iterable[Place], key: object, user: str, fit: Callable[[Told], Fit], room: Room) -> Step:
    """What to do for a session of `user` whose connections are those of `key`; `places` are in order of their giving.

    A connection at rest for a tick or more is taken before a new one is opened, one that was used just now only when
    no other may be opened: then whoever has it may want it back at once.
    """
    found = _look(places, key, user, fit, anybody=room.for_user)
    if room.new:
        return _new(found, room)
    if found.near is not None:
        return Step(Move.USE, found.near)
    if found.resting is not None:
        return Step(Move.TAKE, found.resting)
    if room.at_server and room.for_user:
        return Step(Move.OPEN)
    if (place := found.taken or found.owing) is not None:
        return Step(Move.TAKE, place)
    instead = found.spare or found.strange
    return Step(Move.REPLACE, instead) if instead is not None else Step(Move.WAIT)


def _new(found: _Found, room: Room) -> Step:
    if room.at_server and room.for_user:
        return Step(Move.OPEN)
    unused = found.near or found.spare
    instead = unused or found.resting or found.taken or found.owing or found.strange
    return Step(Move.REPLACE, instead) if instead is not None else Step(Move.WAIT)


def _look(places: Iterable[Place], key: object, user: str, fit: Callable[[Told], Fit], anybody: bool) -> _Found:
    found = _Found()
    for place in places:
        if place.key is key:
            if place.free:
                _consider(found, place, fit(place.told))
            elif found.resting is None and (place.idle or found.taken is None) and place.may_part():
                _consider_taken(found, place)
            if found.fit is Fit.SAME:
                break
        elif anybody or place.user == user:
            if place.free:
                found.spare = found.spare or place
            elif found.strange is None and place.may_part():
                found.strange = place
    return found


def _consider_taken(found: _Found, place: Place) -> None:
    """A connection that its session can do without."""
    if place.owes:
        found.owing = found.owing or place
        return
    found.taken = found.taken or place
    found.resting = place if place.idle else None


def _consider(found: _Found, place: Place, fit: Fit) -> None:
    """A free connection of the right kind: the nearest is used, one that is not fit may make room."""
    if fit is Fit.UNFIT:
        found.spare = found.spare or place
    elif fit > found.fit:
        found.near, found.fit = place, fit
