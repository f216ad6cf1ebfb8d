"""Which tables are ordinary: a write to one shows in no other, and a read of one depends on no other."""

from collections.abc import Iterable
from typing import Final

from topology.freshness import Table

# Neither views nor tables of engines that show the rows of others. Schemas of the server's own are left out.
_TABLES: Final = (
    "SELECT table_schema AS place, table_name AS name, "
    "table_type = 'BASE TABLE' AND engine IN ('InnoDB', 'MyISAM', 'Aria', 'ROCKSDB') AS ordinary "
    "FROM information_schema.tables "
    "WHERE table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys') LIMIT {most}"
)
# A trigger writes elsewhere, and so may a foreign key of another table.
_EXCEPTIONS: Final = (
    "SELECT event_object_schema AS place, event_object_table AS name FROM information_schema.triggers",
    "SELECT unique_constraint_schema AS place, referenced_table_name AS name "
    "FROM information_schema.referential_constraints "
    "WHERE NOT (update_rule IN ('RESTRICT', 'NO ACTION') AND delete_rule IN ('RESTRICT', 'NO ACTION'))",
)
# Who has it for all tables is shown all triggers and all foreign keys.
PRIVILEGE: Final = (
    "SELECT COUNT(*) FROM information_schema.user_privileges WHERE privilege_type = 'TRIGGER' "
    "AND grantee = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')"
)
# With more than that nothing is said about any.
MOST_TABLES: Final = 20_000
QUESTIONS: Final = (_TABLES.format(most=MOST_TABLES + 1), *_EXCEPTIONS)


def ordinary_tables(
    tables: Iterable[tuple[str, str, bool]], exceptions: Iterable[tuple[str, str]]
) -> frozenset[Table] | None:
    """The ordinary ones in lower case, of all `tables` (schema, name, whether it is by itself); None for too many.

    Of names that differ only in case none is ordinary unless all are.
    """
    ordinary: set[Table] = set()
    others: set[Table] = {(of.lower(), name.lower()) for of, name in exceptions}
    count = 0
    for of, name, alone in tables:
        count += 1
        (ordinary if alone else others).add((of.lower(), name.lower()))
    return frozenset(ordinary - others) if count <= MOST_TABLES else None
