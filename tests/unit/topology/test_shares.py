"""Weights and the slow start."""

import math
from collections import Counter

import pytest

from topology.shares import FULL, Shares, part, turns


@pytest.mark.parametrize(
    ("shares", "order"),
    [
        ((), ()),
        ((10,), (0,)),
        ((10, 10), (0, 1)),
        ((7, 7, 7), (0, 1, 2)),
        ((20, 10), (0, 1, 0)),
        ((50, 10, 10), (0, 0, 1, 0, 2, 0, 0)),
        ((30, 10), (0, 0, 1, 0)),
    ],
)
def test_turns_are_spread(shares: tuple[int, ...], order: tuple[int, ...]) -> None:
    assert turns(shares) == order


def test_everybody_gets_what_its_share_says() -> None:
    assert Counter(turns((100, 37, 3))) == {0: 100, 1: 37, 2: 3}


def test_who_comes_back_gets_more_and_more() -> None:
    assert [part(elapsed, 5.0) for elapsed in (0.0, 0.4, 1.0, 2.5, 4.9, 5.0, math.inf)] == [1, 1, 2, 5, 9, FULL, FULL]
    assert part(0.0, 0.0) == FULL


def test_a_share_is_a_weight_as_far_as_it_counts_already() -> None:
    shares = Shares({"a": 3}, slow_start=10.0)
    assert (shares.of("a", math.inf), shares.of("b", math.inf), shares.of("a", 5.0)) == (30, 10, 15)
