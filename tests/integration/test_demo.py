"""`make demo` as its user sees it, up to the point where it would wait for Ctrl-C."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from replication.sandbox import Flavor

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "tools/demo.py"]


@pytest.mark.parametrize("flavor", list(Flavor))
def test_the_demo_shows_the_split(flavor: Flavor) -> None:
    done = subprocess.run(
        [*COMMAND, "--flavor", flavor, "--no-stay"], cwd=ROOT, capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mysql://app:" in done.stdout
    reads = {name: int(count) for name, count in re.findall(r"│ (\w+), \w+ +│ +(\d+)", done.stdout)}
    assert reads["dbwrite"] < 100
    assert reads["dbread1"] >= 450
    assert reads["dbread2"] >= 450
    assert not find_processes(done.stdout)


def test_ctrl_c_stops_everything() -> None:
    with subprocess.Popen(COMMAND, cwd=ROOT, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        output = ""
        for line in demo.stdout:
            output += line
            if "Ctrl-C" in line:
                break
        assert find_processes(output)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 0
    assert not find_processes(output)


def find_processes(output: str) -> list[str]:
    """The processes that have the demo's directory in their command lines."""
    match = re.search(r"the servers:\s+(\S+)/environment.json", output)
    assert match, output
    return [command for command in command_lines() if match[1] in command]


def command_lines() -> list[str]:
    """The command line of every process on this machine."""
    if Path("/proc/self/cmdline").exists():
        return [text.replace("\0", " ") for text in map(read_or_nothing, Path("/proc").glob("[0-9]*/cmdline"))]
    return subprocess.run(["ps", "-axww", "-o", "args"], capture_output=True, text=True, check=True).stdout.splitlines()


def read_or_nothing(file: Path) -> str:
    """A process can end before its file is read."""
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
