"""Which connection a session gets, for each state that a pool can be in."""

from dataclasses import dataclass

import pytest

from proxy.backend.plan import Move, Room, Step, plan
from proxy.routing.told import Fit, Told

OURS, THEIRS = "ours", "theirs"
SAME, FAR, LOST = Told(), Told(settings=(("a", "1"),)), Told(settings=None)
FITS = {SAME: Fit.SAME, FAR: Fit.RESET, LOST: Fit.UNFIT}
ROOM, FULL, USER_FULL = Room(True, True), Room(False, True), Room(True, False)
LOGIN, LOGIN_FULL = Room(True, True, new=True), Room(False, True, new=True)


@dataclass
class Place:
    key: object = OURS
    user: str = "app"
    free: bool = False
    told: Told = SAME
    idle: int = 0
    parts: bool = True
    owes: bool = False

    def may_part(self) -> bool:
        return self.parts


def planned(room: Room, *places: Place) -> tuple[Move, Place | None]:
    step: Step = plan(places, OURS, "app", FITS.__getitem__, room)
    assert step.place is None or isinstance(step.place, Place)
    return step.move, step.place


BUSY = Place(parts=False)
FRESH, RESTING = Place(), Place(idle=1)
FREE, FREE_FAR, FREE_UNFIT = Place(free=True), Place(free=True, told=FAR), Place(free=True, told=LOST)
OWING = Place(owes=True)
STRANGE_FREE, STRANGE = Place(THEIRS, "other", free=True), Place(THEIRS, "other")
OTHER_KIND = Place(THEIRS, "app", free=True)


@pytest.mark.parametrize(
    ("room", "places", "move", "chosen"),
    [
        (ROOM, [], Move.OPEN, None),
        (ROOM, [BUSY, FREE_FAR, FREE], Move.USE, FREE),
        (ROOM, [FREE_FAR, RESTING], Move.USE, FREE_FAR),
        (ROOM, [FRESH, RESTING], Move.TAKE, RESTING),
        (ROOM, [BUSY, FRESH, STRANGE_FREE], Move.OPEN, None),
        (ROOM, [FREE_UNFIT], Move.OPEN, None),
        (FULL, [BUSY, FRESH], Move.TAKE, FRESH),
        (FULL, [OWING, FRESH], Move.TAKE, FRESH),
        (FULL, [OWING, BUSY], Move.TAKE, OWING),
        (ROOM, [OWING], Move.OPEN, None),
        (FULL, [FREE_UNFIT, FRESH], Move.TAKE, FRESH),
        (FULL, [FREE_UNFIT, BUSY], Move.REPLACE, FREE_UNFIT),
        (FULL, [BUSY, STRANGE, STRANGE_FREE], Move.REPLACE, STRANGE_FREE),
        (FULL, [BUSY, STRANGE], Move.REPLACE, STRANGE),
        (FULL, [BUSY], Move.WAIT, None),
        (USER_FULL, [BUSY, STRANGE_FREE, STRANGE], Move.WAIT, None),
        (USER_FULL, [BUSY, STRANGE_FREE, OTHER_KIND], Move.REPLACE, OTHER_KIND),
        (LOGIN, [FREE, RESTING], Move.OPEN, None),
        (LOGIN_FULL, [RESTING, FREE], Move.REPLACE, FREE),
        (LOGIN_FULL, [BUSY, STRANGE_FREE], Move.REPLACE, STRANGE_FREE),
        (LOGIN_FULL, [FRESH, RESTING], Move.REPLACE, RESTING),
        (LOGIN_FULL, [OWING, FRESH], Move.REPLACE, FRESH),
        (LOGIN_FULL, [OWING, STRANGE], Move.REPLACE, OWING),
        (LOGIN_FULL, [BUSY], Move.WAIT, None),
    ],
)
def test_which_connection_a_session_gets(room: Room, places: list[Place], move: Move, chosen: Place | None) -> None:
    assert planned(room, *places) == (move, chosen)
    if chosen is not None:
        assert planned(room, *places)[1] is chosen


def test_who_got_its_connection_first_gives_it_first() -> None:
    first, second = Place(idle=3), Place(idle=9)
    assert planned(FULL, first, second)[1] is first


def test_one_at_rest_is_preferred_to_one_that_was_used_just_now() -> None:
    assert planned(FULL, FRESH, BUSY, RESTING)[1] is RESTING
