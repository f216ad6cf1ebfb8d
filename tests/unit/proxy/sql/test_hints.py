"""What a hint says, and that one that makes no sense says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sql.hints import NO_HINT, Hint, parse_hint
from topology.consistency import Level

UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("primary", Hint(True)),
        (" PRIMARY ", Hint(True)),
        ("", Hint(problems=("",))),
        ("foo", Hint(problems=("foo",))),
        ("primary=x", Hint(problems=("primary=x",))),
        ("primary, foo=bar", Hint(True, ("foo=bar",))),
        ("replica", Hint(replica=True)),
        ("replica=dbRead2", Hint(replica=True, server="dbread2")),
        ("replica=", Hint(problems=("replica=",))),
        ("max_lag=500ms consistency=eventual", Hint(max_lag=0.5, level=Level.EVENTUAL)),
        ("max_lag=1.5m", Hint(max_lag=90.0)),
        ("max_lag=5, consistency=total", Hint(problems=("max_lag=5", "consistency=total"))),
        ("consistency=global", Hint(level=Level.GLOBAL)),
        ("after=0-1-100", Hint(after="0-1-100")),
        ("after=0-1-100+7-2-9 replica", Hint(after="0-1-100,7-2-9", replica=True)),
        (f"after={UUID}:1-5:9", Hint(after=f"{UUID}:1-5:9")),
        (f"after={UUID.upper()}:1-5:tag_a:3+{UUID}:7", Hint(after=f"{UUID}:1-5:tag_a:3,{UUID}:7")),
        (f"after={UUID}/3:1234", Hint(after=f"{UUID}/3:1234")),
        (f"after={UUID}/3:1+{UUID}/3:1", Hint(True, (f"after={UUID}/3:1+{UUID}/3:1",))),
        ("after=", Hint(True, ("after=",))),
        ("after=0-1", Hint(True, ("after=0-1",))),
        (f"after={UUID}", Hint(True, (f"after={UUID}",))),
        ("after=0-1-1,1-1-1", Hint(after="0-1-1", problems=("1-1-1",))),
        (f"replica after={'0-1-1+' * 200}0-1-1", Hint(True, (f"after={'0-1-1+' * 15}0-1-...",), replica=True)),
        ("é", Hint(problems=("é",))),
    ],
)
def test_hints(text: str, hint: Hint) -> None:
    assert parse_hint(text.encode()) == hint


@pytest.mark.parametrize(
    ("text", "decides"),
    [
        ("primary", True),
        ("replica", True),
        ("max_lag=1s", True),
        ("consistency=eventual", True),
        ("after=0-1-1", True),
        ("é", False),
    ],
)
def test_whether_a_hint_asks_for_anything(text: str, decides: bool) -> None:
    assert parse_hint(text.encode()).decides is decides


@given(st.binary(max_size=300))
def test_any_bytes_are_a_hint(text: bytes) -> None:
    assert isinstance(parse_hint(text), Hint)
    assert Hint() == NO_HINT
