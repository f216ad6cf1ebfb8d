"""One flavor's measurement: a cluster, its data, and the interleaved rounds."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from replication.sandbox import Cluster, Flavor
from tests.bench.figures import Sample
from tests.bench.sysbench import Address, fill, measure
from tests.bench.targets import Target, all_targets
from tests.bench.usage import usage
from tests.bench.workloads import DATABASE, TABLE_ROWS, Workload
from tests.support.clients import direct, run
from tests.support.clusters import replicating_cluster
from tests.support.waiting import wait_until

# The last thing that filling the table does is to make this index.
_FILLED = (
    "SELECT COUNT(*) FROM information_schema.statistics"
    f" WHERE table_schema = '{DATABASE}' AND table_name = 'sbtest1' AND index_name = 'k_1'"
)


@contextmanager
def bench(flavor: Flavor, compiled: Path | None) -> Iterator[tuple[str, list[Target]]]:
    """A cluster with data and all targets in front of it: the servers' version and the targets."""
    with filled(flavor) as (version, cluster), all_targets(cluster, compiled) as targets:
        yield version, targets


@contextmanager
def filled(flavor: Flavor) -> Iterator[tuple[str, Cluster]]:
    """A cluster with data: the servers' version, and the cluster."""
    with replicating_cluster(flavor) as cluster:
        primary = cluster.servers[0]
        with direct(cluster, primary) as connection:
            run(connection, f"CREATE DATABASE {DATABASE}")
            version = str(run(connection, "SELECT VERSION()")[0][0])
        fill(Address(primary.host, primary.port, primary.user, primary.password))
        wait_until(lambda: _everywhere(cluster), "all replicas have the data")
        yield version, cluster


def _everywhere(cluster: Cluster) -> bool:
    for server in cluster.servers:
        with direct(cluster, server) as connection:
            if run(connection, _FILLED)[0][0] == 0:
                return False
            if run(connection, f"SELECT COUNT(*) FROM {DATABASE}.sbtest1")[0][0] != TABLE_ROWS:
                return False
    return True


def run_rounds(
    targets: Sequence[Target],
    workloads: Sequence[Workload],
    rounds: int,
    threads: int,
    seconds: int,
    progress: Callable[[str], None],
) -> Iterator[Sample]:
    """Measure each workload through each target, and all that again in each round.

    The targets take turns within a workload, so that whatever else the machine does hits all of them alike.
    """
    for workload in workloads:
        for number in range(rounds):
            for target in targets:
                progress(f"{workload.title}, round {number + 1} of {rounds}, {target.name}")
                yield _sample(target, workload, number, threads, seconds)


def _sample(target: Target, workload: Workload, number: int, threads: int, seconds: int) -> Sample:
    before = usage(target.pid) if target.pid else None
    report = measure(target.address, workload, threads, seconds)
    after = usage(target.pid) if target.pid else None
    sample = Sample(workload.name, target.name, number, report.queries_per_second, report.p95_ms)
    if before is None or after is None:
        return sample
    return replace(
        sample,
        user_us=(after.user_us - before.user_us) / report.queries,
        system_us=(after.system_us - before.system_us) / report.queries,
        rss_kib=after.rss_kib,
    )
