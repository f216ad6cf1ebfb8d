"""What reads at each level of consistency cost: from the samples of all rounds to the table. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from rich.table import Table

from topology.consistency import Level

_COLUMNS = ("on replicas", "waited", "in vain", "p50 ms", "p99 ms", "added p50", "added p99", "CPU us")


@dataclass(frozen=True, slots=True)
class Sample:
    """One run at one level: of all reads, the shares (of 1) that replicas answered, that waited, and did so in vain.

    Latencies of reads in milliseconds; the proxy's CPU time per statement, in microseconds.
    """

    load: str
    level: Level
    round: int
    on_replicas: float
    waited: float
    in_vain: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


@dataclass(frozen=True, slots=True)
class Line:
    """The medians of all rounds. What is added is compared with `eventual` in the same round, where no read waits."""

    load: str
    level: Level
    on_replicas: float
    waited: float
    in_vain: float
    p50_ms: float
    p99_ms: float
    added_p50_ms: float
    added_p99_ms: float
    cpu_us: float


def summarise(samples: Iterable[Sample]) -> list[Line]:
    """One line for each load and level, in their order."""
    groups: dict[tuple[str, Level], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.load, sample.level), []).append(sample)
    return [_line(group, groups[load, Level.EVENTUAL]) for (load, _), group in groups.items()]


def _line(group: list[Sample], base: list[Sample]) -> Line:
    bases = {sample.round: sample for sample in base}
    return Line(
        group[0].load,
        group[0].level,
        median(sample.on_replicas for sample in group),
        median(sample.waited for sample in group),
        median(sample.in_vain for sample in group),
        median(sample.p50_ms for sample in group),
        median(sample.p99_ms for sample in group),
        median(sample.p50_ms - bases[sample.round].p50_ms for sample in group),
        median(sample.p99_ms - bases[sample.round].p99_ms for sample in group),
        median(sample.cpu_us for sample in group),
    )


def table(title: str, lines: Iterable[Line]) -> Table:
    """All of them, for people."""
    result = Table(title=title, title_justify="left")
    result.add_column("written")
    result.add_column("level")
    for name in _COLUMNS:
        result.add_column(name, justify="right")
    previous = ""
    for line in lines:
        if previous and line.load != previous:
            result.add_section()
        result.add_row("" if line.load == previous else line.load, str(line.level), *_cells(line))
        previous = line.load
    return result


def _cells(line: Line) -> tuple[str, ...]:
    shares = (line.on_replicas, line.waited, line.in_vain)
    times = (line.p50_ms, line.p99_ms, line.added_p50_ms, line.added_p99_ms)
    return (*(f"{share:.1%}" for share in shares), *(f"{time:.2f}" for time in times), f"{line.cpu_us:.0f}")
