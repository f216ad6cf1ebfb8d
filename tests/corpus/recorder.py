"""Recordings of what programs send: reading them, and making them from PyMySQL.

A recording is a file of lines: `b`, `y` or `a` for a statement that is sent to both vendors, to MySQL or to MariaDB;
`T` or `-` for inside or outside of a transaction; and the text as a JSON string. README.md says how they were made.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from topology.servers import Vendor

_QUERY: Final = 3
_IN_TRANSACTION: Final = 1
_AUTOCOMMIT: Final = 2
_VENDORS: Final = {"b": tuple(Vendor), "y": (Vendor.MYSQL,), "a": (Vendor.MARIADB,)}


class Recorded(NamedTuple):
    """One statement, and whether it was sent inside of a transaction."""

    text: str
    inside: bool


class Recorder:
    """Patches PyMySQL's connection class; `statements` are the distinct ones, in the order of the first."""

    def __init__(self, connection_class: Any) -> None:
        self.statements: dict[Recorded, None] = {}
        send: Callable[[Any, int, Any], None] = connection_class._execute_command

        def record(connection: Any, command: int, sql: Any) -> None:
            if command == _QUERY:
                self._note(connection, sql)
            send(connection, command, sql)

        connection_class._execute_command = record

    def _note(self, connection: Any, sql: Any) -> None:
        text = sql.decode("utf-8", "surrogateescape") if isinstance(sql, bytes) else str(sql)
        status = getattr(connection, "server_status", _AUTOCOMMIT)
        self.statements[Recorded(text, status & (_IN_TRANSACTION | _AUTOCOMMIT) != _AUTOCOMMIT)] = None

    def save(self, file: Path, vendors: str = "b") -> None:
        """Write what was recorded."""
        lines = (f"{vendors} {'T' if inside else '-'} {json.dumps(text)}" for text, inside in self.statements)
        file.write_text("\n".join(lines) + "\n", encoding="ascii")


def load(file: Path, vendor: Vendor) -> list[Recorded]:
    """What is sent to servers of this vendor."""
    lines = file.read_text(encoding="ascii").splitlines()
    return [Recorded(json.loads(line[4:]), line[2] == "T") for line in lines if vendor in _VENDORS[line[0]]]
