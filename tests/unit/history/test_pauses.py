"""How long clients came no further."""

from tests.history.pauses import longest


def test_the_longest_pause_that_touches_the_time_counts() -> None:
    progress = {1: [0.0, 5.0, 5.5, 7.5, 8.0], 2: [0.0, 5.9, 6.2, 12.0], 3: [0.0, 20.0], 4: [1.0]}
    assert longest(progress, began=6.0, ended=7.0) == [2.0, 5.8, 20.0, 0.0]
