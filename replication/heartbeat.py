"""A row on the primary that says what time it was there: on a replica it tells how late that is, whoever asks.

The one write to the primary beside the replication account, and only where it was asked for.
"""

from replication.facts import HEARTBEAT_TABLE, MARKER_SCHEMA
from replication.perform import perform
from replication.statements import Statement, name
from topology.errors import AccessDenied, StatementRefused
from topology.sqlclient import SqlClient

_TABLE = f"{name(MARKER_SCHEMA)}.{name(HEARTBEAT_TABLE)}"
MADE_ONCE = (
    Statement(f"CREATE DATABASE IF NOT EXISTS {name(MARKER_SCHEMA)} CHARACTER SET utf8mb4"),
    Statement(
        f"CREATE TABLE IF NOT EXISTS {_TABLE} (id TINYINT NOT NULL PRIMARY KEY, beat_utc DATETIME(6) NOT NULL) "
        "ENGINE = InnoDB"
    ),
)
BEAT = Statement(f"REPLACE INTO {_TABLE} (id, beat_utc) VALUES (1, UTC_TIMESTAMP(6))")

_SECONDS = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {}) / 1e6"
CLOCK = f"SELECT {_SECONDS.format('UTC_TIMESTAMP(6)')}"
"""A server's own clock, in seconds since 1970."""
_LAST = f"SELECT {_SECONDS.format('beat_utc')} FROM {_TABLE} WHERE id = 1"
# ER_BAD_DB_ERROR, ER_NO_SUCH_TABLE
_NONE = frozenset({1049, 1146})


async def beat(client: SqlClient) -> None:
    """Write the primary's time down. Raises ServerError; a missing privilege is named with its remedy."""
    try:
        await _beat(client)
    except AccessDenied as error:
        raise AccessDenied(
            error.problem,
            f"grant on the primary: GRANT SELECT, INSERT, DELETE, CREATE ON {MARKER_SCHEMA}.* to that login",
        ) from error


async def _beat(client: SqlClient) -> None:
    try:
        await perform(client, (BEAT,))
    except StatementRefused as error:
        if error.errno not in _NONE:
            raise
        await perform(client, (*MADE_ONCE, BEAT))


async def last_beat(client: SqlClient) -> float | None:
    """The primary's time that arrived at this server last, in seconds since 1970; None if there is none to be seen."""
    try:
        found = await client.value(_LAST)
    except AccessDenied:
        return None
    except StatementRefused as error:
        if error.errno not in _NONE:
            raise
        return None
    return None if found is None else float(found)
