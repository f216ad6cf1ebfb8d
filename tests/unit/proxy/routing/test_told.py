"""What the next session has to add to what a connection was told by the last one."""

import pytest

from proxy.routing.told import Fit, Settings, Told, fit, told_first

USE_A, USE_B = ("use", b"a"), ("use", b"b")
LATIN, UTF8 = ("names", "NAMES latin1"), ("names", "NAMES utf8mb4")
ROLE_A, ROLE_B, ROLE_OF = ("role", "SET ROLE a"), ("role", "SET ROLE b"), ("role of the schema", "SET ROLE b")
ROLED = frozenset({"use", "role"})
ZONE = ("time_zone", "@@session.time_zone = '+00:00'")


@pytest.mark.parametrize(
    ("told", "wanted", "expected"),
    [
        ((), (), 0),
        ((), (USE_A,), 0),
        ((USE_A,), (USE_A, ZONE), 1),
        ((USE_B,), (USE_A, ZONE), 0),
        ((ZONE, USE_A), (USE_A, ZONE), 0),
        ((USE_A, ZONE), (USE_A,), -1),
        ((ZONE,), (UTF8,), -1),
    ],
)
def test_how_many_need_not_be_told_again(told: Settings, wanted: Settings, expected: int) -> None:
    assert told_first(told, wanted) == expected


@pytest.mark.parametrize(
    ("told", "wanted", "expected"),
    [
        (Told(), (), Fit.SAME),
        (Told((USE_A,)), (USE_A,), Fit.SAME),
        (Told((LATIN, USE_A)), (UTF8, USE_A), Fit.TELL),
        (Told((LATIN, ZONE)), (UTF8,), Fit.RESET),
        (Told((USE_A,), bare=False), (USE_A,), Fit.RESET),
        (Told(None), (), Fit.RESET),
        (Told((USE_A,), frozenset({"use"})), (), Fit.UNFIT),
        (Told(None, frozenset({"role"})), (USE_A,), Fit.UNFIT),
        (Told((USE_A, ROLE_A), ROLED), (USE_A, ROLE_A, ZONE), Fit.TELL),
        # The roles of another session may not choose the schema.
        (Told((USE_B, ROLE_B), ROLED), (USE_A, ROLE_A), Fit.UNFIT),
        (Told(None, ROLED), (USE_A, ROLE_A), Fit.UNFIT),
        (Told((USE_B, ROLE_B), ROLED), (ROLE_A, USE_A), Fit.TELL),
        (Told((USE_B, ROLE_B), ROLED), (ROLE_OF, USE_A, ROLE_A), Fit.TELL),
        (Told(None, ROLED), (ROLE_A, USE_A), Fit.RESET),
        (Told((ROLE_B,), frozenset({"role"})), (ROLE_A,), Fit.TELL),
    ],
)
def test_how_near_a_connection_is(told: Told, wanted: Settings, expected: Fit) -> None:
    assert fit(told, wanted, resettable=True) is expected


def test_where_a_reset_would_take_too_much_only_a_new_connection_helps() -> None:
    assert fit(Told((ZONE,)), (), resettable=False) is Fit.UNFIT
    assert fit(Told(), (ZONE,), resettable=False) is Fit.TELL
