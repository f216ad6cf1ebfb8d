"""Replicas that lag behind on purpose."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from replication.sandbox import Cluster
from tests.support.clients import direct, run


@contextmanager
def behind(cluster: Cluster, *names: str) -> Iterator[None]:
    """These replicas (all, without any name) apply nothing meanwhile."""
    with ExitStack() as stack:
        for server in cluster.servers[1:]:
            if not names or server.name in names:
                run(stack.enter_context(direct(cluster, server)), "FLUSH TABLES WITH READ LOCK")
        yield
