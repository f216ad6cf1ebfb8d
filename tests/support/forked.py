"""Proxies that are forked from a process which has imported them already, which is most of the CPU time of a start.

What they run is what `python -m proxy` runs, with arguments, environment and working directory of their own.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["proxy.__main__", "uvloop", "proxy.app"])


class ForkedProcess:
    """What tests need of a `subprocess.Popen`."""

    def __init__(self, arguments: Sequence[str], directory: Path, variables: Mapping[str, str], log: Path) -> None:
        # Ended with whoever started it, at the latest.
        self._process: ForkServerProcess = _CONTEXT.Process(
            target=_serve, args=(list(arguments), str(directory), dict(variables), str(log)), daemon=True
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, when it has ended. Raises subprocess.TimeoutExpired after `timeout` seconds."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("proxy", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()


def _serve(arguments: list[str], directory: str, variables: dict[str, str], log: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    os.close(descriptor)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["proxy", *arguments]
    # Not imported by whoever only starts it.
    from proxy.__main__ import app

    app()
