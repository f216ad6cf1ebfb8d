"""Programs, and scenarios that take a process of their own: `python -m` of a module of this directory."""

import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import cast

from tests.integration.drivers.endpoint import Endpoint, Found
from tests.support.proxies import ROOT


def program(name: str) -> str:
    """Where a program is. `tools/install-packages test` installs all that the tests need."""
    found = shutil.which(name)
    assert found is not None, f"{name} is not installed; tools/install-packages test installs it"
    return found


def in_a_process(module: str) -> Callable[[Endpoint], Found]:
    """The scenario that `module` runs when it is the main one."""

    def scenario(to: Endpoint) -> Found:
        command = [sys.executable, "-m", f"tests.integration.drivers.{module}"]
        done = subprocess.run(command, input=pickle.dumps(to), capture_output=True, cwd=ROOT, timeout=120)
        assert done.returncode == 0, done.stderr.decode()
        return cast(Found, pickle.loads(done.stdout))

    return scenario


def answer(scenario: Callable[[Endpoint], Found]) -> None:
    """The other side: an Endpoint from standard input, what was found to standard output."""
    sys.stdout.buffer.write(pickle.dumps(scenario(pickle.load(sys.stdin.buffer))))
