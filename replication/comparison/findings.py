"""What a comparison found: frozen values that name tables, key ranges and rows. Pure."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from replication.comparison.chunks import Chunk, key_text

SHOWN_KEYS = 10


@dataclass(frozen=True, slots=True)
class DefinitionDifference:
    """A schema, table, sequence or stored object that is not the same; `problem` is missing, extra or differs."""

    kind: str
    name: str
    problem: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {_PROBLEMS[self.problem]}"


_PROBLEMS = {
    "missing": "is not on the replica",
    "extra": "is on the replica only",
    "differs": "is defined differently",
}


@dataclass(frozen=True, slots=True)
class ChunkDifference:
    """One key range whose rows are not the same.

    `missing` rows are on the primary only, `extra` ones on the replica only; `changed` ones have the same key. `keys`
    are the first of them, as SQL.
    """

    chunk: Chunk
    primary_rows: int
    replica_rows: int
    missing: int
    extra: int
    changed: int
    keys: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        return self.chunk.table.full_name

    @property
    def after(self) -> str | None:
        """The key before the range, as SQL; None where it is open."""
        return key_text(self.chunk.keys, self.chunk.after)

    @property
    def upto(self) -> str | None:
        """The last key of the range, as SQL; None where it is open."""
        return key_text(self.chunk.keys, self.chunk.upto)

    @property
    def range(self) -> str:
        """The key range in words of mathematics."""
        left = f"({self.after}" if self.after is not None else "(-inf"
        right = f"{self.upto}]" if self.upto is not None else "+inf)"
        return f"{left}, {right}"

    @property
    def counts(self) -> str:
        """How many rows there are, and what is wrong with how many, without any value of them."""
        rows = f"{self.primary_rows:,} rows on the primary, {self.replica_rows:,} here"
        return f"{rows}; {self.missing} missing, {self.extra} extra, {self.changed} changed"

    def __str__(self) -> str:
        keys = f": {', '.join(self.keys)}" if self.keys else ""
        more = ", ..." if self.missing + self.extra + self.changed > len(self.keys) > 0 else ""
        return f"table {self.table} {self.range}: {self.counts}{keys}{more}"

    def as_object(self) -> dict[str, Any]:
        """The values as JSON holds them."""
        return {
            "table": self.table,
            "after": self.after,
            "upto": self.upto,
            "primary_rows": self.primary_rows,
            "replica_rows": self.replica_rows,
            "missing": self.missing,
            "extra": self.extra,
            "changed": self.changed,
            "keys": list(self.keys),
        }


def difference(
    chunk: Chunk,
    primary: Counter[tuple[str | None, bytes]],
    replica: Counter[tuple[str | None, bytes]],
) -> ChunkDifference:
    """What is not the same in a range, from how often each side has each pair of key and row hash.

    The key is None in a table without one: there nothing is known to be changed, only missing and extra.
    """
    missing, extra = _by_key(primary - replica), _by_key(replica - primary)
    changed = {key: min(count, extra[key]) for key, count in missing.items() if key is not None and key in extra}
    both = sum(changed.values())
    return ChunkDifference(
        chunk,
        primary_rows=primary.total(),
        replica_rows=replica.total(),
        missing=missing.total() - both,
        extra=extra.total() - both,
        changed=both,
        keys=tuple(sorted(key for key in missing | extra if key is not None))[:SHOWN_KEYS],
    )


def _by_key(rows: Counter[tuple[str | None, bytes]]) -> Counter[str | None]:
    counted: Counter[str | None] = Counter()
    for (key, _), count in rows.items():
        counted[key] += count
    return counted
