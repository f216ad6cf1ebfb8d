"""The session in which a replica is filled: unlogged, unchecked where the primary has checked, strict about values."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from replication.facts import ServerFacts
from topology.errors import ServerError
from topology.servers import Server
from topology.sqlclient import SqlClient, connected

# Strict, so that a value that does not arrive whole is an error; zero and invalid dates are values as any others.
STRICT = "NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES,STRICT_ALL_TABLES"
LENIENT = "NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES"
_BIGGEST_PACKET = 1_073_741_824

_SETTINGS = {
    "sql_log_bin": "0",
    "foreign_key_checks": "0",
    "time_zone": "'+00:00'",
    "wait_timeout": "604800",
    "net_read_timeout": "86400",
    "net_write_timeout": "86400",
    "innodb_strict_mode": "0",
    "max_error_count": "65535",
    # SHOW CREATE TABLE spells timestamps out only as far as this is on.
    "explicit_defaults_for_timestamp": "1",
    "check_constraint_checks": "0",
    "system_versioning_insert_history": "1",
    "sql_require_primary_key": "0",
    "sql_generate_invisible_primary_key": "0",
    "max_statement_time": "0",
    # Indexes are built from sorted runs of this size.
    "innodb_ddl_buffer_size": "134217728",
    "max_execution_time": "0",
}


# Settings of the whole server while it is loaded: rows of any size fit through, and lines are taken from us.
# Where a routine is dropped for a new copy, the grants on it stay: they are compared with the primary's later.
_GLOBALS = {"max_allowed_packet": str(_BIGGEST_PACKET), "local_infile": "1", "automatic_sp_privileges": "0"}


@asynccontextmanager
async def loading_session(server: Server, facts: ServerFacts) -> AsyncIterator[SqlClient]:
    """A session on the replica for loading; rows of any size fit through while it is open."""
    async with loading_sessions(server, facts, 1) as sessions:
        yield sessions[0]


@asynccontextmanager
async def loading_sessions(server: Server, facts: ServerFacts, count: int) -> AsyncIterator[tuple[SqlClient, ...]]:
    """Several of them."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(connected(server))
        # A session takes the global limit when it begins.
        for variable, value in _GLOBALS.items():
            stack.push_async_callback(set_globally, client, variable, facts.variables[variable])
            await client.execute(f"SET GLOBAL {variable} = {value}")
        sessions = [await stack.enter_async_context(connected(server, loading=True)) for _ in range(count)]
        for session in sessions:
            await prepare(session, facts)
        yield tuple(sessions)


async def set_globally(client: SqlClient, variable: str, value: str) -> None:
    """Set a variable of the whole server, if that can be done: what it was before does no harm."""
    # If the connection is gone, the caller is about to report that.
    with suppress(ServerError):
        await client.execute(f"SET GLOBAL {variable} = {value}")


async def prepare(session: SqlClient, facts: ServerFacts) -> None:
    """Set whichever of the settings this server knows."""
    known = ", ".join(f"{variable} = {value}" for variable, value in _SETTINGS.items() if variable in _known(facts))
    await session.execute(f"SET SESSION {known}")
    # Else who deletes a range locks the gap behind it, and deadlocks with the lines that another session puts there.
    await session.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    await session.execute(f"SET @strict_sql_mode = '{STRICT}', @lenient_sql_mode = '{LENIENT}'")
    await session.execute("SET SESSION sql_mode = @strict_sql_mode")


def _known(facts: ServerFacts) -> frozenset[str]:
    # sql_log_bin is a session variable only, so SHOW GLOBAL VARIABLES does not list it on MySQL.
    return frozenset(facts.variables) | {"sql_log_bin"}
