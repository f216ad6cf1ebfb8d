"""What a process has used so far, as Linux tells it in /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time of all threads in microseconds since the start, and resident memory in KiB."""

    user_us: float
    system_us: float
    rss_kib: int


def parse_stat(stat: str) -> tuple[float, float]:
    """User and system time in microseconds, from /proc/PID/stat (proc(5), fields 14 and 15)."""
    # The second field is the program's name in parentheses and may hold spaces.
    fields = stat[stat.rindex(")") + 2 :].split()
    return int(fields[11]) * _TICK_US, int(fields[12]) * _TICK_US


def parse_rss(status: str) -> int:
    """Resident memory in KiB, from /proc/PID/status."""
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1])


def usage(pid: int) -> Usage:
    """Read both."""
    directory = Path("/proc") / str(pid)
    user, system = parse_stat((directory / "stat").read_text())
    return Usage(user, system, parse_rss((directory / "status").read_text()))
