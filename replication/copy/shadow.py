"""A copy beside the live tables: what its schemas are called, and the statement that exchanges the two. Pure.

A schema's name may be as long as the server allows, so its shadow is named by a hash.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace

from replication.copy.catalog import Catalog, Sequence, Table
from replication.facts import SHADOW_PREFIX
from replication.statements import name

# A reference into another schema; one into the table's own is written without it.
_REFERENCE = re.compile(
    r"^(  CONSTRAINT `(?:[^`]|``)*` FOREIGN KEY \(.*?\) REFERENCES )(?:`((?:[^`]|``)+)`\.)?`((?:[^`]|``)+)` \(",
    re.MULTILINE,
)


def shadow(schema: str) -> str:
    """The schema in which the copy of `schema` is made."""
    return SHADOW_PREFIX + hashlib.sha256(schema.encode()).hexdigest()[:16]


def aside(schema: str) -> str:
    """Where the tables of `schema` are put when the copy takes their place."""
    return f"{shadow(schema)}_old"


def shadow_table(table: Table) -> Table:
    """The table that is filled beside the live one."""
    return replace(table, schema=shadow(table.schema), create=_REFERENCE.sub(_redirected, table.create))


def shadow_catalog(catalog: Catalog) -> Catalog:
    """Everything that rows are put into. Tables whose rows live elsewhere are made at the exchange."""
    schemas = ((shadow(schema), schema, create) for schema, create in catalog.schemas)
    return Catalog(
        schemas=tuple((place, create.replace(name(schema), name(place), 1)) for place, schema, create in schemas),
        tables=tuple(shadow_table(table) for table in catalog.tables if table.has_rows),
        sequences=tuple(replace(each, schema=shadow(each.schema)) for each in catalog.sequences),
        objects=(),
        accounts=(),
    )


def exchange(live: Catalog, wanted: Catalog) -> str:
    """One statement: all that is live goes aside, then all of the copy takes its place. Empty if there is nothing."""
    away = [f"{each.full_name} TO {name(aside(each.schema))}.{name(each.name)}" for each in _movable(live)]
    here = [
        f"{name(shadow(each.schema))}.{name(each.name)} TO {each.full_name}"
        for each in _movable(wanted)
        if not isinstance(each, Table) or each.has_rows
    ]
    return f"RENAME TABLE {', '.join([*away, *here])}" if away or here else ""


def dangling(catalog: Catalog) -> tuple[str, ...]:
    """Tables with a foreign key to one that does not exist, which a rename would not lead back."""
    there = {(table.schema, table.name) for table in catalog.tables}
    return tuple(table.full_name for table in catalog.tables if not _references(table) <= there)


def _movable(catalog: Catalog) -> Iterable[Table | Sequence]:
    return (*catalog.tables, *catalog.sequences)


def _references(table: Table) -> set[tuple[str, str]]:
    found = (match.groups() for match in _REFERENCE.finditer(table.create))
    return {(_plain(schema) if schema else table.schema, _plain(parent)) for _, schema, parent in found}


def _redirected(match: re.Match[str]) -> str:
    head, schema, parent = match.groups()
    place = f"{name(shadow(_plain(schema)))}." if schema else ""
    return f"{head}{place}`{parent}` ("


def _plain(quoted: str) -> str:
    return quoted.replace("``", "`")
