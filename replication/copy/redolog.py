"""A larger redo log on the replica while it is loaded.

A log that is written round and round has pages written again and again. MariaDB can change its size since 10.9. A
server takes a second or two for that, and writes out all changed pages before a log gets smaller: so it writes them as
fast as it can from the beginning, and the replica is given the rest of what it needs while the log shrinks.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from replication.copy.loading import set_globally
from replication.facts import ServerFacts
from replication.together import Begin
from topology.servers import Server, Vendor
from topology.sqlclient import SqlClient, connect

_SIZE = "innodb_log_file_size"
# A log smaller than this buffer is what a server can start with, and not what it can go back to.
_BUFFER = "innodb_log_buffer_size"
# Pages that a server writes out in a second. With its own, 200 by default, a log of 900 MB needed 15 s to shrink.
_PACE = ("innodb_io_capacity_max", "innodb_io_capacity")
_FAST = 20_000
_BIGGEST = 1 << 30
_WORTH_IT = 4
_MIB = 1 << 20


def log_size(facts: ServerFacts, size: int) -> int:
    """The log's size in bytes while about `size` bytes of rows are loaded; 0 where it may stay as it is."""
    resizable = facts.vendor is Vendor.MARIADB and facts.version >= (10, 9, 0)
    own = int(facts.variables.get(_SIZE, _BIGGEST))
    may_return = own >= int(facts.variables.get(_BUFFER, 0))
    if not resizable or not may_return or own >= _BIGGEST or size < _WORTH_IT * own:
        return 0
    return min(_BIGGEST, 2 * size) // _MIB * _MIB


@asynccontextmanager
async def larger_log(server: Server, facts: ServerFacts, size: int, begin: Begin) -> AsyncIterator[None]:
    """For about `size` bytes of rows. The log begins to get its own size again at the end of the block."""
    wanted = log_size(facts, size)
    if not wanted:
        yield
        return
    client = await connect(server)
    slower = [variable for variable in _PACE if int(facts.variables[variable]) < _FAST]
    # Without room for a larger log there is the one that there was.
    larger = dict.fromkeys(slower, str(_FAST)) | {_SIZE: str(wanted)}
    growing = asyncio.create_task(_set(client, larger))
    try:
        yield
    finally:
        begin(_shrink(client, growing, {name: facts.variables[name] for name in reversed(larger)}))


async def _set(client: SqlClient, values: Mapping[str, str]) -> None:
    for variable, value in values.items():
        await set_globally(client, variable, value)


async def _shrink(client: SqlClient, growing: asyncio.Task[None], own: Mapping[str, str]) -> None:
    await growing
    await _set(client, own)
    client.close()
