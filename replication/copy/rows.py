"""From a row as the server sends it to the literals of an INSERT that stores exactly the same bytes. Pure.

Strings and blobs travel as hexadecimal literals of the column's own bytes: no character set is converted on the way,
neither lossily nor at all. Numbers and times travel as quoted text. ENUM, SET and BIT travel as integers.
"""

from binascii import hexlify
from collections.abc import Callable, Sequence

from replication.copy.catalog import Column, Table
from replication.statements import name
from topology.servers import Vendor

Formatter = Callable[[bytes | None], bytes]

_QUOTED = frozenset(
    "tinyint smallint mediumint int bigint decimal numeric float double real year date time datetime timestamp "
    "uuid inet4 inet6".split()
)
_AS_INTEGER = frozenset({"bit", "enum", "set"})


def select(table: Table, columns: Sequence[Column]) -> str:
    """The SELECT whose rows `formatters` turn into literals."""
    history = " FOR SYSTEM_TIME ALL" if table.versioned else ""
    expressions = ", ".join(_expression(column) for column in columns)
    return f"{table.select} {expressions} FROM {table.full_name}{history}"


def _expression(column: Column) -> str:
    quoted = name(column.name)
    if column.data_type in _AS_INTEGER:
        return f"CAST({quoted} AS UNSIGNED)"
    if column.data_type == "float":
        # Printed as FLOAT it has six digits; as DOUBLE it has all that are needed to get the same FLOAT back.
        return f"{quoted} + 0e0"
    return quoted


def insert_head(table: Table, columns: Sequence[Column]) -> bytes:
    """The INSERT up to VALUES."""
    names = ", ".join(name(column.name) for column in columns)
    return f"INSERT INTO {table.full_name} ({names}) VALUES ".encode()


def formatters(vendor: Vendor, columns: Sequence[Column]) -> tuple[Formatter, ...]:
    """For each column, the function from its raw bytes, or None for NULL, to a literal."""
    return tuple(_formatter(vendor, column.data_type) for column in columns)


def _formatter(vendor: Vendor, data_type: str) -> Formatter:
    if data_type in _AS_INTEGER:
        return bare
    if data_type in _QUOTED:
        return quoted
    if data_type == "json" and vendor is Vendor.MYSQL:
        return json_text
    return hexadecimal


def bare(value: bytes | None) -> bytes:
    """An integer literal."""
    return b"NULL" if value is None else value


def quoted(value: bytes | None) -> bytes:
    """A quoted literal of text that holds neither quotes nor backslashes."""
    return b"NULL" if value is None else b"'" + value + b"'"


def hexadecimal(value: bytes | None) -> bytes:
    """A binary string literal."""
    return b"NULL" if value is None else b"x'" + hexlify(value) + b"'"


def json_text(value: bytes | None) -> bytes:
    """A utf8mb4 string literal: MySQL refuses to read JSON from a binary one (error 3144)."""
    return b"NULL" if value is None else b"_utf8mb4 x'" + hexlify(value) + b"'"


def row_literal(forms: Sequence[Formatter], row: Sequence[bytes | None]) -> bytes:
    """One parenthesised row."""
    return b"(" + b",".join([form(value) for form, value in zip(forms, row, strict=True)]) + b")"


class Batch:
    """Rows gathered into one INSERT, up to about `limit` bytes."""

    def __init__(self, head: bytes, limit: int) -> None:
        self._head = head
        self._limit = limit
        self._rows: list[bytes] = []
        self.size = len(head)

    def __len__(self) -> int:
        return len(self._rows)

    def fits(self, row: bytes) -> bool:
        """Whether `row` may still be added; an empty batch takes a row of any size."""
        return not self._rows or self.size + len(row) + 1 <= self._limit

    def add(self, row: bytes) -> None:
        self._rows.append(row)
        self.size += len(row) + 1

    def statement(self) -> bytes:
        return self._head + b",".join(self._rows)
