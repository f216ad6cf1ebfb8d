"""`python -m tests.fuzz`: fuzz all targets, or some, for a time."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.fuzz.run import WORK, Outcome, fuzz, keep
from tests.fuzz.targets import TARGETS


def main(
    target: Annotated[list[str] | None, typer.Option(help="A target by name; repeat for more. All if none.")] = None,
    seconds: Annotated[int, typer.Option(min=1, help="How long in all.")] = 600,
    jobs: Annotated[int, typer.Option(min=1, help="Processes at the same time.")] = 2,
    keep_found: Annotated[bool, typer.Option("--keep", help="Merge what was found into the kept corpus.")] = False,
) -> None:
    """Fuzz with coverage as the guide. Fails when an input breaks an invariant; it is then shown with its traceback."""
    names = target or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        raise typer.BadParameter(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    each = seconds * min(jobs, len(names)) / len(names)
    console = Console()
    with ThreadPoolExecutor(jobs) as pool:
        outcomes = list(pool.map(lambda name: fuzz(name, each), names))
        console.print(_table(outcomes, each))
        failures = [outcome for outcome in outcomes if outcome.failure]
        for failure in failures:
            _show(console, failure)
        if keep_found:
            # What broke an invariant is not among it: libFuzzer writes that elsewhere.
            kept = dict(zip(names, pool.map(keep, names), strict=True))
            console.print(f"kept: {', '.join(f'{name} {count}' for name, count in kept.items())}")
    sys.exit(bool(failures))


def _table(outcomes: list[Outcome], seconds: float) -> Table:
    table = Table(title=f"{seconds:.0f} s for each target")
    for name in ("target", "executions", "coverage", "features", "new inputs", ""):
        table.add_column(name, justify="left" if name == "target" else "right")
    for one in outcomes:
        figures = (one.executions, one.coverage, one.features, one.found)
        table.add_row(one.target, *(f"{figure:,}" for figure in figures), "FAILED" if one.failure else "")
    return table


def _show(console: Console, failure: Outcome) -> None:
    console.rule(failure.target)
    console.print(failure.failure[-4000:], markup=False, highlight=False)
    if failure.culprit is not None:
        console.print(f"the input ({failure.culprit}): {failure.culprit.read_bytes().hex()}", markup=False)
    console.print(f"the whole log: {WORK / failure.target / 'log'}")


if __name__ == "__main__":
    typer.run(main)
