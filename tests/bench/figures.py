"""From the samples of all rounds to the figures of the report. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

# The target that all ratios are to.
FORWARDER = "forwarder"


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one workload through one target. CPU is of the process in the middle, None without one."""

    workload: str
    target: str
    round: int
    queries_per_second: float
    p95_ms: float
    user_us: float | None = None
    system_us: float | None = None
    rss_kib: int | None = None

    @property
    def cpu_us(self) -> float | None:
        """User and system time per query in microseconds."""
        return None if self.user_us is None or self.system_us is None else self.user_us + self.system_us


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians over the rounds; `cpu_ratio` and `speed_ratio` are to the forwarder in the same round."""

    workload: str
    target: str
    queries_per_second: float
    p95_ms: float
    user_us: float | None
    system_us: float | None
    cpu_us: float | None
    cpu_ratio: float | None
    speed_ratio: float | None
    rss_kib: int | None


def summarise(samples: Sequence[Sample]) -> list[Figures]:
    """One line for each workload and target, in the order of their first samples."""
    return [
        _line(samples, workload, target) for workload, target in dict.fromkeys((s.workload, s.target) for s in samples)
    ]


def _line(samples: Sequence[Sample], workload: str, target: str) -> Figures:
    own = [s for s in samples if (s.workload, s.target) == (workload, target)]
    base = {s.round: s for s in samples if (s.workload, s.target) == (workload, FORWARDER)}
    pairs = [(s, base[s.round]) for s in own if s.round in base]
    rss = _median(s.rss_kib for s in own)
    return Figures(
        workload=workload,
        target=target,
        queries_per_second=median(s.queries_per_second for s in own),
        p95_ms=median(s.p95_ms for s in own),
        user_us=_median(s.user_us for s in own),
        system_us=_median(s.system_us for s in own),
        cpu_us=_median(s.cpu_us for s in own),
        cpu_ratio=_median(_ratio(s.cpu_us, b.cpu_us) for s, b in pairs),
        speed_ratio=_median(_ratio(s.queries_per_second, b.queries_per_second) for s, b in pairs),
        rss_kib=None if rss is None else round(rss),
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _ratio(value: float | None, base: float | None) -> float | None:
    return None if value is None or not base else value / base
