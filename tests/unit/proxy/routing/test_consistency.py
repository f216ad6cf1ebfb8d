"""What the reads of a session must see, at each level."""

import pytest

from proxy.routing.consistency import Consistency
from topology.consistency import Level
from topology.freshness import NOTHING, Freshness

BUSY, QUIET = frozenset([("s", "busy")]), frozenset([("s", "quiet")])


def written(level: Level) -> tuple[Consistency, Freshness]:
    """A session that wrote to `busy` (number 1), before others wrote to `quiet` (2) and `busy` (3)."""
    freshness = Freshness()
    freshness.learn(BUSY | QUIET, 0)
    session = Consistency(level, freshness)
    freshness.note_write(BUSY)
    session.own = freshness.written
    freshness.note_write(QUIET)
    freshness.note_write(BUSY)
    return session, freshness


@pytest.mark.parametrize(
    ("level", "busy", "quiet"),
    [
        (Level.EVENTUAL, NOTHING, NOTHING),
        (Level.SESSION, 1, 1),
        (Level.MONOTONIC, 1, 1),
        (Level.GLOBAL, 3, 2),
        (Level.STRICT, 4, 5),
    ],
)
def test_what_each_level_needs(level: Level, busy: int, quiet: int) -> None:
    session, _ = written(level)
    assert session.need(level, BUSY, "s") == busy
    assert session.need(level, QUIET, "s") == quiet


@pytest.mark.parametrize("level", [Level.SESSION, Level.MONOTONIC])
def test_who_has_not_written_needs_none_of_the_writes(level: Level) -> None:
    freshness = Freshness()
    session = Consistency(level, freshness)
    freshness.note_write()
    assert session.need(level, BUSY, "s") == NOTHING


def test_a_session_stays_at_the_replica_where_it_has_read() -> None:
    session, freshness = written(Level.MONOTONIC)
    assert session.leave() == NOTHING
    session.choose("a")
    session.read_at("a")
    session.read_at("a")
    assert session.last == "a"
    # Another one must have all that the primary has now.
    assert session.leave() == freshness.number == 4
    assert session.last == ""
    session.choose("b")
    session.read_at("b")
    assert session.last == "b"


def test_what_was_seen_elsewhere_counts_from_the_moment_of_the_answer() -> None:
    session, freshness = written(Level.MONOTONIC)
    session.choose("a")
    session.read_at("primary")
    assert (session.last, freshness.number) == ("", 4)
    session.choose("a")
    session.read_at("a")
    session.read_at("b")
    assert (session.last, session.leave(), freshness.number) == ("", 5, 5)


def test_who_asks_for_it_late_may_have_seen_anything() -> None:
    session, freshness = written(Level.GLOBAL)
    followed = [session.follows]
    session.need(Level.MONOTONIC, QUIET, "s")
    followed.append(session.follows)
    assert followed == [False, True]
    session.need(Level.MONOTONIC, QUIET, "s")
    assert session.leave() == freshness.number == 4
