"""What a hint says, and that one that makes no sense says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sql.hints import NO_HINT, Hint, parse_hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("primary", Hint(True)),
        (" PRIMARY ", Hint(True)),
        ("", Hint(problems=("",))),
        ("foo", Hint(problems=("foo",))),
        ("primary=x", Hint(problems=("primary=x",))),
        ("primary, foo=bar", Hint(True, ("foo=bar",))),
        ("é", Hint(problems=("é",))),
    ],
)
def test_hints(text: str, hint: Hint) -> None:
    assert parse_hint(text.encode()) == hint


@given(st.binary(max_size=300))
def test_any_bytes_are_a_hint(text: bytes) -> None:
    assert isinstance(parse_hint(text), Hint)
    assert Hint() == NO_HINT
