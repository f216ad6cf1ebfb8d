"""Which stored functions their definitions declare to read at most."""

import asyncio

from topology.servers import Server
from topology.sqlclient import connect

# A name counts if all functions of that name are declared so: calls may leave the schema out. What is not declared is
# CONTAINS SQL on servers, which includes locks and variables. Shown are those for which the account has some privilege.
_DECLARED = (
    "SELECT LOWER(routine_name) AS name FROM information_schema.routines WHERE routine_type = 'FUNCTION' "
    "AND routine_schema <> 'sys' GROUP BY LOWER(routine_name) "
    "HAVING SUM(sql_data_access NOT IN ('NO SQL', 'READS SQL DATA')) = 0 ORDER BY 1 LIMIT {most}"
)
# With more of them, those behind the first in the order of their names are not known.
MOST_FUNCTIONS = 10_000


async def declared_readers(server: Server, within: float) -> frozenset[str]:
    """The names, in lower case and without schemas, of functions declared NO SQL or READS SQL DATA on a server.

    Raises ServerError, and TimeoutError if it takes longer than `within` seconds.
    """
    async with asyncio.timeout(within):
        client = await connect(server, within=within)
        try:
            return frozenset(str(row["name"]) for row in await client.query(_DECLARED.format(most=MOST_FUNCTIONS)))
        finally:
            client.close()
