"""sysbench at work while servers fail. It connects once, and ends with the first error, but for deadlocks."""

import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.clients import Connection, run
from tests.support.proxies import ProxyProcess
from tests.support.waiting import wait_until
from tests.support.wireclient import Login

THREADS = 4
_TABLE = ("--tables=1", "--table-size=500")
_PROGRESS = re.compile(r"tps: (?!0\.00)")


class Oltp:
    """A run without an end, in the schema `schema`."""

    def __init__(self, schema: str, process: subprocess.Popen[bytes], report: Path) -> None:
        self._schema = schema
        self._process = process
        self._report = report

    def wait_for_progress(self) -> None:
        """Wait until it gets further; fails when it has ended."""
        before = self._steps()
        wait_until(lambda: self._ended or self._steps() > before + 1, "sysbench gets further", self._report.read_text)
        assert not self._ended, self._report.read_text()

    @contextmanager
    def between_transactions(self, operator: Connection) -> Iterator[None]:
        """It stands still meanwhile, and none of its sessions has a statement or a transaction under way."""
        try:
            wait_until(lambda: self._caught_idle(operator), "no transaction is open")
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _caught_idle(self, operator: Connection) -> bool:
        self._process.send_signal(signal.SIGSTOP)
        # What it has sent before is with the proxy at the second look.
        if self._idle(operator) and self._idle(operator):
            return True
        self._process.send_signal(signal.SIGCONT)
        return False

    def _idle(self, operator: Connection) -> bool:
        rows = [row for row in run(operator, "SHOW PROXY SESSIONS") if row[3] == self._schema]
        return len(rows) == THREADS and {(row[4], row[6]) for row in rows} == {("idle", "no")}

    @property
    def _ended(self) -> bool:
        return self._process.poll() is not None

    def _steps(self) -> int:
        return len(_PROGRESS.findall(self._report.read_text()))


@contextmanager
def sysbench(proxy: ProxyProcess, login: Login, operator: Connection, test: str, rate: int) -> Iterator[Oltp]:
    """`rate` transactions of `test` a second, in a schema of its own."""
    schema = f"sysbench_{test}"
    address = (f"--mysql-host={proxy.host}", f"--mysql-port={proxy.port}", f"--mysql-db={schema}")
    command = ["sysbench", test, *address, f"--mysql-user={login.user}", f"--mysql-password={login.password}", *_TABLE]
    run(operator, f"CREATE DATABASE {schema}")
    subprocess.run([*command, "prepare"], check=True, stdout=subprocess.DEVNULL)
    work = [f"--threads={THREADS}", f"--rate={rate}", "--time=0", "--report-interval=1", "run"]
    with tempfile.NamedTemporaryFile(prefix="many-") as report:
        process = subprocess.Popen([*command, *work], stdout=report, stderr=subprocess.STDOUT)
        try:
            yield Oltp(schema, process, Path(report.name))
        finally:
            process.kill()
            process.wait()
    run(operator, f"DROP DATABASE {schema}")
