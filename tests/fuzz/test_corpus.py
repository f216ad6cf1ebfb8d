"""Everything that fuzzing ever found a way to keeps every invariant; this needs no fuzzer."""

from collections.abc import Callable

import pytest

from tests.fuzz import corpus
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_of(name: str) -> None:
    inputs = corpus.read(name)
    assert inputs, "a target without a corpus: run `python -m tests.fuzz --keep`"
    for data in [b"", *inputs]:
        assert not broken(TARGETS[name], data)


def broken(target: Callable[[bytes], None], data: bytes) -> str:
    """How an input breaks an invariant; empty if it does not."""
    try:
        target(data)
    except Exception as error:
        return f"{data.hex()}: {error!r}"
    return ""


def test_no_corpus_is_without_a_target() -> None:
    assert {file.stem for file in corpus.DIRECTORY.glob("*.hex")} <= set(TARGETS)
