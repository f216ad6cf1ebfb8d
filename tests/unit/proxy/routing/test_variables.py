"""User variables: whose value can be told to another connection."""

import pytest

from proxy.routing.variables import MAX_VARIABLES, UserVariables, set_text
from proxy.sql.effects import SetUserVariable


def variables(**values: str) -> tuple[UserVariables, dict[str, int]]:
    known, seen = UserVariables(), dict[str, int]()
    for name, value in values.items():
        known.set(SetUserVariable(name, value), 0, seen)
    return known, seen


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({"a"}, True),
        ({"a", "never_set"}, True),
        ({"unknown"}, False),
        ({"a", "unknown"}, False),
        (set(), True),
        (None, False),
    ],
)  # fmt: skip
def test_what_can_be_told(names: set[str] | None, told: bool) -> None:
    known, _ = variables(a="1", unknown="")
    assert known.can_be_told(None if names is None else frozenset(names), 0) is told


def test_all_of_them_can_be_told_when_each_can() -> None:
    known, _ = variables(a="1", b="NULL")
    assert known.can_be_told(None, 0)


def test_a_string_means_another_one_under_other_settings() -> None:
    known, _ = variables(a="'x'", b="-1")
    assert known.can_be_told(frozenset({"a", "b"}), 0)
    assert known.can_be_told(frozenset({"b"}), 1)
    assert not known.can_be_told(frozenset({"a"}), 1)
    assert list(known.missing(1, {})) == ["b"]


def test_only_what_is_missing_is_told() -> None:
    known, seen = variables(a="1", b="'x'", c="")
    other = dict[str, int]()
    assert known.missing(0, seen) == {}
    missing = known.missing(0, other)
    assert set_text(dict(sorted(missing.items()))) == "SET @`a` = 1, @`b` = 'x'"
    other.update({name: variable.version for name, variable in missing.items()})
    assert known.missing(0, other) == {}
    known.set(SetUserVariable("a", "2"), 0, seen)
    assert set_text(known.missing(0, other)) == "SET @`a` = 2"


def test_any_variable_may_have_been_changed() -> None:
    known, seen = variables(a="1")
    known.set(SetUserVariable(""), 0, seen)
    assert not known.can_be_told(frozenset({"a"}), 0)
    assert not known.can_be_told(None, 0)
    known.set(SetUserVariable("a", "2"), 0, seen)
    assert known.can_be_told(frozenset({"a"}), 0)
    assert not known.can_be_told(frozenset({"b"}), 0)
    known.clear()
    assert known.can_be_told(None, 0)


def test_very_many_variables_are_not_told() -> None:
    known, _ = variables(**{f"v{number}": "1" for number in range(MAX_VARIABLES + 1)})
    assert known.uncertain


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["1", "NULL"], "SET @`a` = 1, @`a` = NULL"),
        (["'x'", "null", "NULL"], "SET @`a` = 'x', @`a` = NULL"),
        (["NULL"], "SET @`a` = NULL"),
        (["", "NULL"], "SET @`a` = NULL"),
        (["'x'", "NULL", "2"], "SET @`a` = 2"),
    ],
)
def test_null_has_the_type_of_the_value_before(values: list[str], told: str) -> None:
    known = UserVariables()
    for value in values:
        known.set(SetUserVariable("a", value), 0, {})
    assert set_text(known.missing(0, {})) == told


def test_a_type_of_another_character_set_is_forgotten() -> None:
    known, seen = variables(a="'x'")
    known.set(SetUserVariable("a", "NULL"), 1, seen)
    assert set_text(known.missing(1, {})) == "SET @`a` = NULL"
