"""The report: a table for people, JSON for programs, and on what it was measured."""

import os
import platform
import re
import subprocess
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.table import Table

from tests.bench.figures import Figures, Sample
from tests.bench.sysbench import find_sysbench
from tests.bench.targets import haproxy_path
from tests.bench.workloads import WORKLOADS

_TITLES = {workload.name: workload.title for workload in WORKLOADS}
_VERSION = re.compile(r"\d+\.\d+[\w.+~-]*")
_COLUMNS = ("queries/s", "p95 ms", "CPU us", "user", "system", "CPU ratio", "speed ratio", "RSS MiB")


def table(title: str, lines: Iterable[Figures]) -> Table:
    """All figures; CPU in microseconds per query, ratios to the forwarder."""
    result = Table(title=title, title_justify="left")
    result.add_column("workload")
    result.add_column("through")
    for name in _COLUMNS:
        result.add_column(name, justify="right")
    previous = ""
    for line in lines:
        if previous and line.workload != previous:
            result.add_section()
        result.add_row("" if line.workload == previous else _TITLES[line.workload], line.target, *_cells(line))
        previous = line.workload
    return result


def _cells(line: Figures) -> tuple[str, ...]:
    return (
        f"{line.queries_per_second:,.0f}" if line.queries_per_second >= 100 else f"{line.queries_per_second:.1f}",
        f"{line.p95_ms:.2f}",
        _number(line.cpu_us, 1),
        _number(line.user_us, 1),
        _number(line.system_us, 1),
        _number(line.cpu_ratio, 2),
        _number(line.speed_ratio, 2),
        _number(None if line.rss_kib is None else line.rss_kib / 1024, 0),
    )


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def document(
    machine: dict[str, str], options: dict[str, int], samples: dict[str, list[Sample]], lines: dict[str, list[Figures]]
) -> dict[str, Any]:
    """Everything, for JSON; `samples` and `lines` by flavor."""
    return {
        "machine": machine,
        "options": options,
        "figures": {flavor: [asdict(line) for line in found] for flavor, found in lines.items()},
        "samples": {flavor: [asdict(sample) for sample in found] for flavor, found in samples.items()},
    }


def machine() -> dict[str, str]:
    """The class of the machine and the versions that matter."""
    found = {
        "cpu": _cpu_model(),
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "uvloop": version("uvloop"),
        "sysbench": program_version(find_sysbench(), "--version"),
    }
    if haproxy := haproxy_path():
        found["haproxy"] = program_version(haproxy, "-v")
    return found


def program_version(program: str, flag: str) -> str:
    """The first thing in a program's answer to `flag` that looks like a version."""
    answer = subprocess.run([program, flag], capture_output=True, text=True, check=False).stdout
    match = _VERSION.search(answer)
    return match[0] if match else "unknown"


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
