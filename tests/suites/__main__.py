"""`python -m tests.suites`: the suites of SQLAlchemy and Django, with and without the proxy, on both vendors.

Prints the tests that did not end the same way on both sides; ends with 0 if there are none, with 1 if there are some or
a suite could not be run. Reports and the suites' output stay in the work directory.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from replication.sandbox import Cluster, Flavor
from tests.suites.django import Django
from tests.suites.outcomes import Outcomes, differences, failed, summary
from tests.suites.servers import prepare, sides
from tests.suites.sources import Sources
from tests.suites.sqlalchemy import SqlAlchemy
from tests.suites.suite import Side, Suite

# A few tests fail by themselves, such as those that root breaks. Where more fail, something is wrong with the run.
MANY = 0.02
WORK = Path.home() / ".cache/manyreads/suites"

console = Console(highlight=False, markup=False, soft_wrap=True)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class NotRun(Exception):
    """A suite that did not come to its end."""


@dataclass(frozen=True)
class Comparison:
    """How to compare: `labels` instead of the suite's own, `control` for a second run without the proxy."""

    work: Path
    labels: list[str]
    full: bool
    control: bool
    workers: int

    def differ(self, suite: Suite, flavor: Flavor) -> bool:
        """Run the suite on servers of one vendor, and tell what differs."""
        console.rule(f"{suite.name} on {flavor.value}")
        with sides(flavor) as (cluster, direct, proxied):
            without = self._outcomes(suite, flavor, cluster, direct, "without")
            through = self._outcomes(suite, flavor, cluster, proxied, "through")
            if self.control:
                again = self._outcomes(suite, flavor, cluster, direct, "again")
                _tell("differ without the proxy, too", differences(without, again))
        found = differences(without, through)
        _tell("differ through the proxy", found)
        return bool(found)

    def _outcomes(self, suite: Suite, flavor: Flavor, cluster: Cluster, side: Side, run_name: str) -> Outcomes:
        prepare(cluster, suite)
        report = self.work / f"{suite.name}-{flavor.value}-{run_name}"
        report.unlink(missing_ok=True)
        labels = self.labels or (suite.every if self.full else suite.labels)
        run = suite.run(side, flavor, labels, self.workers, report)
        began = time.monotonic()
        with report.with_suffix(".log").open("wb") as log:
            environment = {**os.environ, **run.environment}
            code = subprocess.run(
                run.command, cwd=run.directory, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            ).returncode
        # Both runners end with 1 when a test failed, which is no failure here.
        if code not in (0, 1) or not report.exists():
            raise NotRun(f"{suite.name} {side.name} ended with {code}: see {log.name}")
        outcomes = suite.outcomes(report)
        if not outcomes:
            raise NotRun(f"{suite.name} {side.name} ran no test: see {log.name}")
        if failed(outcomes) > len(outcomes) * MANY:
            raise NotRun(f"{suite.name} {side.name}: {summary(outcomes)}, which tells nothing: see {log.name}")
        console.print(f"{side.name}: {summary(outcomes)}, in {time.monotonic() - began:.0f} s")
        return outcomes


def _tell(how: str, lines: list[str]) -> None:
    console.print(f"{len(lines)} tests {how}" + (":" if lines else ""))
    for line in lines:
        console.print(f"  {line}")


@app.command()
def main(
    suite: Annotated[list[str] | None, typer.Option(help="sqlalchemy or django; both by default.")] = None,
    flavor: Annotated[list[Flavor] | None, typer.Option(help="Whose servers; both vendors' by default.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="Only these: Django's labels, SQLAlchemy's paths.")] = None,
    full: Annotated[bool, typer.Option(help="Run everything that a suite has.")] = False,
    control: Annotated[bool, typer.Option(help="Run without the proxy twice: what differs by itself?")] = False,
    driver: Annotated[str, typer.Option(help="SQLAlchemy's: mysqldb, pymysql, asyncmy, aiomysql.")] = "mysqldb",
    workers: Annotated[int, typer.Option(min=1, help="Processes that run tests.")] = 2,
    work: Annotated[Path, typer.Option(help="Where sources, environment and reports are kept.")] = WORK,
) -> None:
    """Compare what came of each test without the proxy and through it."""
    sources = Sources(work)
    known: dict[str, Suite] = {each.name: each for each in (SqlAlchemy(sources, driver), Django(sources))}
    unknown = set(suite or ()) - known.keys()
    if unknown:
        raise typer.BadParameter(f"no suite is called {', '.join(unknown)}; there are {', '.join(known)}")
    sources.provide()
    comparison = Comparison(work, label or [], full, control, workers)
    try:
        found = [comparison.differ(known[name], each) for name in suite or known for each in flavor or Flavor]
    except NotRun as error:
        console.print(f"suites: {error}")
        sys.exit(1)
    sys.exit(any(found))


if __name__ == "__main__":
    app()
