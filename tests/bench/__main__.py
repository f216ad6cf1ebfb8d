"""`python -m tests.bench`: arguments to measurements to a table and a file."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from replication.sandbox import Flavor
from tests.bench.figures import Figures, Sample, summarise
from tests.bench.report import document, machine, table
from tests.bench.rounds import bench, run_rounds
from tests.bench.sysbench import find_sysbench
from tests.bench.targets import haproxy_path
from tests.bench.workloads import WORKLOADS, Workload
from topology.errors import ManyreadsError

_WIDTH = 130


class Choice(StrEnum):
    """Which servers to measure on."""

    MARIADB = "mariadb"
    MYSQL = "mysql"
    BOTH = "both"


def main(
    flavor: Annotated[Choice, typer.Option(help="The servers.")] = Choice.MARIADB,
    seconds: Annotated[int, typer.Option(min=1, help="Length of one run.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each workload through each target.")] = 3,
    threads: Annotated[int, typer.Option(min=1, help="Connections.")] = 8,
    only: Annotated[list[str] | None, typer.Option(help="A workload by name; repeat for more.")] = None,
    compiled: Annotated[
        Path | None, typer.Option(help="Compiled packages (make compiled): measure the proxy with them, too.")
    ] = None,
    json_file: Annotated[Path, typer.Option("--json", help="Where all figures go.")] = Path(".bench/latest.json"),
) -> None:
    """Measure what the proxy costs, beside a bare forwarder, HAProxy and no middle at all."""
    workloads = _chosen(only)
    flavors = [Flavor.MARIADB, Flavor.MYSQL] if flavor is Choice.BOTH else [Flavor(flavor.value)]
    samples: dict[str, list[Sample]] = {}
    lines: dict[str, list[Figures]] = {}
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    find_sysbench()
    if haproxy_path() is None:
        console.print("HAProxy is not installed and is left out; apt-get install haproxy brings it")
    if compiled is not None and not compiled.is_dir():
        raise typer.BadParameter(f"there is no directory {compiled}; make compiled makes one", param_hint="--compiled")
    found = machine()
    for one in flavors:
        with console.status(f"starting {one} servers") as status, bench(one, compiled) as (version, targets):
            found[one] = version
            samples[one] = list(run_rounds(targets, workloads, rounds, threads, seconds, status.update))
        lines[one] = summarise(samples[one])
        console.print(table(f"{one} {version}, {threads} connections, medians of {rounds} rounds", lines[one]))
    options = {"seconds": seconds, "rounds": rounds, "threads": threads}
    json_file.parent.mkdir(parents=True, exist_ok=True)
    json_file.write_text(json.dumps(document(found, options, samples, lines), indent=1) + "\n")
    console.print(f"all figures: {json_file}")


def _chosen(only: list[str] | None) -> list[Workload]:
    names = [workload.name for workload in WORKLOADS]
    for name in only or ():
        if name not in names:
            raise typer.BadParameter(f"{name!r} is no workload; there are {', '.join(names)}", param_hint="--only")
    return [workload for workload in WORKLOADS if not only or workload.name in only]


if __name__ == "__main__":
    try:
        typer.run(main)
    except ManyreadsError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(1)
