"""Runs sysbench and reads its report."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.workloads import DATABASE, TABLE_ROWS, Workload
from topology.errors import ManyreadsError

# Beside a deadlock, which sysbench takes for granted: without transactions two clients can insert the same key.
_IGNORED_ERRORS = "1213,1020,1205,1062"
_GRACE_SECONDS = 120.0


class BenchError(ManyreadsError):
    """A measurement could not be made."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where sysbench connects, and as whom."""

    host: str
    port: int
    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Report:
    """What sysbench counted in one run. `p95_ms` is of whole events: transactions, where there are any."""

    queries: int
    seconds: float
    p95_ms: float

    @property
    def queries_per_second(self) -> float:
        return self.queries / self.seconds


_QUERIES = re.compile(r"^\s+total:\s+(\d+)$", re.MULTILINE)
_SECONDS = re.compile(r"^\s+total time:\s+([\d.]+)s$", re.MULTILINE)
_P95 = re.compile(r"^\s+95th percentile:\s+([\d.]+)$", re.MULTILINE)


def parse_report(text: str) -> Report:
    """Read what `sysbench ... run` prints. Raises BenchError when a number is missing or nothing was done."""
    found = [pattern.search(text) for pattern in (_QUERIES, _SECONDS, _P95)]
    if None in found:
        raise BenchError(f"sysbench gave no figures:\n{text.strip()[-2000:]}")
    queries, seconds, p95 = (match[1] for match in found if match is not None)
    if int(queries) == 0:
        raise BenchError("sysbench ran no query in its time", "give it more --seconds")
    return Report(int(queries), float(seconds), float(p95))


def find_sysbench() -> str:
    """The path of sysbench. Raises BenchError."""
    path = shutil.which("sysbench")
    if path is None:
        raise BenchError("sysbench is not installed", "apt-get install sysbench")
    return path


def fill(address: Address) -> None:
    """Make and fill the table that all workloads use."""
    _sysbench(address, ["oltp_read_write", f"--table-size={TABLE_ROWS}", "prepare"], _GRACE_SECONDS)


def measure(address: Address, workload: Workload, threads: int, seconds: int) -> Report:
    """Run one workload for so long."""
    arguments = [
        workload.test,
        *workload.options,
        f"--threads={workload.threads(threads)}",
        f"--time={seconds}",
        "run",
    ]
    return parse_report(_sysbench(address, arguments, seconds + _GRACE_SECONDS))


def _sysbench(address: Address, arguments: list[str], within: float) -> str:
    with _option_file(address) as options:
        command = [find_sysbench(), f"--config-file={options}", *arguments]
        try:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=within, check=False
            )
        except subprocess.TimeoutExpired:
            raise BenchError(f"sysbench {arguments[0]} did not end within {within:g} s") from None
    if done.returncode:
        raise BenchError(f"sysbench {' '.join(arguments)} failed:\n{done.stdout.strip()[-2000:]}")
    return done.stdout


@contextmanager
def _option_file(address: Address) -> Iterator[Path]:
    # In a private file, because everybody can read a process's arguments.
    with tempfile.NamedTemporaryFile("w", prefix="many-", suffix=".cnf") as file:
        file.write(
            f"mysql-host={address.host}\nmysql-port={address.port}\nmysql-user={address.user}\n"
            f"mysql-password={address.password}\nmysql-db={DATABASE}\nmysql-ignore-errors={_IGNORED_ERRORS}\n"
        )
        file.flush()
        yield Path(file.name)
