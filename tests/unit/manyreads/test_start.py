"""A command loads only what it needs: people, and a hundred tests, wait for the rest each time."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SERVING = frozenset({"sqlglot", "aiohttp", "aiomysql", "cryptography", "nacl", "prometheus_client", "opentelemetry"})
# Typer shows help with rich, so that comes with --help, but with nothing else.
COMMANDS = [
    ("proxy --help", {*SERVING, "uvloop"}),
    ("proxy check", {*SERVING, "uvloop", "rich"}),
    ("manyreads check", {*SERVING, "uvloop", "rich"}),
    ("replication --help", {*SERVING, "uvloop", "pydantic"}),
    ("replication.startsync --help", {*SERVING, "uvloop", "pydantic"}),
]


def loaded(command: str) -> set[str]:
    """The packages that `python -m command` imports."""
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", *command.split()], cwd=ROOT, capture_output=True, text=True
    )
    lines = (line for line in ran.stderr.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize(("command", "unneeded"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_what_a_command_does_not_need_is_not_imported(command: str, unneeded: set[str]) -> None:
    found = loaded(command)
    assert "typer" in found
    assert not found & unneeded


def test_the_libraries_are_called_so() -> None:
    assert all(find_spec(name) for name in {*SERVING, "uvloop", "rich", "pydantic"})
