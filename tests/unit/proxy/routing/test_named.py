"""What was prepared as text."""

from proxy.routing.named import MAX_NAMED, NamedStatements
from proxy.sql.statement import Kind, Statement

READ = Statement(Kind.READ, "read")


def test_the_last_text_of_a_name_counts() -> None:
    named = NamedStatements()
    assert named.find("s") is None
    assert named.add("s", READ, b"1", ("", 0)) == 1
    assert named.add("s", READ, b"2", ("", 0)) == 2
    found = named.find("s")
    assert found is not None
    assert (found.text, found.version, named.names()) == (b"2", 2, ["s"])
    named.forget("s")
    named.forget("t")
    assert named.find("s") is None
    named.add("s", READ, b"3", ("", 0))
    named.clear()
    assert len(named) == 0


def test_of_very_many_the_first_ones_are_forgotten() -> None:
    named = NamedStatements()
    for number in range(MAX_NAMED + 1):
        named.add(str(number), READ, b"", ("", 0))
    assert (len(named), named.find("0")) == (MAX_NAMED, None)
    assert named.find(str(MAX_NAMED)) is not None


def test_all_can_be_prepared_again_where_texts_mean_the_same() -> None:
    named = NamedStatements()
    named.add("s", READ, b"1", ("a", 0))
    assert named.all_mean(("a", 0))
    assert not named.all_mean(("b", 0))
    named.add("t", READ, b"2", ("b", 0))
    assert not named.all_mean(("a", 0))
