"""`python -m tests.bench.observing`: what counting and tracing statements costs."""

import time
from contextlib import AbstractContextManager, ExitStack
from statistics import median
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from replication.sandbox import Cluster, Flavor
from tests.bench.alternating import MARK
from tests.bench.rounds import filled
from tests.bench.sysbench import Address, measure
from tests.bench.usage import usage
from tests.bench.workloads import WORKLOADS, Workload
from tests.support.collector import Collector, collecting
from tests.support.proxies import ProxyProcess, running_proxy

_WORKLOADS: Final = ("point-text",)
# In seconds: until the spans of the proxy before are sent, which takes CPU time from the others.
_REST: Final = 0.5
_PLAIN: Final = "as it comes"
# The share of the statements that each proxy traces, if it does.
_PROXIES: Final[dict[str, float | None]] = {_PLAIN: None, "none": 0.0, "1 in 100": 0.01, "all": 1.0}
_COUNTING_SECONDS: Final = 30


def main(
    flavor: Annotated[Flavor, typer.Option(help="The servers.")] = Flavor.MARIADB,
    seconds: Annotated[int, typer.Option(min=1, help="Length of one run.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each workload through each proxy.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="Connections.")] = 8,
) -> None:
    """Print the CPU time per query with tracing, and its ratio to that without; then that with and without counting."""
    with filled(flavor) as (version, cluster):
        traced = _traced(cluster, threads, seconds, rounds)
        # When no other proxy is left, which would have a share of the processor's caches.
        counted = [_counting(cluster, workload, threads) for workload in WORKLOADS if workload.name in _WORKLOADS]
    Console().print(f"{flavor} {version}, {threads} connections, {rounds} rounds", traced, *counted, sep="\n")


def _traced(cluster: Cluster, threads: int, seconds: int, rounds: int) -> Table:
    table = Table("workload", "traced", "CPU us/query", "ratio", "lowest", "highest")
    with collecting() as collector, ExitStack() as stack:
        proxies = {name: stack.enter_context(_proxy(cluster, collector, _PROXIES[name])) for name in _PROXIES}
        for workload in (each for each in WORKLOADS if each.name in _WORKLOADS):
            samples = [
                {name: _sample(proxy, cluster, workload, threads, seconds) for name, proxy in proxies.items()}
                for _ in range(rounds)
            ]
            for name in proxies:
                ratios = sorted(sample[name] / sample[_PLAIN] for sample in samples)
                spent = median(sample[name] for sample in samples)
                figures = (median(ratios), ratios[0], ratios[-1])
                table.add_row(workload.title, name, f"{spent:.1f}", *(f"{figure:.3f}" for figure in figures))
    return table


def _proxy(cluster: Cluster, collector: Collector, ratio: float | None) -> AbstractContextManager[ProxyProcess]:
    tracing = ("--tracing", "otlp", "--tracing-endpoint", collector.url, "--tracing-ratio", str(ratio))
    return running_proxy(cluster, "--server-tls", "off", *(tracing if ratio is not None else ()))


def _counting(cluster: Cluster, workload: Workload, threads: int) -> str:
    """The line of `tests.bench.alternating`."""
    primary = cluster.servers[0]
    with running_proxy(cluster, "--server-tls", "off", module="tests.bench.alternating") as proxy:
        address = Address(proxy.host, proxy.port, primary.user, primary.password)
        measure(address, workload, threads, _COUNTING_SECONDS)
        proxy.stop()
        return next(line for line in proxy.log.splitlines() if line.startswith(MARK))


def _sample(proxy: ProxyProcess, cluster: Cluster, workload: Workload, threads: int, seconds: int) -> float:
    """Microseconds of CPU for one query, of all the process's threads."""
    time.sleep(_REST)
    before, primary = usage(proxy.process.pid), cluster.servers[0]
    report = measure(Address(proxy.host, proxy.port, primary.user, primary.password), workload, threads, seconds)
    after = usage(proxy.process.pid)
    return (after.user_us + after.system_us - before.user_us - before.system_us) / report.queries


if __name__ == "__main__":
    typer.run(main)
