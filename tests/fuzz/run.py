"""Runs fuzzing processes and reads what they report."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.fuzz import corpus

ROOT: Final = Path(__file__).parents[2]
WORK: Final = ROOT / ".fuzz"
# Longer inputs reach nothing that shorter ones do not; large commands are made of short descriptions.
MAX_LENGTH: Final = 4096
# Seconds for one input, far above what any takes: more is a bug, too.
_TOO_LONG: Final = 20
_STATISTICS: Final = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_COVERAGE: Final = re.compile(r"cov: (\d+) ft: (\d+)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of fuzzing one target. `failure` is the log of a run that found something, empty for a good one."""

    target: str
    executions: int
    coverage: int
    features: int
    found: int
    failure: str = ""
    culprit: Path | None = None


def fuzz(target: str, seconds: float, work: Path = WORK) -> Outcome:
    """Fuzz one target for so long, beginning with the corpus and what former runs have left in `work`."""
    directory = work / target
    found, seeds = directory / "found", directory / "seeds"
    found.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(seeds, ignore_errors=True)
    corpus.unpack(corpus.read(target), seeds)
    before = len(list(found.iterdir()))
    artifacts = directory / "failures"
    artifacts.mkdir(exist_ok=True)
    known = set(artifacts.iterdir())
    code, log = _worker(
        target, str(found), str(seeds), f"-max_total_time={max(1, round(seconds))}", f"-artifact_prefix={artifacts}/"
    )
    (directory / "log").write_text(log)
    executions, coverage = _STATISTICS.search(log), (_COVERAGE.findall(log) or [(0, 0)])[-1]
    return Outcome(
        target=target,
        executions=int(executions[1]) if executions else 0,
        coverage=int(coverage[0]),
        features=int(coverage[1]),
        found=len(list(found.iterdir())) - before,
        failure=log if code else "",
        culprit=next(iter(set(artifacts.iterdir()) - known), None),
    )


def keep(target: str, work: Path = WORK) -> int:
    """Make the smallest set of inputs the target's corpus that reaches what all inputs reach; returns its size."""
    directory = work / target
    merged = directory / "merged"
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir(parents=True)
    code, log = _worker(target, str(merged), str(directory / "seeds"), str(directory / "found"), "-merge=1")
    inputs = corpus.packed(merged)
    if code or not inputs:
        raise RuntimeError(f"cannot merge the inputs of {target}:\n{log}")
    corpus.write(target, inputs)
    shutil.rmtree(directory / "found")
    return len(inputs)


def _worker(target: str, *arguments: str) -> tuple[int, str]:
    options = (f"-max_len={MAX_LENGTH}", f"-timeout={_TOO_LONG}", "-print_final_stats=1")
    command = [sys.executable, "-m", "tests.fuzz.worker", target, *arguments, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    return done.returncode, done.stdout + done.stderr
