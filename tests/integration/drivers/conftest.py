"""The two ways to a cluster: its primary itself, and the proxy; with a schema, and room for large packets."""

from collections.abc import Iterator

import pytest

from replication.sandbox import Cluster
from tests.integration.drivers.endpoint import LARGEST_PACKET, SCHEMA, Endpoint
from tests.support.clients import connect, direct, run
from tests.support.proxies import ProxyProcess


@pytest.fixture(scope="module")
def endpoints(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[tuple[Endpoint, Endpoint]]:
    """The primary and the proxy. Both know root already: the first login of all may need more of a driver."""
    for server in shared_cluster.servers:
        with direct(shared_cluster, server) as connection:
            run(connection, f"SET GLOBAL max_allowed_packet = {LARGEST_PACKET}")
    primary = shared_cluster.servers[0]
    with connect(shared_cluster, shared_proxy) as connection:
        run(connection, f"DROP DATABASE IF EXISTS {SCHEMA}")
        run(connection, f"CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4")
        run(
            connection,
            f"CREATE PROCEDURE {SCHEMA}.several(n INT) BEGIN SELECT n AS a; SELECT n + 1 AS b, 'x' AS c; END",
        )
        yield (
            Endpoint(primary.host, primary.port, primary.user, primary.password),
            Endpoint(shared_proxy.host, shared_proxy.port, primary.user, primary.password),
        )
        run(connection, f"DROP DATABASE {SCHEMA}")
