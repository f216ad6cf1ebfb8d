"""One replicating cluster per vendor for the whole run, and a proxy in front of it."""

from collections.abc import Iterator

import pytest

from replication.sandbox import Cluster, Flavor
from tests.support.clients import Connection, connect, direct
from tests.support.clusters import replicating_cluster
from tests.support.proxies import ProxyProcess, running_proxy


@pytest.fixture(scope="session", params=list(Flavor))
def shared_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A primary and two replicas in step with it. Tests leave it as they found it, apart from schemas of their own."""
    with replicating_cluster(Flavor(request.param)) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def shared_proxy(shared_cluster: Cluster) -> Iterator[ProxyProcess]:
    """A proxy with its default settings."""
    with running_proxy(shared_cluster) as proxy:
        yield proxy


@pytest.fixture
def client(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> Iterator[Connection]:
    """A client of the proxy, in autocommit mode."""
    with connect(shared_cluster, shared_proxy) as connection:
        yield connection


@pytest.fixture
def primary(shared_cluster: Cluster) -> Iterator[Connection]:
    """A connection to the primary itself."""
    with direct(shared_cluster, shared_cluster.servers[0]) as connection:
        yield connection
