"""Which replicas have every acknowledged write."""

from topology.freshness import Freshness


def test_a_replica_is_fresh_once_it_is_confirmed_up_to_the_last_write() -> None:
    freshness = Freshness()
    assert not freshness.fresh("a")
    freshness.confirm("a", 0)
    assert freshness.fresh("a")
    freshness.note_write()
    assert not freshness.fresh("a")
    freshness.note_write()
    freshness.confirm("a", 1)
    assert not freshness.fresh("a")
    freshness.confirm("a", 2)
    assert freshness.fresh("a")


def test_an_older_confirmation_takes_nothing_away() -> None:
    freshness = Freshness()
    freshness.note_write()
    freshness.confirm("a", 1)
    freshness.confirm("a", 0)
    assert freshness.fresh("a")


def test_a_forgotten_replica_has_to_be_confirmed_anew() -> None:
    freshness = Freshness()
    freshness.confirm("a", 0)
    freshness.forget("a")
    freshness.forget("never seen")
    assert not freshness.fresh("a")


def test_any_replica_behind() -> None:
    freshness = Freshness()
    freshness.confirm("a", 0)
    assert not freshness.behind(())
    assert not freshness.behind(("a",))
    assert freshness.behind(("a", "b"))
