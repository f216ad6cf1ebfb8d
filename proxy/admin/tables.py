"""Tables, and which of their rows a LIKE lets through."""

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from proxy.wire.resultset import Cell, Column

_WILDCARDS: Final = {"%": "*", "_": "?"}
_GLOB: Final = {"*": "[*]", "?": "[?]", "[": "[[]"}


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows. A LIKE is about column number `key`."""

    columns: tuple[Column, ...]
    rows: list[Sequence[Cell]]
    key: int = 0

    def like(self, pattern: str | None) -> "Table":
        """Only the rows that `pattern` fits; all of them without one."""
        if pattern is None:
            return self
        fits = _matcher(pattern)
        return Table(self.columns, [row for row in self.rows if fits(str(row[self.key]))], self.key)


def columns(names: str) -> tuple[Column, ...]:
    """Columns of these names, separated by spaces; a `#` behind one marks numbers."""
    return tuple(Column(name.rstrip("#"), name.endswith("#")) for name in names.split())


def _matcher(pattern: str) -> Callable[[str], object]:
    """LIKE as a glob, whose regular expression takes no longer with many wildcards."""
    glob = re.sub(
        r"\\(.)|(.)",
        lambda match: _GLOB.get(match[1], match[1]) if match[1] else _WILDCARDS.get(match[2]) or _glob(match[2]),
        pattern,
        flags=re.DOTALL,
    )
    return re.compile(fnmatch.translate(glob), re.IGNORECASE).match


def _glob(char: str) -> str:
    return _GLOB.get(char, char)
