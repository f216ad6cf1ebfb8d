"""Reading the catalog of a server: every definition, as the server itself spells it."""

from collections.abc import Callable, Iterable
from itertools import groupby

from replication.copy.catalog import Catalog, Column, Sequence, StoredObject, Table
from replication.copy.logins import read_accounts
from replication.facts import MARKER_SCHEMA, MARKER_TABLE, SHADOW_PREFIX
from replication.statements import SYSTEM_SCHEMAS, name, text
from topology.errors import ServerError
from topology.servers import Vendor
from topology.sqlclient import Row, SqlClient

_NOT_SYSTEM = ", ".join(text(schema) for schema in sorted(SYSTEM_SCHEMAS))
_BASE_TABLES = frozenset({"BASE TABLE", "SYSTEM VERSIONED"})
_Condition = Callable[[str], str]
"""On a column that holds the name of a schema."""
# A package body needs its package, and a view may call functions.
_ROUTINE_ORDER = ("PACKAGE", "PACKAGE BODY", "FUNCTION", "PROCEDURE")
# Columns of the SHOW CREATE statements that hold the definition itself.
_DEFINITION_COLUMNS = ("SQL Original Statement", "Create View", "Create Event")


async def read_catalog(client: SqlClient, vendor: Vendor, *, accounts: bool) -> Catalog:
    """All definitions of one server, read without any lock. Tables of MariaDB's and MySQL's own are left out."""
    # SHOW CREATE would otherwise spell differently what this session prefers differently.
    await client.execute("SET SESSION sql_mode = '', sql_quote_show_create = 1")
    if vendor is Vendor.MYSQL:
        await client.execute("SET SESSION information_schema_stats_expiry = 0")
    tables = await _table_rows(client, _of_users)
    return Catalog(
        schemas=await _schemas(client, _of_users),
        tables=await _tables(client, [row for row in tables if row["kind"] in _BASE_TABLES], _of_users),
        sequences=await _sequences(client, [row for row in tables if row["kind"] == "SEQUENCE"]),
        objects=(
            *await _routines(client),
            *await _views(client, [row for row in tables if row["kind"] == "VIEW"]),
            *await _triggers(client),
            *await _events(client),
        ),
        accounts=await read_accounts(client, vendor) if accounts else (),
    )


async def read_shadows(client: SqlClient) -> Catalog:
    """The schemas, tables and sequences of a copy that is made beside the live tables."""
    await client.execute("SET SESSION sql_mode = '', sql_quote_show_create = 1")
    rows = await _table_rows(client, _of_shadows)
    return Catalog(
        schemas=await _schemas(client, _of_shadows),
        tables=await _tables(client, [row for row in rows if row["kind"] in _BASE_TABLES], _of_shadows),
        sequences=await _sequences(client, [row for row in rows if row["kind"] == "SEQUENCE"]),
        objects=(),
        accounts=(),
    )


def _of_users(column: str) -> str:
    return f"{column} NOT IN ({_NOT_SYSTEM}) AND {column} NOT LIKE '#mysql50#%' AND NOT {_of_shadows(column)}"


def _of_shadows(column: str) -> str:
    return f"LEFT({column}, {len(SHADOW_PREFIX)}) = {text(SHADOW_PREFIX)}"


async def _schemas(client: SqlClient, of: _Condition) -> tuple[tuple[str, str], ...]:
    rows = await client.query(
        f"SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE {of('SCHEMA_NAME')} ORDER BY SCHEMA_NAME"
    )
    names = [str(row["name"]) for row in rows]
    return tuple([(each, await _show_create(client, f"DATABASE {name(each)}", "Create Database")) for each in names])


async def _table_rows(client: SqlClient, of: _Condition) -> list[Row]:
    return await client.query(
        "SELECT t.TABLE_SCHEMA AS db, t.TABLE_NAME AS name, t.TABLE_TYPE AS kind, COALESCE(t.ENGINE, '') AS engine, "
        "COALESCE(t.TABLE_ROWS, 0) AS row_count, COALESCE(t.AVG_ROW_LENGTH, 0) AS row_length, "
        "COALESCE(e.TRANSACTIONS, 'NO') AS transactional "
        "FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE "
        f"WHERE {of('t.TABLE_SCHEMA')} "
        f"AND NOT (t.TABLE_SCHEMA = {text(MARKER_SCHEMA)} AND t.TABLE_NAME = {text(MARKER_TABLE)}) "
        "ORDER BY t.TABLE_SCHEMA, t.TABLE_NAME"
    )


async def _tables(client: SqlClient, rows: Iterable[Row], of: _Condition) -> tuple[Table, ...]:
    columns = await _columns(client, of)
    return tuple([await _table(client, row, columns.get((row["db"], row["name"]), ())) for row in rows])


async def _table(client: SqlClient, row: Row, columns: tuple[Column, ...]) -> Table:
    versioned = row["kind"] == "SYSTEM VERSIONED"
    return Table(
        schema=str(row["db"]),
        name=str(row["name"]),
        engine=str(row["engine"]),
        columns=_with_periods(columns) if versioned else columns,
        create=await _show_create(client, f"TABLE {name(row['db'])}.{name(row['name'])}", "Create Table"),
        transactional=row["transactional"] == "YES",
        versioned=versioned,
        rows=int(row["row_count"]),
        row_length=int(row["row_length"]),
    )


def _with_periods(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    # Declared without names, the period columns exist but information_schema does not list them.
    declared = any(column.data_type == "row start" for column in columns)
    named = tuple(
        Column(column.name, "timestamp" if "row " in column.data_type else column.data_type) for column in columns
    )
    return named if declared else (*named, Column("row_start", "timestamp"), Column("row_end", "timestamp"))


async def _columns(client: SqlClient, of: _Condition) -> dict[tuple[str, str], tuple[Column, ...]]:
    rows = await client.query(
        "SELECT TABLE_SCHEMA AS db, TABLE_NAME AS tbl, COLUMN_NAME AS name, LOWER(DATA_TYPE) AS data_type, "
        "IS_NULLABLE = 'YES' AS nullable, LOWER(COALESCE(GENERATION_EXPRESSION, '')) AS expression "
        "FROM information_schema.COLUMNS "
        f"WHERE {of('TABLE_SCHEMA')} ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION"
    )
    return {
        (str(key[0]), str(key[1])): tuple(column for row in group if (column := _column(row)) is not None)
        for key, group in groupby(rows, key=lambda row: (row["db"], row["tbl"]))
    }


def _column(row: Row) -> Column | None:
    generated = str(row["expression"])
    if generated in ("row start", "row end"):
        return Column(str(row["name"]), generated)
    return None if generated else Column(str(row["name"]), str(row["data_type"]), bool(row["nullable"]))


async def _sequences(client: SqlClient, rows: Iterable[Row]) -> tuple[Sequence, ...]:
    return tuple(
        [
            Sequence(
                str(row["db"]),
                str(row["name"]),
                await _show_create(client, f"TABLE {name(row['db'])}.{name(row['name'])}", "Create Table"),
            )
            for row in rows
        ]
    )


async def _routines(client: SqlClient) -> list[StoredObject]:
    rows = await client.query(
        "SELECT ROUTINE_TYPE AS kind, ROUTINE_SCHEMA AS db, ROUTINE_NAME AS name FROM information_schema.ROUTINES "
        f"WHERE {_of_users('ROUTINE_SCHEMA')} ORDER BY ROUTINE_SCHEMA, ROUTINE_NAME"
    )
    known = [row for row in rows if row["kind"] in _ROUTINE_ORDER]
    known.sort(key=lambda row: _ROUTINE_ORDER.index(row["kind"]))
    return [await _stored(client, str(row["kind"]), row) for row in known]


async def _views(client: SqlClient, rows: Iterable[Row]) -> list[StoredObject]:
    return [await _stored(client, "VIEW", row) for row in rows]


async def _triggers(client: SqlClient) -> list[StoredObject]:
    rows = await client.query(
        "SELECT TRIGGER_SCHEMA AS db, TRIGGER_NAME AS name FROM information_schema.TRIGGERS "
        f"WHERE {_of_users('TRIGGER_SCHEMA')} "
        # Several triggers for one event run in the order in which they are created.
        "ORDER BY TRIGGER_SCHEMA, EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER"
    )
    return [await _stored(client, "TRIGGER", row) for row in rows]


async def _events(client: SqlClient) -> list[StoredObject]:
    rows = await client.query(
        "SELECT EVENT_SCHEMA AS db, EVENT_NAME AS name FROM information_schema.EVENTS "
        f"WHERE {_of_users('EVENT_SCHEMA')} ORDER BY EVENT_SCHEMA, EVENT_NAME"
    )
    return [await _stored(client, "EVENT", row) for row in rows]


async def _stored(client: SqlClient, kind: str, row: Row) -> StoredObject:
    what = f"{kind} {name(row['db'])}.{name(row['name'])}"
    shown = await client.one(f"SHOW CREATE {what}")
    column = _definition_column(shown, kind)
    if not shown.get(column):
        raise ServerError(
            f"{client.server} does not show the definition of {what}",
            "give the account the right to see it (MySQL: SHOW_ROUTINE; MariaDB: SELECT on mysql.*)",
        )
    charset = str(shown.get("character_set_client") or "utf8mb4")
    return StoredObject(
        kind=kind,
        schema=str(row["db"]),
        name=str(row["name"]),
        sql=await _definition(client, what, list(shown).index(column), str(shown[column]), charset),
        sql_mode=str(shown.get("sql_mode") or ""),
        charset=charset,
        collation=str(shown.get("collation_connection") or ""),
        database_collation=str(shown.get("Database Collation") or ""),
        time_zone=str(shown.get("time_zone") or ""),
    )


def _definition_column(shown: Row, kind: str) -> str:
    candidates = (*_DEFINITION_COLUMNS, f"Create {kind.title()}")
    return next((column for column in candidates if column in shown), candidates[-1])


async def _definition(client: SqlClient, what: str, position: int, shown: str, charset: str) -> bytes:
    if shown.isascii() or charset == "utf8mb4":
        return shown.encode()
    # The parser will read it in that character set, so it has to be fetched in it as well.
    await client.execute(f"SET SESSION character_set_results = {charset}")
    try:
        rows = await client.raw(f"SHOW CREATE {what}")
    finally:
        await client.execute("SET SESSION character_set_results = utf8mb4")
    return rows[0][position] or b""


async def _show_create(client: SqlClient, what: str, column: str) -> str:
    return str((await client.one(f"SHOW CREATE {what}"))[column])
