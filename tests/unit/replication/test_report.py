"""How far a copy has come, in words."""

import pytest

from replication.report import progress_text


@pytest.mark.parametrize(
    ("rows", "of_rows", "seconds", "shown"),
    [
        (0, 1000, 0.0, "copied 0 of about 1,000 rows, 5.0 MB sent"),
        (250, 1000, 2.0, "copied 250 of about 1,000 rows, 5.0 MB sent, 2.5 MB/s, about 0:00:06 left for rows"),
        (1, 100_000, 1.0, "copied 1 of about 100,000 rows, 5.0 MB sent, 5.0 MB/s, about 1 day, 3:46:39 left for rows"),
        # The number of rows was estimated, too low.
        (1200, 1000, 2.0, "copied 1,200 of about 1,200 rows, 5.0 MB sent, 2.5 MB/s, about 0:00:00 left for rows"),
    ],
)
def test_a_copy_tells_its_pace_and_how_long_it_will_take(rows: int, of_rows: int, seconds: float, shown: str) -> None:
    assert progress_text(rows, of_rows, 5_000_000, seconds) == shown
