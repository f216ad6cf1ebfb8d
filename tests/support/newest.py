"""A newer MariaDB than the system's, with its authentication plugins, where tools/install-mariadb has put one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from replication.sandbox import Cluster, Flavor
from replication.sandbox.programs import servers_directory
from tests.support.clusters import replicating_cluster

_PLUGINS = "auth_ed25519;auth_parsec;auth_mysql_sha2"


@contextmanager
def newest_mariadb(readers: int = 1) -> Iterator[Cluster]:
    """A replicating cluster of it; skips the test where there is none."""
    program: Path = servers_directory(os.environ) / "mariadb-newest/bin/mariadbd"
    if not program.exists():
        pytest.skip("no newer MariaDB is here: tools/install-mariadb")
    options = {"plugin_load_add": _PLUGINS, "plugin_maturity": "unknown"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANYREADS_MARIADBD", str(program))
        with replicating_cluster(Flavor.MARIADB, readers, options) as cluster:
            yield cluster
