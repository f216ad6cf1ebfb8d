"""Comparing positions of both vendors."""

import pytest

from topology.gtid import beyond, covers, errant, mysql_set
from topology.servers import Vendor

A, B = "aaaaaaaa-0000-0000-0000-000000000000", "bbbbbbbb-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("have", "want", "expected"),
    [
        ("", "", True),
        ("0-1-5", "", True),
        ("", "0-1-1", False),
        ("0-1-5", "0-1-5", True),
        ("0-2-6", "0-1-5", True),
        ("0-1-4", "0-1-5", False),
        ("0-1-9", "0-1-5,1-1-1", False),
        ("0-1-9,1-3-4", "1-1-4,0-1-5", True),
    ],
)
def test_mariadb_positions(have: str, want: str, expected: bool) -> None:
    assert covers(Vendor.MARIADB, have, want) is expected


@pytest.mark.parametrize(
    ("have", "want", "expected"),
    [
        ("", "", True),
        (f"{A}:1-5", f"{A}:3", True),
        (f"{A}:1-5", f"{A}:5-6", False),
        (f"{A}:1-5:7-9", f"{A}:4-8", False),
        (f"{A}:1-5:6-9", f"{A}:4-8", True),
        (f"{A.upper()}:1-5", f"{A}:1-5", True),
        (f"{A}:1-5", f"{B}:1", False),
        (f"{A}:1-5,\n{B}:1-2", f"{B}:1", True),
        (f"{A}:1-5:tag:1-3", f"{A}:tag:2", True),
        (f"{A}:1-5:tag:1-3", f"{A}:tag:4", False),
    ],
)
def test_mysql_sets(have: str, want: str, expected: bool) -> None:
    assert covers(Vendor.MYSQL, have, want) is expected


def test_beyond_is_what_the_limit_lacks() -> None:
    assert beyond(Vendor.MYSQL, f"{A}:1-6", f"{A}:1-5")
    assert not beyond(Vendor.MYSQL, f"{A}:1-5", f"{A}:1-6")


def test_neighbouring_intervals_are_one() -> None:
    assert mysql_set(f"{A}:4-5:1-3:9") == {A: ((1, 5), (9, 9))}


@pytest.mark.parametrize(
    ("have", "primary", "expected"),
    [
        ("", "", ""),
        (f"{A}:1-5", f"{A}:1-5", ""),
        (f"{A}:1-5", f"{A}:1-9", ""),
        (f"{A}:1-9", f"{A}:1-5", f"{A}:6-9"),
        (f"{A}:1-9,{B}:7", f"{A}:1-9", f"{B}:7"),
        (f"{A}:1-20", f"{A}:3-5:8:30", f"{A}:1-2,{A}:6-7,{A}:9-20"),
        (f"{A}:5-6:20", f"{A}:1-10", f"{A}:20"),
    ],
)
def test_errant_transactions_of_mysql(have: str, primary: str, expected: str) -> None:
    assert errant(Vendor.MYSQL, have, primary, "any") == expected


@pytest.mark.parametrize(
    ("have", "primary", "expected"),
    [
        ("", "", ""),
        ("0-1-10", "0-1-10,0-1-10", ""),
        ("0-1-10", "0-1-20,", ""),
        ("0-1-10,0-2-11", "0-1-10,", "0-2-11"),
        ("0-1-20,0-2-11", "0-1-20,", "0-2-11"),  # its own, though the primary has passed the number
        ("0-1-20,0-2-11", "0-1-20,0-2-11", ""),  # it was the primary once
        ("0-1-20,0-7-5", "0-1-20,", ""),  # an old primary's, which this one has forgotten
        ("0-1-20,0-7-25", "0-1-20,", "0-7-25"),  # an old primary's that never came to this one
        ("0-1-10,5-2-3", "0-1-10,", "5-2-3"),
    ],
)
def test_errant_transactions_of_mariadb(have: str, primary: str, expected: str) -> None:
    assert errant(Vendor.MARIADB, have, primary, "2") == expected
