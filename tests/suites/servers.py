"""A primary with two replicas and the proxy in front of them, made ready for the suites."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from replication.sandbox import Cluster, Flavor
from tests.suites.suite import Side, Suite
from tests.support.clients import direct, run
from tests.support.clusters import replicating_cluster
from tests.support.proxies import running_proxy

ZONES = "/usr/share/zoneinfo"
SETTINGS = (
    "SET GLOBAL max_allowed_packet = 67108864",
    # Functions that the suites make.
    "SET GLOBAL log_bin_trust_function_creators = 1",
    # Django's suite has two thousand tables, and asks information_schema for them: slow without room for them.
    "SET GLOBAL table_definition_cache = 8000",
    "SET GLOBAL table_open_cache = 8000",
)


@contextmanager
def sides(flavor: Flavor) -> Iterator[tuple[Cluster, Side, Side]]:
    """The cluster, its primary, and the proxy."""
    with replicating_cluster(flavor) as cluster:
        for server in cluster.servers:
            with direct(cluster, server) as admin:
                for sql in SETTINGS:
                    run(admin, sql)
        load_time_zones(cluster)
        primary = cluster.servers[0]
        login = (primary.user, primary.password)
        with running_proxy(cluster) as proxy:
            yield (
                cluster,
                Side("without the proxy", primary.host, primary.port, *login),
                Side("through the proxy", proxy.host, proxy.port, *login),
            )


def prepare(cluster: Cluster, suite: Suite) -> None:
    """Tell the primary what the suite wants before a run."""
    with direct(cluster, cluster.servers[0]) as admin:
        for sql in suite.statements():
            run(admin, sql)


def load_time_zones(cluster: Cluster) -> None:
    """Fill the primary's time zone tables, and so the replicas': Django's suite converts with CONVERT_TZ."""
    done = subprocess.run(
        ["mariadb-tzinfo-to-sql", ZONES], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    statements = [
        sql for sql in done.stdout.split(";\n") if sql.startswith(("INSERT INTO time_zone", "SET @time_zone_id"))
    ]
    assert statements, f"mariadb-tzinfo-to-sql made nothing of {ZONES}: is the system's time zone database installed?"
    with direct(cluster, cluster.servers[0], database="mysql", autocommit=False) as admin:
        for sql in statements:
            run(admin, sql)
        admin.commit()
