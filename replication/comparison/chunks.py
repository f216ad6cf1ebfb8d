"""The SQL that compares one key range of a table on two servers. Pure.

Rows are compared by a hash of all stored values. Each value is written so that no two rows read alike: NULL as N,
numbers and times as text, strings as their bytes with the length before them, and long ones as a hash of their own,
since a row's text must stay below max_allowed_packet. The hash of a range is the sum of the first 64 bits of its rows'
SHA-256: it does not depend on the order, and equal rows do not cancel each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from replication.copy.catalog import Column, Table
from replication.statements import name

Key = tuple[bytes, ...]

_NUMBERS = frozenset("tinyint smallint mediumint int bigint decimal numeric year".split())
_TIMES = frozenset("date time datetime timestamp".split())
_APPROXIMATE = frozenset("float double real".split())
_AS_INTEGER = frozenset("bit enum set".split())
_SHORT_STRINGS = frozenset("char varchar binary varbinary".split())
_NAMED = frozenset("uuid inet4 inet6".split())
_IN_KEYS = _NUMBERS | _TIMES | _SHORT_STRINGS | _NAMED


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of `table` whose key is beyond `after` and not beyond `upto`; open where that is None."""

    table: Table
    keys: tuple[Column, ...]
    after: Key | None = None
    upto: Key | None = None


def usable_keys(primary_key: Sequence[Column]) -> tuple[Column, ...]:
    """The columns of a primary key, from the first on, that sort as their literals do."""
    usable: list[Column] = []
    for column in primary_key:
        if column.data_type not in _IN_KEYS:
            break
        usable.append(column)
    return tuple(usable)


def boundary(chunk: Chunk, rows: int) -> str:
    """The key of the last of the next `rows` rows beyond `chunk.after`; no row when fewer are left."""
    keys = ", ".join(name(column.name) for column in chunk.keys)
    return f"{chunk.table.select} {keys} FROM {_source(chunk)} ORDER BY {keys} LIMIT 1 OFFSET {rows - 1}"


def checksum(chunk: Chunk) -> str:
    """The number of rows and their hash; the same statement on both servers."""
    return f"{chunk.table.select} COUNT(*), COALESCE(SUM({row_hash(chunk.table.columns)}), 0) FROM {_source(chunk)}"


def row_hashes(chunk: Chunk) -> str:
    """For each row its key's columns and its hash."""
    keys = [name(column.name) for column in chunk.keys]
    return f"{chunk.table.select} {', '.join([*keys, row_hash(chunk.table.columns)])} FROM {_source(chunk)}"


def delete(chunk: Chunk) -> str:
    """Take all rows of the range away."""
    return f"DELETE FROM {chunk.table.full_name}{condition(chunk)}"


def row_hash(columns: Sequence[Column]) -> str:
    """64 bits of the row's SHA-256, as an integer. MySQL 9 has MD5 and SHA1 no longer."""
    row = f"CONCAT_WS(',', {', '.join(_value(column) for column in columns)})"
    return f"CAST(CONV(LEFT(SHA2({row}, 256), 16), 16, 10) AS UNSIGNED)"


def literal(column: Column, value: bytes) -> str:
    """A key's value as SQL, such that the server compares it in the column's own collation."""
    if column.data_type in _NUMBERS:
        return value.decode()
    if column.data_type in ("char", "varchar"):
        return _readable(value) or f"_utf8mb4 x'{value.hex()}'"
    if column.data_type in ("binary", "varbinary"):
        return f"x'{value.hex()}'"
    return f"'{value.decode()}'"


def _readable(value: bytes) -> str:
    plain = value.isascii() and value.decode().isprintable() and not set(value) & set(b"'\\")
    return f"'{value.decode()}'" if plain else ""


def key_text(keys: Sequence[Column], key: Key | None) -> str | None:
    """A key as SQL, in parentheses if it has several columns; None for an open end."""
    if key is None:
        return None
    values = [literal(column, value) for column, value in zip(keys, key, strict=True)]
    return values[0] if len(values) == 1 else f"({', '.join(values)})"


def condition(chunk: Chunk) -> str:
    """The WHERE clause with a space before it, empty for a whole table."""
    parts = []
    if chunk.after is not None:
        parts.append(_bound(chunk.keys, chunk.after, ">", ">"))
    if chunk.upto is not None:
        parts.append(_bound(chunk.keys, chunk.upto, "<", "<="))
    return f" WHERE {' AND '.join(parts)}" if parts else ""


def _source(chunk: Chunk) -> str:
    history = " FOR SYSTEM_TIME ALL" if chunk.table.versioned else ""
    return f"{chunk.table.full_name}{history}{condition(chunk)}"


def _bound(keys: Sequence[Column], key: Key, strictly: str, finally_: str) -> str:
    """A lexicographic comparison, written out with the first column in front, since indexes are used for that."""
    alternatives = []
    values = [(name(column.name), literal(column, value)) for column, value in zip(keys, key, strict=True)]
    for index, (column, value) in enumerate(values):
        same = [f"{before} = {equal}" for before, equal in values[:index]]
        operator = finally_ if index == len(values) - 1 else strictly
        alternatives.append(" AND ".join([*same, f"{column} {operator} {value}"]))
    if len(values) == 1:
        return alternatives[0]
    first, value = values[0]
    return f"({first} {strictly}= {value} AND ({' OR '.join(f'({each})' for each in alternatives)}))"


def _value(column: Column) -> str:
    quoted = name(column.name)
    if column.data_type in _NUMBERS or column.data_type in _TIMES:
        return f"IFNULL(CAST({quoted} AS CHAR), 'N')"
    if column.data_type in _APPROXIMATE:
        # As a DOUBLE it is printed with all the digits that tell it from every other one.
        return f"IFNULL({quoted} + 0e0, 'N')"
    if column.data_type in _AS_INTEGER:
        return f"IFNULL(CAST({quoted} AS UNSIGNED), 'N')"
    if column.data_type in _SHORT_STRINGS:
        # The bytes are asked for as such, so that no character set is converted.
        return f"IFNULL(CONCAT(OCTET_LENGTH({quoted}), ':', CAST({quoted} AS BINARY)), 'N')"
    if column.data_type in _NAMED:
        return f"IFNULL(CAST({quoted} AS CHAR), 'N')"
    return f"IFNULL(SHA2(CAST({quoted} AS BINARY), 256), 'N')"
