"""For how long clients come no further when a server goes away: each occasion by itself, some rounds of it."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from rich.table import Table

from tests.history.faults import Faults
from tests.history.run import Script, play
from tests.history.schedule import Kind
from tests.history.site import Site
from tests.support.proxies import ProxyProcess

CLIENTS = 16
# In seconds: clients are at work for so long before and after.
_AROUND = 1.0
_REST = 0.01


@dataclass(frozen=True, slots=True)
class Line:
    """One occasion: the longest pause of each client in each round, and how long the server was away in each."""

    occasion: str
    pauses: tuple[float, ...]
    away: tuple[float, ...]
    errors: int


def longest(progress: Mapping[int, Sequence[float]], began: float, ended: float) -> list[float]:
    """The longest time for which each client came no further, of those that are partly between the two times. Pure."""
    return [
        max((after - before for before, after in pairwise(times) if after > began and before < ended), default=0.0)
        for times in progress.values()
    ]


def measure(site: Site, proxy: ProxyProcess, rounds: int) -> Iterator[Line]:
    """Every occasion. Raises AssertionError when a promise is broken."""
    for occasion in _scripts(site):
        pauses, away, errors = [], [], 0
        for _ in range(rounds):
            site.empty()
            result = play(site, proxy, 0, _around(_scripts(site)[occasion]), CLIENTS, _REST)
            assert result.good, result.details()
            (fault,) = result.history.faults
            pauses += longest(result.history.progress, fault.began, fault.ended)
            away.append(fault.ended - fault.began)
            errors += len(result.history.failures)
        yield Line(occasion, tuple(pauses), tuple(away), errors)


def _scripts(site: Site) -> dict[str, Script]:
    """What is done, to whom it is done now."""
    replica, primary = site.replicas[0], site.primary
    return {
        "nothing": lambda faults: faults.once(Kind.SLOW, replica, 2.0),
        "replica killed": lambda faults: faults.once(Kind.KILL, replica),
        "replica frozen for 8 s": lambda faults: faults.once(Kind.FREEZE, replica, 8.0),
        "primary killed and started": lambda faults: faults.once(Kind.KILL, primary, 0.0),
        "primary restarted": lambda faults: faults.once(Kind.RESTART, primary, 0.0),
        "primary changed": lambda faults: faults.switch(replica),
    }


def _around(script: Script) -> Script:
    async def longer(faults: Faults) -> None:
        await asyncio.sleep(_AROUND)
        await script(faults)
        await asyncio.sleep(_AROUND)

    return longer


def table(title: str, lines: Sequence[Line]) -> Table:
    """For a terminal."""
    made = Table(title=title)
    for column in ("occasion", "it took", "p50", "max", "errors"):
        made.add_column(column, justify="left" if column == "occasion" else "right")
    for line in lines:
        made.add_row(
            line.occasion,
            f"{median(line.away):.1f} s",
            f"{median(line.pauses):.2f} s",
            f"{max(line.pauses):.2f} s",
            str(line.errors),
        )
    return made
