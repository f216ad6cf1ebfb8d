"""What a hint says, and that one that makes no sense says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sql.hints import NO_HINT, Hint, duration, parse_hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("primary", Hint("primary")),
        ("replica", Hint("replica")),
        (" REPLICA = dbread2 ", Hint("replica", "dbread2")),
        ("replica=dbread2 max_lag=500ms,consistency=eventual", Hint("replica", "dbread2", 0.5, "eventual")),
        ("max_lag=2m", Hint(max_lag=120.0)),
        ("consistency=global;max_lag=0", Hint(consistency="global", max_lag=0.0)),
        ("primary replica", Hint("replica")),
        ("", Hint(problems=("",))),
        ("foo", Hint(problems=("foo",))),
        ("primary=x", Hint(problems=("primary=x",))),
        ("primary foo=bar consistency=never max_lag max_lag=-1s", Hint("primary", problems=(
            "foo=bar", "consistency=never", "max_lag", "max_lag=-1s"))),
        ("é", Hint(problems=("é",))),
    ],
)  # fmt: skip
def test_hints(text: str, hint: Hint) -> None:
    assert parse_hint(text.encode()) == hint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1.0), ("1.5", 1.5), ("250ms", 0.25), ("2m", 120.0), ("", None), ("s", None), ("1h", None), ("-1", None)],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert duration(text) == seconds


@given(st.binary(max_size=300))
def test_any_bytes_are_a_hint(text: bytes) -> None:
    assert isinstance(parse_hint(text), Hint)
    assert Hint() == NO_HINT
