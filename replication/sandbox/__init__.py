"""Local database servers for development, tests and the demo: one dbwrite and some dbread*, blank, on loopback."""

from replication.sandbox.cluster import Cluster
from replication.sandbox.server import LocalServer, ServerStatus
from topology.servers import Vendor as Flavor

__all__ = ["Cluster", "Flavor", "LocalServer", "ServerStatus"]
