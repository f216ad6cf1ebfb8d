"""Which version is older."""

import pytest

from topology.versions import is_older


@pytest.mark.parametrize(
    ("one", "other", "older"),
    [
        ("8.0.43", "8.4.0", True),
        ("8.4.0", "8.0.43", False),
        ("8.4.0", "8.4.9", False),
        ("9.7.1", "10.11.19-MariaDB", True),
        ("5.5.5-10.6.1-MariaDB", "10.11.19-MariaDB-log", True),
        ("10.11.19-MariaDB", "5.5.5-10.11.2-MariaDB", False),
        ("strange", "8.4.0", False),
        ("8.4.0", "", False),
    ],
)
def test_series_are_compared(one: str, other: str, older: bool) -> None:
    assert is_older(one, other) is older
