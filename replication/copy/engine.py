"""The interface behind which the ways of moving rows stand."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from replication.copy.catalog import Table
from replication.copy.snapshot import Snapshot
from topology.servers import Vendor
from topology.sqlclient import SqlClient

Progress = Callable[[int, int], None]
"""Called with the rows and bytes that arrived since the last call."""


Placed = Callable[[Table], Table]
"""From a table of the primary to the one on the replica that gets its rows."""


def in_place(table: Table) -> Table:
    """Into the table of the same name."""
    return table


Whole = Callable[[SqlClient, Table], Awaitable[None]]
"""What is done, in a loading session, to a table of the replica that has all of its rows while others' are to come."""


async def leave(session: SqlClient, table: Table) -> None:
    """Nothing."""


class Engine(Protocol):
    """Moves the rows of all tables of a snapshot into tables that exist and are empty."""

    async def move(
        self,
        snapshot: Snapshot,
        targets: Sequence[SqlClient],
        vendor: Vendor,
        progress: Progress,
        kept: frozenset[str] = frozenset(),
        place: Placed = in_place,
        whole: Whole = leave,
    ) -> None:
        """Copy every row. `targets` are loading sessions: nothing that runs on them is logged or checked. There is one
        for each session of the snapshot beside the first.

        Each table's rows go into the one that `place` gives. Tables in `kept`, by their full name there, may hold rows
        already: what is equal there stays. Releases the snapshot's locked tables as soon as they are through. Raises
        SchemaChanged when the primary's tables were altered meanwhile, and any other ManyreadsError naming the table
        that could not be copied.
        """
        ...
