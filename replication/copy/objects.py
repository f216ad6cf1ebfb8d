"""Wiping a replica, and creating stored objects on it from a catalog."""

import re
from collections.abc import Sequence

from replication.copy.catalog import StoredObject
from replication.copy.logins import Warn
from replication.facts import MARKER_SCHEMA, MARKER_TABLE, SHADOW_PREFIX
from replication.statements import FORGET_SHADOW, SHADOW, SYSTEM_SCHEMAS, name, text
from replication.survey import read_marker
from topology.errors import ServerError, StatementRefused
from topology.sqlclient import SqlClient

# What a view answers when something that it reads is not there: a missing function, table, column or right.
_NOT_YET = frozenset({1054, 1146, 1305, 1356, 1049})
_BODY_FIRST = ("TRIGGER", "EVENT", "VIEW", "PACKAGE BODY", "PACKAGE", "FUNCTION", "PROCEDURE")
_EVENT_STATUS = re.compile(rb"( ON COMPLETION (?:NOT )?PRESERVE) ENABLE\b")


async def wipe(target: SqlClient) -> None:
    """Drop every user schema but our own marker."""
    rows = await target.query("SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA")
    for schema in (str(row["name"]) for row in rows):
        if schema == MARKER_SCHEMA:
            await _wipe_beside_marker(target)
        elif schema not in SYSTEM_SCHEMAS and not schema.startswith("#mysql50#"):
            await target.execute(f"DROP DATABASE {name(schema)}")
    await forget_shadows(target)


async def forget_shadows(target: SqlClient) -> None:
    """Drop whatever a copy beside the live tables has left."""
    rows = await target.query("SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA")
    for schema in (str(row["name"]) for row in rows):
        if schema.startswith(SHADOW_PREFIX):
            await target.execute(f"DROP DATABASE {name(schema)}")
    if await read_marker(target, SHADOW) is not None:
        await target.execute(FORGET_SHADOW)


async def _wipe_beside_marker(target: SqlClient) -> None:
    rows = await target.query(
        "SELECT TABLE_NAME AS name, TABLE_TYPE AS kind FROM information_schema.TABLES "
        f"WHERE TABLE_SCHEMA = {text(MARKER_SCHEMA)} AND TABLE_NAME <> {text(MARKER_TABLE)}"
    )
    for row in rows:
        kind = row["kind"] if row["kind"] in ("VIEW", "SEQUENCE") else "TABLE"
        await target.execute(f"DROP {kind} {name(MARKER_SCHEMA)}.{name(row['name'])}")


async def advance(source: SqlClient, target: SqlClient, theirs: str, ours: str) -> None:
    """Bring a sequence of the target, by its full name, to where that of the source is."""
    # SETVAL cannot express every state, such as that of a cycling sequence at its end (error 4084); its row can.
    row = await source.one(f"SELECT * FROM {theirs}")
    await target.execute(f"INSERT INTO {ours} VALUES ({', '.join(str(value) for value in row.values())})")


def in_drop_order(objects: Sequence[StoredObject]) -> list[StoredObject]:
    """What hangs on others before those."""
    return sorted(objects, key=lambda each: _BODY_FIRST.index(each.kind))


async def drop_objects(target: SqlClient, objects: Sequence[StoredObject]) -> None:
    """Drop them; those that are gone already do not matter."""
    for each in in_drop_order(objects):
        # Packages are known in the mode in which they were made only.
        await target.execute(f"SET SESSION sql_mode = {text(each.sql_mode)}")
        await target.execute(f"DROP {each.kind} IF EXISTS {name(each.schema)}.{name(each.name)}")
    await target.execute("SET SESSION sql_mode = @strict_sql_mode")


async def create_objects(target: SqlClient, objects: Sequence[StoredObject], warn: Warn) -> None:
    """Create views, routines, triggers and events.

    A view may need another one that comes later: what fails for lack of something is tried again as long as that
    helps. A view that is broken on the primary too is left out with a warning.
    """
    waiting = list(objects)
    while waiting:
        failed = [(each, error) for each in waiting if (error := await _try(target, each)) is not None]
        if len(failed) == len(waiting):
            for each, error in failed:
                warn(f"left out {each}, which refers to something that is not there: {error.problem}")
            return
        waiting = [each for each, _ in failed]


async def _try(target: SqlClient, each: StoredObject) -> StatementRefused | None:
    try:
        await _create(target, each)
    except StatementRefused as error:
        if error.errno in _NOT_YET and each.kind == "VIEW":
            return error
        raise ServerError(f"creating {each}: {error.problem}", error.remedy) from error
    return None


async def _create(target: SqlClient, each: StoredObject) -> None:
    await _use(target, each.schema)
    usual = await _adopt_database_collation(target, each)
    await target.execute(f"SET SESSION sql_mode = {text(each.sql_mode)}")
    if each.time_zone:
        await target.execute(f"SET SESSION time_zone = {text(each.time_zone)}")
    if each.collation:
        await target.execute(f"SET SESSION collation_connection = {each.collation}")
    await target.execute(f"SET SESSION character_set_client = {each.charset}")
    try:
        await target.execute(_asleep(each))
    finally:
        await target.execute("SET NAMES utf8mb4")
        await target.execute("SET SESSION time_zone = '+00:00', sql_mode = @strict_sql_mode")
        if usual:
            await target.execute(f"ALTER DATABASE {name(each.schema)} COLLATE {usual}")


async def _adopt_database_collation(target: SqlClient, each: StoredObject) -> str:
    """Give the schema the collation that it had when `each` was made, and return the one to go back to, if any."""
    if not each.database_collation:
        return ""
    usual = str(await target.value("SELECT @@collation_database"))
    if usual == each.database_collation:
        return ""
    await target.execute(f"ALTER DATABASE {name(each.schema)} COLLATE {each.database_collation}")
    return usual


def _asleep(each: StoredObject) -> bytes:
    """An event must not run on the replica: its effects arrive from the primary. Promotion wakes it up."""
    if each.kind != "EVENT":
        return each.sql
    # The status stands behind the schedule, and the name before it may hold anything.
    after_name = each.sql.find(b" ON SCHEDULE ")
    head, tail = each.sql[:after_name], each.sql[after_name:]
    return head + _EVENT_STATUS.sub(rb"\1 DISABLE ON SLAVE", tail, count=1)


async def _use(target: SqlClient, schema: str) -> None:
    await target.execute(f"USE {name(schema)}")
