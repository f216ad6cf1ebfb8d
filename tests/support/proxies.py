"""A proxy as users run it: `python -m proxy` in a process of its own."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from replication.sandbox import Cluster
from tests.support.forked import ForkedProcess
from tests.support.waiting import DEADLINE, wait_until

ROOT = Path(__file__).parents[2]
# Where compiled packages are (tests/support/wheels.py), to run them in the place of this checkout's.
COMPILED: str | None = os.environ.get("MANYREADS_COMPILED")
# Where many tests run, one after the other, most start a proxy that is forked (`tests.support.forked`).
_MANY = "PYTEST_XDIST_WORKER" in os.environ
_SERVING = re.compile(r"serving on ([\d.]+):(\d+)")


@dataclass
class ProxyProcess:
    """A running proxy, and the file that its log goes to."""

    process: subprocess.Popen[bytes] | ForkedProcess
    log_file: Path

    @property
    def log(self) -> str:
        """Everything logged so far."""
        return self.log_file.read_text()

    @property
    def resident(self) -> int:
        """The memory in use by the proxy, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    @property
    def descriptors(self) -> int:
        """How many files and sockets are open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def steady_descriptors(self) -> int:
        """The same, once former clients are gone."""
        counts: list[int] = []

        def same() -> bool:
            counts.append(self.descriptors)
            return len(counts) > 20 and len(set(counts[-20:])) == 1

        wait_until(same, "the number of descriptors rests")
        return counts[-1]

    @property
    def host(self) -> str:
        """The address that it serves on."""
        return self._serving()[0]

    @property
    def port(self) -> int:
        """The port that it serves on."""
        return int(self._serving()[1])

    def _serving(self) -> tuple[str, str]:
        match = _SERVING.search(self.log)
        assert match is not None, self.log
        return match[1], match[2]

    def wait_for_log(self, text: str, times: int = 1) -> None:
        """Wait until `text` was logged so many times."""
        wait_until(lambda: self.log.count(text) >= times, f"the proxy logs {text!r}", lambda: self.log)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self.process.wait(DEADLINE)


@contextmanager
def running_proxy(
    cluster: Cluster,
    *arguments: str,
    packages: str | None = COMPILED,
    module: str = "proxy",
    forked: bool = True,
) -> Iterator[ProxyProcess]:
    """A proxy for the cluster on a free port, when it accepts clients and has found every server healthy."""
    command = ["--environment", str(cluster.environment_file), *arguments]
    with started_proxy(*command, packages=packages, module=module, forked=forked) as proxy:
        proxy.wait_for_log("serving on")
        proxy.wait_for_log("-> healthy", len(cluster.servers))
        yield proxy


@contextmanager
def started_proxy(
    *arguments: str, packages: str | None = COMPILED, module: str = "proxy", forked: bool = True
) -> Iterator[ProxyProcess]:
    """`python -m proxy` with these arguments, on a free port unless they name one; not waited for.

    From the directory `packages` if that is given, and another `module` than `proxy` for one that begins it. Not
    `forked` it has its memory to itself from the beginning.
    """
    with tempfile.TemporaryDirectory(prefix="many-") as directory:
        log_file = Path(directory) / "proxy.log"
        log_file.touch()
        listen = () if "--listen" in arguments else ("--listen", "127.0.0.1:0")
        state = () if "--state-directory" in arguments else ("--state-directory", str(Path(directory) / "state"))
        own = (*listen, *state, *arguments)
        start: AbstractContextManager[ForkedProcess | subprocess.Popen[bytes]]
        if _MANY and forked and packages is None and module == "proxy":
            start = _forked(own, log_file)
        else:
            start = _executed(own, log_file, packages, module)
        with start as process:
            try:
                yield ProxyProcess(process, log_file)
            finally:
                process.kill()
                process.wait()


@contextmanager
def _forked(arguments: Sequence[str], log_file: Path) -> Iterator[ForkedProcess]:
    yield ForkedProcess(arguments, ROOT, os.environ, log_file)


@contextmanager
def _executed(
    arguments: Sequence[str], log_file: Path, packages: str | None, module: str
) -> Iterator[subprocess.Popen[bytes]]:
    # Without -P the modules of the working directory come first.
    python = [sys.executable, "-P"] if packages else [sys.executable]
    command = [*python, "-m", module, *arguments]
    variables = {**os.environ, "PYTHONPATH": str(Path(packages).resolve())} if packages else None
    with (
        log_file.open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=log) as process,
    ):
        yield process
