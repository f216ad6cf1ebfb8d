"""Where replicas may be, by what a primary shows."""

import pytest

from topology.discovery import candidates

DUMPS = [
    {"Host": "10.0.0.2:4711", "Command": "Binlog Dump GTID"},
    {"Host": "10.0.0.3:4712", "Command": "Binlog Dump"},
    {"Host": "app:4713", "Command": "Query"},
    {"Host": "localhost", "Command": "Sleep"},
]


@pytest.mark.parametrize(
    ("registered", "expected"),
    [
        ([], []),
        ([("db2", 3306)], [("db2", 3306)]),
        # Not each on the host of the other, but nobody tells which is which: they are asked.
        ([("", 3306), ("", 3307)], [("10.0.0.2", 3306), ("10.0.0.3", 3306), ("10.0.0.2", 3307), ("10.0.0.3", 3307)]),
        ([("", 3306), ("", 3306)], [("10.0.0.2", 3306), ("10.0.0.3", 3306)]),
        ([(None, 3306), ("db2", 1)], [("10.0.0.2", 3306), ("10.0.0.3", 3306), ("db2", 1)]),
    ],
)
def test_candidates(registered: list[tuple[str | None, int]], expected: list[tuple[str, int]]) -> None:
    assert candidates([{"Host": host, "Port": port} for host, port in registered], DUMPS, "db1") == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [("db", "db"), ("db:5", "db"), ("[2001:db8::1]:5", "2001:db8::1"), ("localhost", "db1"), ("127.0.0.1:5", "db1")],
)
def test_hosts_as_a_primary_writes_them(host: str, expected: str) -> None:
    dumps = [{"Host": host, "Command": "Binlog Dump"}]
    assert candidates([{"Host": "", "Port": 1}], dumps, "db1") == [(expected, 1)]
