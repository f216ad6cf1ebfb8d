"""How failures are told while a run goes on."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.telling import REPLICAS, told

_BROKEN = """
import os, pytest

@pytest.fixture
def left(): yield; raise OSError("not cleaned up")

def test_fails(): assert 1 == 2
def test_leaves(left): pass
def test_ends_it(): os._exit(1)
"""


def test_a_line_names_when_what_and_why() -> None:
    report = pytest.TestReport("tests/test_x.py::test_a", ("", 0, ""), {}, "failed", "it broke", "setup")
    assert told(report, 754.6) == "12:34 setup of tests/test_x.py::test_a failed: it broke"
    report.sections.append((REPLICAS, "dbread1: stopped"))
    assert told(report, 754.6).splitlines()[1:] == ["dbread1: stopped"]


def test_a_run_that_is_killed_has_told_what_failed_before(tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text(_BROKEN)
    options = ("-p", "tests.conftest", "-p", "no:cacheprovider", "-n", "0", "--rootdir", tmp_path)
    command: list[str | Path] = [sys.executable, "-m", "pytest", *options, tmp_path]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "call of test_broken.py::test_fails failed: " in run.stdout
    assert "assert 1 == 2" in run.stdout
    assert "teardown of test_broken.py::test_leaves failed: " in run.stdout
    assert "not cleaned up" in run.stdout
    assert "FAILURES" not in run.stdout
