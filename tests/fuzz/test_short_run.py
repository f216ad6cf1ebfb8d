"""A short run of every fuzz target; `make fuzz` is the long one."""

import importlib.util
import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fuzz.run import fuzz
from tests.fuzz.targets import TARGETS

# So many seconds for each target; with two at a time it is about twenty in all.
SECONDS = 1


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason=f"atheris has no wheel for Python {sys.version_info[0]}.{sys.version_info[1]} on {platform.platform()}",
)
def test_fuzzing_finds_nothing(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda name: fuzz(name, SECONDS, tmp_path), TARGETS))
    for outcome in outcomes:
        assert not outcome.failure, f"{outcome.target}\n{outcome.culprit}\n{outcome.failure[-4000:]}"
        assert outcome.executions > 50, outcome
