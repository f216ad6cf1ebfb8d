"""The tables of SHOW PROXY."""

from dataclasses import replace

import pytest

from proxy.admin import shows
from proxy.admin.figures import Way
from proxy.admin.tables import Table, columns
from proxy.admin.views import PoolFigure, SessionView
from proxy.routing.policy import Target
from proxy.sql.lexer import digest
from proxy.sql.tally import Tally


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("a%", ["abc", "a*c"]),
        ("_b_", ["abc"]),
        ("a*c", ["a*c"]),
        ("A\\%", []),
        (None, ["abc", "a*c", "[x"]),
        ("[x", ["[x"]),
    ],
)
def test_like(pattern: str | None, fits: list[str]) -> None:
    table = Table(columns("name"), [("abc",), ("a*c",), ("[x",)])
    assert [row[0] for row in table.like(pattern).rows] == fits


def test_many_wildcards_take_no_time() -> None:
    table = Table(columns("name"), [("a" * 1000,)])
    assert table.like("%a" * 200 + "%b").rows == []


def test_digests_hold_no_literals_and_equal_ones_are_one() -> None:
    tallies = []
    for text in (b"SELECT a FROM t WHERE b = 'secret'", b"SELECT  a FROM t WHERE b='secret'", b"SELECT 1"):
        tally = Tally(digest(text))
        tallies.append(tally)
        tally.seen, tally.reason = 1.0, "read"
        tally.rows, tally.affected = 10, 1
    for tally in tallies:
        tally.served.counts[3], tally.served.seconds = 4, 0.004
    tallies[1].example = "an example"
    tallies[1].primary, tallies[1].errors, tallies[1].seen, tallies[1].reason = 3, 1, 61.0, "in-transaction"
    table = shows.digests(shows.most_frequent([*tallies, Tally(b"never")]))
    rows = {row[1]: row[2:] for row in table.rows}
    assert len(rows) == 2
    assert "secret" not in str(rows)
    times = ("8.000", "1.000", "1.000")
    assert (8, 3, 5, 1, 20, 2, "in-transaction", "1970-01-01 00:01:01", *times, "an example") in rows.values()


def test_routes_come_by_their_reasons() -> None:
    ways = {(Target.PRIMARY, "write"): Way(5, 0), (Target.REPLICA, "read"): Way(1, 2)}
    assert shows.routes(ways).rows == [("read", "replica", 3, 1, 2), ("write", "primary", 5, 5, 0)]


def test_sessions_and_pools() -> None:
    view = SessionView(7, "u", "10.0.0.1:5", "", "idle", ("temp-table",), False, "", ("dbwrite",), 3)
    assert shows.sessions([view]).rows == [
        (7, "u", "10.0.0.1:5", None, "idle", "temp-table", "no", None, "dbwrite", 3, None, None)
    ]
    held = replace(view, holds=("unknown-function", "session-state"))
    assert shows.sessions([held]).rows[0][-1] == "unknown-function, session-state"
    lost = replace(view, in_transaction=True, replay="too-large")
    assert shows.sessions([lost]).rows[0][-2] == "too-large"
    assert shows.pools([PoolFigure("dbwrite", "u", 2, 1, 1, 0)]).rows == [("dbwrite", "u", 2, 1, 1, 0, 0, None)]
