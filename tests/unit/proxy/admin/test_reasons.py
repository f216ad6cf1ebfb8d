"""What reasons mean."""

import pytest

from proxy.admin.reasons import sentence


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("read", "replica"),
        ("pinned:temp-table", "session"),
        ("unknown-function:f", "function"),
        ("node:Merge", "understood"),
        ("unparsed", "understood"),
        ("write", "writes"),
    ],
)
def test_each_has_a_sentence(reason: str, word: str) -> None:
    assert word in sentence(reason)


def test_those_that_say_it_themselves_have_none() -> None:
    assert sentence("flush-lock") == ""
