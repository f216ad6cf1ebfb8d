"""`python -m tests.bench.workers`: what several workers do, side by side with one process."""

from contextlib import ExitStack
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from replication.sandbox import Cluster, Flavor
from tests.bench.rounds import filled
from tests.bench.sysbench import Address, measure
from tests.bench.usage import usage
from tests.bench.workloads import WORKLOADS, Workload
from tests.support.crew import worker_processes
from tests.support.proxies import ProxyProcess, running_proxy

_WORKLOADS = ("point-text", "read-write")


def main(
    flavor: Annotated[Flavor, typer.Option(help="The servers.")] = Flavor.MARIADB,
    seconds: Annotated[int, typer.Option(min=1, help="Length of one run.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each workload with each number.")] = 3,
    threads: Annotated[int, typer.Option(min=1, help="Connections.")] = 16,
    workers: Annotated[int, typer.Option(min=2, help="Workers.")] = 2,
) -> None:
    """Print queries per second and CPU time per query, of all the proxy's processes: medians; they take turns."""
    table = Table("workload", "workers", "queries/s", "CPU us/query", "of which the parent")
    with filled(flavor) as (version, cluster), ExitStack() as stack:
        numbers = (1, workers)
        proxies = [
            stack.enter_context(running_proxy(cluster, "--server-tls", "off", "--workers", str(number)))
            for number in numbers
        ]
        for workload in (each for each in WORKLOADS if each.name in _WORKLOADS):
            samples = [
                [_sample(proxy, cluster, workload, threads, seconds) for proxy in proxies] for _ in range(rounds)
            ]
            for place, number in enumerate(numbers):
                figures = [median(round_[place][figure] for round_ in samples) for figure in range(3)]
                table.add_row(workload.title, str(number), *(f"{figure:.0f}" for figure in figures))
        Console().print(f"{flavor} {version}, {threads} connections", table)


def _sample(proxy: ProxyProcess, cluster: Cluster, workload: Workload, threads: int, seconds: int) -> list[float]:
    """Queries per second, microseconds of CPU for one, and those of them that the parent took."""
    processes = [proxy.process.pid, *worker_processes(proxy)]
    before = [usage(process) for process in processes]
    primary = cluster.servers[0]
    report = measure(Address(proxy.host, proxy.port, primary.user, primary.password), workload, threads, seconds)
    spent = [
        now.user_us + now.system_us - then.user_us - then.system_us
        for now, then in zip(map(usage, processes), before, strict=True)
    ]
    return [report.queries_per_second, sum(spent) / report.queries, spent[0] / report.queries]


if __name__ == "__main__":
    typer.run(main)
