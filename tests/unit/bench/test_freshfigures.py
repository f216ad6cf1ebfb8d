"""Figures of the levels of consistency."""

from io import StringIO

from rich.console import Console

from tests.bench.freshfigures import Sample, summarise, table
from topology.consistency import Level


def sample(level: Level, number: int, p50: float, load: str = "all") -> Sample:
    return Sample(load, level, number, 0.875, 0.25, 0.0, p50, 10 * p50, 50.0)


def test_what_is_added_is_compared_within_a_round() -> None:
    lines = summarise(
        [
            *(sample(Level.EVENTUAL, number, p50) for number, p50 in enumerate((1.0, 5.0, 2.0))),
            *(sample(Level.GLOBAL, number, p50) for number, p50 in enumerate((1.5, 5.25, 4.0))),
        ]
    )
    assert [(line.level, line.p50_ms, line.added_p50_ms, line.added_p99_ms) for line in lines] == [
        (Level.EVENTUAL, 2.0, 0.0, 0.0),
        (Level.GLOBAL, 4.0, 0.5, 5.0),
    ]


def test_loads_are_told_apart() -> None:
    lines = summarise(sample(Level.EVENTUAL, 0, p50, load) for load, p50 in (("some", 1.0), ("all", 2.0)))
    assert [(line.load, line.p50_ms) for line in lines] == [("some", 1.0), ("all", 2.0)]
    text = StringIO()
    Console(file=text, width=120).print(table("title", lines))
    assert all(part in text.getvalue() for part in ("title", "some", "87.5%", "25.0%", "2.00", "eventual"))
