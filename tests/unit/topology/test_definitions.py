"""Which tables are ordinary."""

from topology.definitions import MOST_TABLES, ordinary_tables


def test_ordinary_tables() -> None:
    tables = [("S", "Plain", True), ("s", "view", False), ("s", "watched", True), ("s", "twice", True)]
    tables += [("s", "TWICE", False)]
    assert ordinary_tables(tables, [("s", "Watched"), ("s", "gone")]) == frozenset([("s", "plain")])


def test_too_many_tables() -> None:
    tables = [("s", f"t{number}", True) for number in range(MOST_TABLES)]
    assert len(ordinary_tables(tables, []) or ()) == MOST_TABLES
    assert ordinary_tables([*tables, ("s", "more", True)], []) is None
