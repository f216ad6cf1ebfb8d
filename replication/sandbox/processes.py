"""Knowing a process again: by its id, the moment it started, and the data directory on its command line."""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from topology.environment import process_environment

_PROC = Path("/proc")
# In /proc/PID/stat behind the command's closing parenthesis: state is field 3 of the manual page proc(5), start 22.
_STATE, _START = 0, 19
_DEAD_STATES = frozenset("ZX")


@dataclass(frozen=True, slots=True)
class Process:
    """A living process. `started` is opaque and differs between two processes that had the same id."""

    pid: int
    started: str
    command: str

    def serves(self, datadir: Path) -> bool:
        """Whether `datadir` is the data directory named on the command line."""
        return f" --datadir={datadir} " in f" {self.command} "


def inspect(pid: int) -> Process | None:
    """The process with this id, or None if there is none, or only a zombie."""
    return _inspect_proc(pid) if _PROC.joinpath("self").exists() else _inspect_ps(pid)


def find_serving(datadir: Path) -> Process | None:
    """A process whose command line names `datadir` as its data directory, or None."""
    return next((process for process in _all_processes() if process.serves(datadir)), None)


def is_gone(process: Process) -> bool:
    """Whether the process has ended, even if its id is in use again."""
    now = inspect(process.pid)
    return now is None or now.started != process.started


def wait_until_gone(process: Process, within: float) -> bool:
    """Wait at most `within` seconds; False if the process is still there."""
    deadline = time.monotonic() + within
    while not is_gone(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def send_signal(process: Process, signal_number: int) -> None:
    """Signal exactly this process; nothing happens if it has ended."""
    if is_gone(process):
        return
    try:
        os.kill(process.pid, signal_number)
    except ProcessLookupError:
        return


def spawn_detached(command: Sequence[str | Path], log: Path) -> int:
    """Start a program in a session of its own and return its id; its output is appended to `log`.

    A shell starts it and ends at once, so that it is nobody's child here: it outlives this process, does not get the
    terminal's Ctrl-C, and leaves no zombie to be waited for.
    """
    script = '"$@" >>"$0" 2>&1 </dev/null & echo $!'
    started = subprocess.run(
        ["sh", "-c", script, log, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        start_new_session=True,
    )
    return int(started.stdout)


def _all_processes() -> Iterator[Process]:
    if not _PROC.joinpath("self").exists():
        yield from _all_from_ps()
        return
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and (process := _inspect_proc(int(entry.name))):
            yield process


def _inspect_proc(pid: int) -> Process | None:
    try:
        stat = _PROC.joinpath(str(pid), "stat").read_text(errors="replace")
        command = _PROC.joinpath(str(pid), "cmdline").read_bytes()
    except OSError:
        return None
    # The command's name is in parentheses and may hold any character, a parenthesis too.
    fields = stat.rpartition(")")[2].split()
    if fields[_STATE] in _DEAD_STATES:
        return None
    return Process(pid, fields[_START], os.fsdecode(command.rstrip(b"\0").replace(b"\0", b" ")))


def _inspect_ps(pid: int) -> Process | None:
    return next(_ps("-p", str(pid)), None)


def _all_from_ps() -> Iterator[Process]:
    return _ps("-A")


def _ps(*selection: str) -> Iterator[Process]:
    answer = subprocess.run(
        ["ps", "-ww", *selection, "-o", "pid=,stat=,lstart=,command="],
        capture_output=True,
        check=False,
        env={**process_environment(), "LC_ALL": "C"},
    )
    for line in os.fsdecode(answer.stdout).splitlines():
        # lstart is five words: Mon Nov 23 06:01:02 2026
        pid, state, *started, command = [*line.split(None, 7), ""][:8]
        if state[0] not in _DEAD_STATES:
            yield Process(int(pid), " ".join(started), command)
