"""Real clusters: started, replicating, and stopped whatever happens."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from replication.sandbox import Cluster, Flavor
from replication.setup import Options, set_up
from tests.support.once import directory_of_run
from topology.environment import deployment, read_environment

# For servers on which those define functions who have no right to all else. Replicas make anew what is defined, at a
# time of their own: it is of no use to set that for a while.
TRUSTING = {"log_bin_trust_function_creators": "ON"}


@contextmanager
def blank_cluster(flavor: Flavor, readers: int = 2, options: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """A primary and its replicas to be, not replicating yet; `options` are set on each."""
    # Short on purpose: a server's socket must lie below it, and socket paths are limited to about 100 bytes.
    parent = Path(tempfile.mkdtemp(prefix="many-"))
    directory = parent / "c"
    try:
        yield Cluster.up(directory, flavor, readers, options, directory_of_run())
    finally:
        if (directory / "cluster.json").exists():
            Cluster.load(directory).down()
        shutil.rmtree(parent, ignore_errors=True)


@contextmanager
def replicating_cluster(
    flavor: Flavor, readers: int = 2, options: Mapping[str, str] | None = None
) -> Iterator[Cluster]:
    """A primary with replicas that are in step with it and have its accounts."""
    with blank_cluster(flavor, readers, options) as cluster:
        start_replication(cluster)
        yield cluster


def start_replication(cluster: Cluster) -> None:
    """What `python -m replication.startsync` does."""
    found = deployment(read_environment({}, cluster.environment_file))
    result = asyncio.run(set_up(found, Options()))
    assert result.exit_code == 0, json.dumps([str(replica.error) for replica in result.replicas])
