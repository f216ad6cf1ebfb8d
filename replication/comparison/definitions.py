"""Whether two catalogs define the same, apart from what is different on every replica. Pure."""

import re
from collections.abc import Iterable, Mapping

from replication.comparison.findings import DefinitionDifference
from replication.copy.catalog import Catalog, StoredObject, Table
from replication.facts import MARKER_SCHEMA
from replication.statements import name

# Whether the character set that a collation implies is spelled out depends on how the table was once made.
_IMPLIED_CHARSET = re.compile(r"(?: DEFAULT)? (?:CHARACTER SET|CHARSET)[ =]\w+(?= COLLATE)")
_EVENT_STATUS = re.compile(rb"( ON COMPLETION (?:NOT )?PRESERVE) (?:ENABLE|DISABLE(?: ON (?:SLAVE|REPLICA))?)\b")

_Definitions = Mapping[tuple[str, str], object]


def differing(primary: Catalog, replica: Catalog) -> tuple[DefinitionDifference, ...]:
    """Everything that only one of the two defines, or that they define differently."""
    wanted, found = _definitions(primary), _definitions(replica)
    problems = ((key, _problem(wanted, found, key)) for key in sorted({*wanted, *found}))
    return tuple(DefinitionDifference(*key, problem) for key, problem in problems if problem)


def comparable_tables(primary: Catalog, replica: Catalog) -> list[Table]:
    """The tables that hold rows and are defined equally on both sides: their rows can be compared."""
    found = {table.full_name: _table(table) for table in replica.tables}
    return [table for table in primary.tables if table.has_rows and found.get(table.full_name) == _table(table)]


def _problem(wanted: _Definitions, found: _Definitions, key: tuple[str, str]) -> str:
    if key not in found:
        return "missing"
    if key not in wanted:
        return "extra"
    return "" if wanted[key] == found[key] else "differs"


def _definitions(catalog: Catalog) -> dict[tuple[str, str], object]:
    return dict(_each(catalog))


def _each(catalog: Catalog) -> Iterable[tuple[tuple[str, str], object]]:
    for schema, create in catalog.schemas:
        # Each replica has our marker in it, and the primary need not have it.
        if schema != MARKER_SCHEMA:
            yield ("schema", name(schema)), create
    for table in catalog.tables:
        yield ("table", table.full_name), _table(table)
    for sequence in catalog.sequences:
        yield ("sequence", sequence.full_name), sequence.create
    for each in catalog.objects:
        yield (each.kind.lower(), f"{name(each.schema)}.{name(each.name)}"), comparable(each)


def _table(table: Table) -> object:
    return _IMPLIED_CHARSET.sub("", table.definition), table.columns


def comparable(each: StoredObject) -> object:
    """What has to be equal on a replica of one stored object."""
    sql = each.sql
    if each.kind == "EVENT":
        # On a replica it sleeps. The status stands behind the schedule, and the name before it may hold anything.
        after_name = sql.find(b" ON SCHEDULE ")
        sql = sql[:after_name] + _EVENT_STATUS.sub(rb"\1", sql[after_name:], count=1)
    return sql, each.sql_mode, each.charset, each.collation, each.database_collation, each.time_zone
