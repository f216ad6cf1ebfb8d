"""The SQL of the fast way: the primary writes whole lines, the replica reads them with LOAD DATA. Pure.

One row of the answer holds the lines of a key range, so that nothing has to be done here for each row. Strings are the
column's own bytes; NULL is \\N; numbers and times are text; ENUM, SET and BIT are integers. Escaping backslash, tab and
newline in strings is a third of the primary's work, and most texts hold none: so it is left out until `is_plain` finds
that it was needed.
"""

from replication.comparison.chunks import Chunk, condition
from replication.copy.catalog import WHOLE_NUMBERS, Column, Table
from replication.statements import name
from topology.servers import Vendor

LONGEST_RANGE = 64 << 20
"""Bytes of lines in one answer; what is longer comes back cut, with a warning."""

_AS_TEXT = frozenset("decimal numeric double real year date time datetime timestamp uuid inet4 inet6".split())
_NAMED = frozenset({"uuid", "inet4", "inet6"})
_AS_INTEGER = frozenset({"bit", "enum", "set"})
_RANGE_BYTES = 1_000_000
_MOST_ROWS = 20_000
_LONG_ROW = 100_000


def rows_in_a_range(table: Table) -> int:
    """How many rows make a range of about a megabyte; 0 for tables whose rows are too long for lines."""
    if table.row_length > _LONG_ROW:
        return 0
    return max(1, min(_MOST_ROWS, _RANGE_BYTES // max(table.row_length, 1)))


def select_lines(vendor: Vendor, chunk: Chunk, *, escaped: bool) -> str:
    """The number of rows in the range, that of NULLs in them, and their lines in one value; NULL if there are none."""
    columns = chunk.table.columns
    fields = ", ".join(_field(vendor, column, escaped) for column in columns)
    lines = f"GROUP_CONCAT(CONCAT_WS(x'09', {fields}) SEPARATOR '\\n')"
    nulls = "".join(f" + COUNT(*) - COUNT({name(column.name)})" for column in columns if column.nullable)
    return f"SELECT COUNT(*), 0{nulls}, {lines} FROM {chunk.table.full_name}{condition(chunk)}"


def is_plain(lines: bytes, rows: int, nulls: int, columns: int) -> bool:
    """Whether lines that were not escaped can be told apart: all backslashes, tabs and newlines in them are ours.

    Ours are there in any case, so that there is none besides if there are as many of the three together.
    """
    ours = rows * (columns - 1) + rows - 1 + nulls
    # One pass over them, in half the time of three counts.
    return len(lines) - len(lines.translate(None, b"\t\n\\")) == ours


def load_lines(vendor: Vendor, table: Table) -> str:
    """The LOAD DATA that stores such lines."""
    places, assignments = [], []
    for number, column in enumerate(table.columns):
        value = _assigned(vendor, column, f"@v{number}")
        places.append(f"@v{number}" if value else name(column.name))
        if value:
            assignments.append(f"{name(column.name)} = {value}")
    sets = f" SET {', '.join(assignments)}" if assignments else ""
    return (
        f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE {table.full_name} CHARACTER SET binary "
        f"FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' ({', '.join(places)}){sets}"
    )


def _field(vendor: Vendor, column: Column, escaped: bool) -> str:
    # A function whose result would be longer than max_allowed_packet is NULL: that must not become the value NULL.
    value = _text(vendor, column, escaped)
    return f"IF({name(column.name)} IS NULL, '\\\\N', {value})" if column.nullable else value


def _text(vendor: Vendor, column: Column, escaped: bool) -> str:
    quoted = name(column.name)
    if column.data_type in WHOLE_NUMBERS:
        return quoted
    if column.data_type in _AS_TEXT:
        return f"CAST({quoted} AS CHAR)"
    if column.data_type == "float":
        # As a DOUBLE it is printed with all the digits that are needed to get the same value back.
        return f"CAST({quoted} + 0e0 AS CHAR)"
    if column.data_type in _AS_INTEGER:
        return f"CAST(CAST({quoted} AS UNSIGNED) AS CHAR)"
    value = f"CAST({quoted} AS {'CHAR' if _is_json(vendor, column) else 'BINARY'})"
    for plain, instead in (("5C", "5C5C"), ("09", "5C74"), ("0A", "5C6E")) if escaped else ():
        value = f"REPLACE({value}, x'{plain}', x'{instead}')"
    return value


def _assigned(vendor: Vendor, column: Column, variable: str) -> str:
    if column.data_type in _AS_INTEGER:
        return f"CAST({variable} AS UNSIGNED)"
    # MySQL refuses to read JSON from a binary string (error 3144), and MariaDB takes bytes for the value itself.
    as_text = _is_json(vendor, column) or column.data_type in _NAMED
    return f"CONVERT({variable} USING utf8mb4)" if as_text else ""


def _is_json(vendor: Vendor, column: Column) -> bool:
    return column.data_type == "json" and vendor is Vendor.MYSQL
