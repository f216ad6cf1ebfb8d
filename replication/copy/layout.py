"""What is on a replica before its rows come: schemas, sequences and empty tables, or what a broken-off run left."""

import re

from replication.comparison.rows import primary_keys
from replication.copy.bulk import is_cut
from replication.copy.catalog import Catalog, Table, without_counter
from replication.copy.indexes import Bare, bare, drop_keys, has_unique_key, referenced
from replication.copy.objects import advance, drop_objects
from replication.facts import MARKER_SCHEMA
from replication.statements import name
from topology.sqlclient import SqlClient

_COUNTER = re.compile(r" AUTO_INCREMENT=(\d+)")


def plan_tables(catalog: Catalog) -> dict[str, Bare]:
    """By full name, how each table is made before its rows come."""
    parents = referenced(catalog.tables)
    return {table.full_name: Bare(table.create) if table.name in parents else bare(table) for table in catalog.tables}


async def create_tables(
    source: SqlClient, target: SqlClient, origin: Catalog, catalog: Catalog, kept: frozenset[str]
) -> None:
    """Create what there is not yet of `catalog`, which is `origin` by other names or the same.

    All schemas come first, since foreign keys may cross them.
    """
    there = {
        str(row["name"]) for row in await target.query("SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA")
    }
    for schema, create in catalog.schemas:
        if schema not in there:
            await target.execute(create)
    for theirs, sequence in zip(origin.sequences, catalog.sequences, strict=True):
        await target.execute(f"USE {name(sequence.schema)}")
        await target.execute(sequence.create)
        await advance(source, target, theirs.full_name, sequence.full_name)
    plans = plan_tables(catalog)
    for table in catalog.tables:
        if table.full_name not in kept:
            await target.execute(f"USE {name(table.schema)}")
            await target.execute(plans[table.full_name].create)
        elif counter := _COUNTER.search(table.create):
            await target.execute(f"ALTER TABLE {table.full_name} AUTO_INCREMENT = {counter[1]}")


async def clear_away(target: SqlClient, found: Catalog, catalog: Catalog) -> frozenset[str]:
    """Drop all of `found` that an unfinished copy of `catalog` cannot go on with; full names of the tables that stay.

    A table stays if it is defined as in `catalog`, with or without its secondary indexes, and is copied by ranges.
    """
    keys = await primary_keys(target, found.tables)
    wanted = {table.full_name: table for table in catalog.tables}
    plans = plan_tables(catalog)
    schemas = dict(catalog.schemas)
    gone = {schema for schema, create in found.schemas if schema != MARKER_SCHEMA and schemas.get(schema) != create}
    for schema in gone:
        await target.execute(f"DROP DATABASE {name(schema)}")
    await drop_objects(target, [each for each in found.objects if each.schema not in gone])
    for sequence in found.sequences:
        if sequence.schema not in gone:
            await target.execute(f"DROP SEQUENCE {sequence.full_name}")
    kept: set[str] = set()
    for table in found.tables:
        model = wanted.get(table.full_name)
        if table.schema in gone:
            continue
        if (
            model is not None
            and is_cut(model, keys[table.full_name])
            and await _made_bare(target, table, model, plans[table.full_name])
        ):
            kept.add(table.full_name)
        else:
            await target.execute(f"DROP TABLE {table.full_name}")
    return frozenset(kept)


async def _made_bare(target: SqlClient, table: Table, model: Table, plan: Bare) -> bool:
    """Whether rows can be written into the table in any order: no unique key but the primary one is in the way."""
    if table.definition == without_counter(plan.create):
        return not has_unique_key(plan.create)
    if table.definition != model.definition or has_unique_key(plan.create):
        return False
    await target.execute(drop_keys(table, plan.keys))
    return True
