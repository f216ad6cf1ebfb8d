"""From the method that was asked for to the function that copies a replica by it; one file for each way."""

from collections.abc import Awaitable, Callable

from replication.actions import Action, Method, Users
from replication.comparison.renewal import renew_replica
from replication.copy.beside import copy_beside
from replication.copy.bulk import BulkEngine
from replication.copy.clients import find_clients
from replication.copy.clone import check_clonable, clone_replica
from replication.copy.dump import DumpEngine
from replication.copy.engine import Engine
from replication.copy.job import Copied, CopyJob
from replication.copy.replica import copy_replica
from topology.servers import Vendor
from topology.sqlclient import SqlClient

COPYING: dict[Action, Callable[[CopyJob], Awaitable[Copied]]] = {
    Action.COPY: copy_replica,
    Action.SHADOW: copy_beside,
    Action.RENEW: renew_replica,
}


async def engine_for(method: Method, primary: SqlClient, vendor: Vendor, users: Users) -> Engine:
    """What moves the rows. Raises Refused, before anything is changed, where that method cannot be had."""
    if method is Method.DUMP:
        return DumpEngine(await find_clients(vendor))
    if method is Method.CLONE:
        await check_clonable(primary, vendor, users)
    return BulkEngine()


def way_of(action: Action, method: Method) -> Callable[[CopyJob], Awaitable[Copied]]:
    """What does `action`: a clone replaces a copy in place, and nothing else."""
    return clone_replica if action is Action.COPY and method is Method.CLONE else COPYING[action]
