"""Replicating clusters, one of each kind and vendor for the whole run, and a proxy in front of the common one."""

import shutil
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.x509.oid import NameOID

from replication.sandbox import Cluster, Flavor
from tests.support.certificates import Authority
from tests.support.clients import Connection, connect, direct
from tests.support.clusters import TRUSTING, replicating_cluster
from tests.support.instep import condition, in_step
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.pymysqltls import share_context
from tests.support.telling import REPLICAS
from tests.support.waiting import wait_until

share_context()

# The environment files of common servers that are out of step for good.
_OUT_OF_STEP: set[Path] = set()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed may have the replicas of the common servers to blame."""
    report = yield
    if report.failed and (cluster := _shared_cluster(item)) is not None:
        report.sections.append((REPLICAS, condition(cluster)))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """The tests of a file leave the replicas of the common servers in step: whoever does not is to be named. Those
    that come after have not done it, and need not wait for it in vain."""
    yield
    cluster = _shared_cluster(item)
    if cluster is None or nextitem is None or nextitem.path == item.path or cluster.environment_file in _OUT_OF_STEP:
        return
    if cluster.servers[0].running():
        _OUT_OF_STEP.add(cluster.environment_file)
        wait_until(lambda: in_step(cluster), "the replicas are in step again", lambda: condition(cluster))
        _OUT_OF_STEP.remove(cluster.environment_file)


def _shared_cluster(item: pytest.Item) -> Cluster | None:
    found = getattr(item, "funcargs", {}).get("shared_cluster")
    return found if isinstance(found, Cluster) else None


# Of every server and from its start, as one that a test restarts forgets what was set meanwhile.
OPTIONS = {"max_allowed_packet": str(64 * 1024 * 1024), "max_connections": "400", **TRUSTING}


@pytest.fixture(scope="session", params=list(Flavor))
def shared_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A primary and two replicas in step with it. Tests leave it as they found it, apart from schemas of their own."""
    with replicating_cluster(Flavor(request.param), options=OPTIONS) as cluster:
        yield cluster


@dataclass(frozen=True)
class SecureCluster:
    """A cluster whose servers have certificates of `authority`, for 127.0.0.1 but not for localhost."""

    cluster: Cluster
    authority: Authority


@pytest.fixture(scope="session", params=list(Flavor))
def secure_cluster(request: pytest.FixtureRequest) -> Iterator[SecureCluster]:
    """A primary and a replica that speak TLS; those of MariaDB take the PROXY protocol from this machine."""
    flavor = Flavor(request.param)
    directory = Path(tempfile.mkdtemp(prefix="many-"))
    # The servers run as another user.
    directory.chmod(0o755)
    try:
        authority = Authority(directory)
        pair = authority.sign("server", {NameOID.COMMON_NAME: "a server"}, hosts=())
        options = {"ssl_ca": authority.certificate, "ssl_cert": pair.certificate, "ssl_key": pair.key}
        own = {"proxy_protocol_networks": "127.0.0.0/8,::1"} if flavor is Flavor.MARIADB else {}
        texts = {name: str(value) for name, value in options.items()} | own | {"performance_schema": "ON"}
        with replicating_cluster(flavor, 1, texts) as cluster:
            yield SecureCluster(cluster, authority)
    finally:
        shutil.rmtree(directory)


@pytest.fixture(scope="session")
def shared_proxy(shared_cluster: Cluster) -> Iterator[ProxyProcess]:
    """A proxy with its default settings."""
    with running_proxy(shared_cluster) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def session_proxy(shared_cluster: Cluster) -> Iterator[ProxyProcess]:
    """A proxy whose sessions have server connections of their own."""
    with running_proxy(shared_cluster, "--connection-sharing", "session") as proxy:
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
