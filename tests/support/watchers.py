"""A watcher as users run it: `python -m replication.watch` in a process of its own."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.waiting import DEADLINE, wait_until

ROOT = Path(__file__).parents[2]


@dataclass
class WatcherProcess:
    """A running watcher, and the file that its log goes to."""

    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        """Everything logged so far."""
        return self.log_file.read_text()

    def wait_for_log(self, text: str, after: int = 0) -> int:
        """Wait until `text` was logged behind the first `after` characters; how many there are then."""
        wait_until(lambda: text in self.log[after:], f"the watcher logs {text!r}", lambda: self.log)
        return len(self.log)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self.process.wait(DEADLINE)


@contextmanager
def running_watcher(*arguments: str) -> Iterator[WatcherProcess]:
    """`python -m replication.watch` with these arguments, looking five times a second."""
    with tempfile.TemporaryDirectory(prefix="many-") as directory:
        log_file = Path(directory) / "watch.log"
        command = [sys.executable, "-m", "replication.watch", "--interval", "0.2s", *arguments]
        with log_file.open("wb") as log, subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log) as process:
            try:
                yield WatcherProcess(process, log_file)
            finally:
                process.kill()
