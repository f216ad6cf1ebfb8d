"""Which replicas have every acknowledged write."""

import pytest

from topology.freshness import Freshness, Table, Tables, resolved


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


T, U, V = ("s", "t"), ("s", "u"), ("s", "v")


def learned(*ordinary: Table) -> Freshness:
    freshness = Freshness()
    freshness.learn(frozenset(ordinary), 0)
    freshness.confirm("a", 0)
    return freshness


def test_tables_are_not_told_apart_while_they_may_be_defined() -> None:
    freshness = learned(T, U)
    freshness.note_write(frozenset([T]))
    assert covers(freshness, U)
    freshness.begin_definition()
    assert not covers(freshness, U)
    freshness.learn(frozenset([T, U]), freshness.definitions)
    assert not covers(freshness, U)
    freshness.note_write(None, defines=True)
    freshness.end_definition()
    freshness.learn(frozenset([T, U]), freshness.definitions)
    freshness.confirm("a", freshness.written)
    freshness.note_write(frozenset([T]))
    assert covers(freshness, U)


def covers(freshness: Freshness, *reads: Table) -> bool:
    return freshness.covers("a", frozenset(reads), "s")


def test_a_read_needs_what_was_written_to_its_tables() -> None:
    freshness = learned(T, U)
    freshness.note_write(frozenset([T]))
    assert covers(freshness, U)
    assert covers(freshness, ("", "U"))
    assert not covers(freshness, T)
    assert not covers(freshness, T, U)
    assert not freshness.fresh("a")
    freshness.note_write(frozenset([U]))
    freshness.confirm("a", 1)
    assert covers(freshness, T)
    assert not covers(freshness, U)


@pytest.mark.parametrize("reads", [None, frozenset(), frozenset([V]), frozenset([("", "\u00fc")]), frozenset([T, V])])
def test_reads_that_may_depend_on_anything(reads: Tables) -> None:
    freshness = learned(T, U)
    freshness.note_write(frozenset([U]))
    assert not freshness.covers("a", reads, "s")
    freshness.confirm("a", 1)
    assert freshness.covers("a", reads, "s")


@pytest.mark.parametrize("tables", [None, frozenset([V]), frozenset([T, V])])
def test_writes_that_count_for_all_tables(tables: Tables) -> None:
    freshness = learned(T, U)
    freshness.note_write(tables)
    freshness.note_write(frozenset([T]))
    assert not covers(freshness, U)
    freshness.confirm("a", 1)
    assert covers(freshness, U)
    assert not covers(freshness, T)


def test_nothing_is_told_apart_while_definitions_are_unknown() -> None:
    freshness = Freshness()
    freshness.confirm("a", 0)
    assert covers(freshness, U)
    freshness.note_write(frozenset([T]))
    assert not covers(freshness, U)
    freshness.learn(frozenset([T, U]), 0)
    assert not covers(freshness, U)
    freshness.confirm("a", 1)
    freshness.note_write(frozenset([T]))
    assert covers(freshness, U)


def test_definitions_that_changed_while_they_were_asked_for() -> None:
    freshness = learned(T, U)
    freshness.note_write(frozenset([T]), defines=True)
    freshness.learn(frozenset([T, U]), 0)
    freshness.confirm("a", 1)
    freshness.note_write(frozenset([T]))
    assert not covers(freshness, U)
    freshness.learn(frozenset([T, U]), 1)
    freshness.confirm("a", 2)
    freshness.note_write(frozenset([T]))
    assert covers(freshness, U)


def test_definitions_that_were_found_changed() -> None:
    freshness = learned(T, U)
    freshness.note_write(frozenset([T]))
    freshness.learn(frozenset([T, U]), 0)
    assert covers(freshness, U)
    freshness.learn(frozenset([U]), 0)
    assert not covers(freshness, U)


def test_what_was_forgotten_is_taken_for_as_new_as_it_may_be() -> None:
    many = [("s", f"t{number}") for number in range(10_001)]
    freshness = learned(T, U, *many)
    freshness.note_write(frozenset([U]))
    for table in many:
        freshness.note_write(frozenset([table]))
    freshness.confirm("a", 1)
    assert not covers(freshness, T)
    freshness.confirm("a", 2)
    assert covers(freshness, U)
    assert covers(freshness, T)
    assert not covers(freshness, many[-1])


def test_names_in_full() -> None:
    assert resolved(frozenset([("", "T"), ("B", "u")]), "A") == frozenset([("a", "t"), ("b", "u")])
    assert resolved(frozenset([("", "t")]), "") is None
    assert resolved(frozenset([("s", "\u00e9")]), "") is None
    assert resolved(frozenset([("\u00e9", "t")]), "") is None
    assert resolved(None, "s") is None


def test_a_mark_is_a_number_without_a_write() -> None:
    freshness = learned(T, U)
    freshness.note_write(frozenset([T]))
    freshness.confirm("a", 1)
    assert freshness.mark() == 2
    assert freshness.fresh("a")
    assert not freshness.has("a", 2)
    freshness.note_write(frozenset([U]))
    assert (freshness.writes, freshness.written, freshness.number) == (2, 3, 3)
    assert freshness.needed(frozenset([T]), "s") == 1
    assert freshness.needed(frozenset([U]), "s") == freshness.needed(frozenset(), "s") == 3


def test_who_waits_is_called_once_a_replica_is_confirmed_so_far() -> None:
    called: list[str] = []
    freshness = Freshness(lambda: called.append("wanted"))

    def late() -> None:
        called.append("late")

    freshness.wait(2, lambda: called.append("two"))
    freshness.wait(3, late)
    freshness.confirm("a", 1)
    assert (called, freshness.waiters) == (["wanted", "wanted"], 2)
    freshness.confirm("b", 2)
    assert (called[2:], freshness.waiters) == (["two"], 1)
    freshness.wait_no_more(late)
    freshness.wait_no_more(late)
    freshness.confirm("b", 3)
    assert (called[3:], freshness.waiters) == ([], 0)


UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"


def test_positions_are_told_by_number() -> None:
    freshness = Freshness()
    assert freshness.position_after(0) is None
    for number, position in ((0, "0-1-5"), (3, "0-1-9"), (3, "0-1-10"), (5, "0-1-12")):
        freshness.locate(number, position)
    found = [freshness.position_after(number) for number in (0, 1, 3, 4, 6)]
    assert found == ["0-1-5", "0-1-9", "0-1-9", "0-1-12", None]


@pytest.mark.parametrize(
    ("token", "number"),
    [("0-1-5", 0), ("0-1-6", 3), ("0-2-12", 5), ("0-1-13", 6), ("1-1-1", 6), (f"{UUID}:1", 6)],
)
def test_tokens_have_numbers(token: str, number: int) -> None:
    freshness = Freshness()
    for _ in range(5):
        freshness.note_write()
    for known, position in ((0, "0-1-5"), (3, "0-1-9"), (5, "0-1-12")):
        freshness.locate(known, position)
    assert freshness.number_of(token) == number


def test_tokens_of_mysql_have_numbers() -> None:
    freshness = Freshness()
    freshness.locate(0, f"{UUID}:1-7")
    assert freshness.number_of(f"{UUID}:3-7") == 0
    assert freshness.number_of(f"{UUID}:3-8") == 1
    assert freshness.number_of("0-1-1") == 2


def test_a_bounded_number_of_positions_is_kept() -> None:
    freshness = Freshness()
    for number in range(1000):
        freshness.locate(number, f"0-1-{number}")
    assert freshness.number_of("0-1-3") == 900


def test_another_primary() -> None:
    freshness = Freshness()
    freshness.learn(frozenset({("s", "t")}), 0)
    freshness.note_write(frozenset({("s", "t")}))
    freshness.locate(1, "0-1-1")
    freshness.confirm("a", 1)
    freshness.restart()
    assert not freshness.fresh("a")
    assert not freshness.covers("a", frozenset({("s", "other")}), "s")
    assert freshness.position_after(1) is None
    assert freshness.writes == 1
    freshness.locate(freshness.number, "0-2-2")
    freshness.confirm("a", freshness.number)
    assert freshness.fresh("a")
