"""The interface behind which the ways of moving rows stand, one file each."""

from collections.abc import Callable
from typing import Protocol

from replication.copy.snapshot import Snapshot
from topology.servers import Vendor
from topology.sqlclient import SqlClient

Progress = Callable[[int, int], None]
"""Called with the rows and bytes that arrived since the last call."""


class Engine(Protocol):
    """Moves the rows of all tables of a snapshot into tables that exist and are empty."""

    async def move(self, snapshot: Snapshot, target: SqlClient, vendor: Vendor, progress: Progress) -> None:
        """Copy every row. `target` is a loading session: nothing that runs on it is logged or checked.

        Releases the snapshot's locked tables as soon as they are through. Raises SchemaChanged when the primary's
        tables were altered meanwhile, and any other ManyreadsError naming the table that could not be copied.
        """
        ...
