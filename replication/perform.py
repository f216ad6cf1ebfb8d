"""Running statements on one server, in whichever spelling it understands."""

from collections.abc import Iterable

from replication.statements import Statement
from topology.errors import StatementRefused
from topology.sqlclient import SqlClient

_PARSE_ERROR = 1064


async def perform(client: SqlClient, statements: Iterable[Statement]) -> None:
    """Run the statements in order; a server that cannot parse one gets its older spelling."""
    for statement in statements:
        await _perform_one(client, statement)


async def _perform_one(client: SqlClient, statement: Statement) -> None:
    try:
        await client.execute(statement.sql)
    except StatementRefused as error:
        if error.errno != _PARSE_ERROR or not statement.older:
            raise
        await client.execute(statement.older)


async def unlogged(client: SqlClient) -> None:
    """Keep what follows on this connection out of the server's binary log."""
    await client.execute("SET SESSION sql_log_bin = 0")
