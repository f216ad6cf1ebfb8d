"""Taking secondary indexes out of a table's definition, to build them when its rows are there. Pure.

Sorting the keys once is much faster than keeping an index in order while rows come in.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from replication.copy.catalog import Table

_KEY = re.compile(r"^  (?:UNIQUE )?KEY `")
# A foreign key makes an index of its own where it finds none, FULLTEXT and SPATIAL keys are listed behind the others,
# and a counting column needs its key.
_KEEPS_ALL = re.compile(
    r"^  (?:CONSTRAINT `(?:[^`]|``)*` FOREIGN KEY|FULLTEXT KEY|SPATIAL KEY|PERIOD FOR)", re.MULTILINE
)
_REFERENCES = re.compile(r" REFERENCES (?:`(?:[^`]|``)+`\.)?`((?:[^`]|``)+)` \(")
_NAME = re.compile(r"(?:UNIQUE )?KEY (`(?:[^`]|``)+`)")
_COUNTING = re.compile(r"^  (`(?:[^`]|``)+`) .* AUTO_INCREMENT\b", re.MULTILINE)
_PRIMARY = re.compile(r"^  PRIMARY KEY \((.*)\)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Bare:
    """A table without its secondary indexes, and what brings them back: parts of one ALTER TABLE."""

    create: str
    keys: tuple[str, ...] = ()


def bare(table: Table) -> Bare:
    """The table as it is made before its rows come; where its indexes cannot wait, that is the table itself."""
    create = table.create
    if table.engine.upper() != "INNODB" or table.versioned or _KEEPS_ALL.search(create) or not _may_go(create):
        return Bare(create)
    lines = create.split("\n")
    keys = [line for line in lines if _KEY.match(line)]
    if not keys:
        return Bare(create)
    kept = [line for line in lines if not _KEY.match(line)]
    end = next(index for index, line in enumerate(kept) if line.startswith(")"))
    kept[end - 1] = kept[end - 1].removesuffix(",")
    return Bare("\n".join(kept), tuple(line.strip().removesuffix(",") for line in keys))


def add_keys(table: Table, keys: tuple[str, ...]) -> str:
    """Build the indexes, all in one go."""
    return f"ALTER TABLE {table.full_name} {', '.join(f'ADD {key}' for key in keys)}"


def drop_keys(table: Table, keys: tuple[str, ...]) -> str:
    """Take the indexes away again."""
    names = (match[1] for key in keys if (match := _NAME.match(key)))
    return f"ALTER TABLE {table.full_name} {', '.join(f'DROP KEY {each}' for each in names)}"


def has_unique_key(create: str) -> bool:
    """Whether a row may be in the way of another one's that has another primary key."""
    return "\n  UNIQUE KEY " in create


def referenced(tables: Iterable[Table]) -> frozenset[str]:
    """Names of tables that foreign keys lead to, of whatever schema: those need their keys from the beginning."""
    return frozenset(each.replace("``", "`") for table in tables for each in _REFERENCES.findall(table.create))


def _may_go(create: str) -> bool:
    """Whether rows are kept by a primary key, which also serves the column that counts, if there is one."""
    primary = _PRIMARY.search(create)
    counting = _COUNTING.search(create)
    if primary is None:
        return False
    return counting is None or primary[1].startswith(counting[1])
