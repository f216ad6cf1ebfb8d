"""GET DIAGNOSTICS about a statement whose connection is another session's: what is kept, and how it is retold. Pure.

Observed on MariaDB 10.11 and MySQL 9.7: what it assigns are numbers without a sign and texts of the collation
utf8mb3_general_ci, none of them NULL; a condition that does not exist is no error, but one more condition.
"""

import re
from dataclasses import dataclass
from typing import Final

from proxy.wire.errors import MalformedPacket

_NUMBER: Final = b"MYSQL_ERRNO"
_ITEMS: Final = (
    b"CLASS_ORIGIN",
    b"SUBCLASS_ORIGIN",
    b"CONSTRAINT_CATALOG",
    b"CONSTRAINT_SCHEMA",
    b"CONSTRAINT_NAME",
    b"CATALOG_NAME",
    b"SCHEMA_NAME",
    b"TABLE_NAME",
    b"COLUMN_NAME",
    b"CURSOR_NAME",
    b"MESSAGE_TEXT",
    _NUMBER,
    b"RETURNED_SQLSTATE",
)
_GET: Final = re.compile(rb"GET (?:CURRENT )?DIAGNOSTICS (?:CONDITION (\d{1,9}|@\w+) )?(@.*)")
_ASSIGNMENT: Final = re.compile(rb"(@\w+) ?= ?(\w+)")

# What was got of a condition, by item, in utf8mb3.
Condition = dict[bytes, bytes]


def variables(number: int) -> list[bytes]:
    """The user variables that hold a condition while a connection is asked; long enough to be nobody's."""
    return [b"@`manyreads_%d_%s`" % (number, item.lower()) for item in _ITEMS]


def getting(number: int) -> bytes:
    """The statement that fills them."""
    given = b", ".join(b"%s = %s" % pair for pair in zip(variables(number), _ITEMS, strict=True))
    return b"GET DIAGNOSTICS CONDITION %d %s" % (number, given)


def selected(number: int) -> list[bytes]:
    """The expressions that give them as they are, whatever the character set of results."""
    pairs = zip(variables(number), _ITEMS, strict=True)
    return [name if item == _NUMBER else b"CAST(%s AS BINARY)" % name for name, item in pairs]


def conditions_in(values: list[bytes]) -> tuple[Condition, ...]:
    """Those that a row of such expressions has. Raises MalformedPacket for a row of another length."""
    size = len(_ITEMS)
    if len(values) % size:
        raise MalformedPacket("a row of other columns than those of conditions")
    return tuple(dict(zip(_ITEMS, values[at : at + size], strict=True)) for at in range(0, len(values), size))


@dataclass(frozen=True, slots=True)
class Get:
    """GET DIAGNOSTICS: of the statement as a whole, or of the condition whose number, or variable, is `condition`;
    user variables, in small letters, with the items that they are given."""

    condition: bytes
    given: tuple[tuple[bytes, bytes], ...]

    def names(self, item: bytes = b"") -> frozenset[bytes]:
        """The variables that are given `item`; all of them if that is empty."""
        return frozenset(name for name, given in self.given if item in (b"", given))

    def repeated(self, values: dict[bytes, bytes]) -> bytes:
        """The SET that does the same with these values, written as SQL; empty when an item is not among them."""
        if any(item not in values for _, item in self.given):
            return b""
        return b"SET " + b", ".join(b"%s = %s" % (name, values[item]) for name, item in self.given)


def parse_get(words: bytes) -> Get | None:
    """From a text in capitals with single spaces; None when it is another statement, or has more than names in it."""
    found = _GET.fullmatch(words)
    if found is None:
        return None
    given = [_ASSIGNMENT.fullmatch(item.strip()) for item in found[2].split(b",")]
    pairs = tuple((one[1].lower(), one[2]) for one in given if one)
    return Get((found[1] or b"").lower(), pairs) if all(given) else None


def unsigned(number: int) -> bytes:
    """A number as these statements assign it."""
    return b"CAST(%d AS UNSIGNED)" % number


def literals(condition: Condition, *, mariadb: bool) -> dict[bytes, bytes]:
    """A condition's values as SQL. Raises MalformedPacket for a number that is none."""
    try:
        number = int(condition[_NUMBER])
    except ValueError:
        raise MalformedPacket("a condition without a number") from None
    return {item: _text(value, mariadb) for item, value in condition.items()} | {_NUMBER: unsigned(number)}


def _text(value: bytes, mariadb: bool) -> bytes:
    # Only MariaDB lets the default be another; only there all versions know it under this name.
    collation = b" COLLATE utf8mb3_general_ci" if mariadb else b""
    return b"_utf8mb3 " + (b"0x" + value.hex().encode() if value else b"''") + collation
