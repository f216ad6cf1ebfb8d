"""Where each key of a TOML file is."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topology.tomllines import KeyPath, lines_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("# a = 1\n\n", {}),
        ("a = 1\nb = 2", {("a",): 1, ("b",): 2}),
        ("\r\na = 1\r\nb = 2\r\n", {("a",): 2, ("b",): 3}),
        ('a = """\nb = 2\n[c]\n"""\nd = 1\n', {("a",): 1, ("d",): 5}),
        ("a = [\n  'x', # b = 1\n  'y',\n]\nb = 1\n", {("a",): 1, ("b",): 5}),
        ("a.b = 1", {("a",): 1, ("a", "b"): 1}),
        ("a = {b = 1}", {("a",): 1, ("a", "b"): 1}),
        ("[t]\n\na = 1\n[t.u]\na = 2\n", {("t",): 1, ("t", "a"): 3, ("t", "u"): 4, ("t", "u", "a"): 5}),
        (
            "[[r]]\na = 1\n[[s]]\n[[r]]\n# c\nb = 1\n",
            {("r", 0): 1, ("r", 0, "a"): 2, ("s", 0): 3, ("r", 1): 4, ("r", 1, "b"): 6},
        ),
        ("'a b' = 1 # '''\n\"c\" = '''\n\n'''\nd = 1", {("a b",): 1, ("c",): 2, ("d",): 5}),
        ("a = 'line\u2028separator'\nb = 1", {("a",): 1, ("b",): 2}),
    ],
)
def test_lines(text: str, expected: dict[KeyPath, int]) -> None:
    tomllib.loads(text)
    assert lines_of(text) == expected


@given(
    st.lists(st.sampled_from(["# c", "", "k{} = 1", "k{} = [\n1,\n2]", 'k{} = """\nk = 1\n\n"""', "[t{}]", "[[r]]"]))
)
def test_every_key_is_on_its_line(statements: list[str]) -> None:
    text = "\n".join(statement.format(number) for number, statement in enumerate(statements))
    lines = text.split("\n")
    for path, line in lines_of(text).items():
        keys = [key for key in path if isinstance(key, str)]
        assert lines[line - 1].strip("[]").startswith(keys[-1])
    assert len(lines_of(text)) == sum("k" in each or "[" in each for each in statements)
