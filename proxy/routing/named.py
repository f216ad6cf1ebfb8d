"""What a session has prepared as text, so that it can be prepared again on another connection."""

from dataclasses import dataclass
from typing import Final

from proxy.sql.statement import Statement

# Of a session that prepares more under different names, the first ones run on the primary only.
MAX_NAMED: Final = 256


@dataclass(frozen=True, slots=True)
class NamedStatement:
    """`text` is the PREPARE that made it, `meaning` that of the session at that moment."""

    statement: Statement
    text: bytes
    meaning: tuple[str, int]
    version: int


class NamedStatements:
    """By name, in lower case."""

    __slots__ = ("_dropped", "_named", "_version")

    def __init__(self) -> None:
        self._named: dict[str, NamedStatement] = {}
        self._version = 0
        self._dropped = False

    def __len__(self) -> int:
        return len(self._named)

    def add(self, name: str, statement: Statement, text: bytes, meaning: tuple[str, int]) -> int:
        """A PREPARE succeeded; the version that the connection has of it now."""
        self._version += 1
        self._named.pop(name, None)
        if len(self._named) >= MAX_NAMED:
            del self._named[next(iter(self._named))]
            self._dropped = True
        self._named[name] = NamedStatement(statement, text, meaning, self._version)
        return self._version

    def all_mean(self, meaning: tuple[str, int]) -> bool:
        """Whether all of them can be prepared again as they are in a session of that meaning."""
        return not self._dropped and all(named.meaning == meaning for named in self._named.values())

    def names(self) -> list[str]:
        """Of all of them."""
        return list(self._named)

    def find(self, name: str) -> NamedStatement | None:
        """What is prepared under a name."""
        return self._named.get(name)

    def forget(self, name: str) -> None:
        """DEALLOCATE, or a PREPARE under the same name that failed."""
        self._named.pop(name, None)

    def clear(self) -> None:
        """Forget all of them."""
        self._named.clear()
        self._dropped = False
