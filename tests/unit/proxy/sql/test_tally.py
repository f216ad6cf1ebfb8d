"""Histograms, and what is counted of a digest."""

import pytest

from proxy.sql.tally import BOUNDS, Histogram, Tally


def filled(*times: float) -> Histogram:
    made = Histogram()
    for seconds in times:
        made.add_one(seconds)
    return made


@pytest.mark.parametrize(
    ("times", "share", "expected"),
    [
        ((), 0.5, 0.0),
        ((0.0001,), 0.95, 0.0001),
        ((0.00011,), 0.95, 0.00025),
        ((0.001, 0.001, 0.001, 0.2), 0.75, 0.001),
        ((0.001, 0.001, 0.001, 0.2), 0.95, 0.25),
        ((99.0,), 0.5, BOUNDS[-1]),
    ],
)
def test_quantiles_are_upper_ends_of_buckets(times: tuple[float, ...], share: float, expected: float) -> None:
    assert filled(*times).quantile(share) == expected


def test_sums() -> None:
    one = filled(0.001, 99.0)
    one.add(filled(0.001))
    assert one.total == 3
    assert one.seconds == pytest.approx(99.002)
    assert one.counts[BOUNDS.index(0.001)] == 2


def test_what_ran_on_replicas_is_what_is_left() -> None:
    tally = Tally(b"key")
    assert (tally.ran, tally.replicas) == (0, 0)
    for seconds in (0.001, 0.02, 60.0):
        tally.served.add_one(seconds)
    tally.primary = 1
    assert (tally.ran, tally.replicas) == (3, 2)
