"""On which line of a TOML file each key is: the standard library's parser does not tell. Pure."""

import tomllib
from collections.abc import Iterator
from typing import Any, TypeAlias

# The keys from the top down; in an array of tables the number of the table stands between two of them.
KeyPath: TypeAlias = tuple[str | int, ...]


def lines_of(text: str) -> dict[KeyPath, int]:
    """The lines (from 1) of the keys and tables of `text`, which is valid TOML."""
    found: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for line, statement in _statements(text):
        content = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _opened(content, found)
            found.setdefault(table, line)
        else:
            found.update((table + path, line) for path in _paths(content))
    return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each header or `key = value`, which may go over several lines: as many as it takes to be valid by itself."""
    begun, lines = 0, text.replace("\r\n", "\n").split("\n")
    for end in range(1, len(lines) + 1):
        statement = "\n".join(lines[begun:end])
        if not _is_toml(statement):
            continue
        if tomllib.loads(statement):
            yield begun + 1, statement
        begun = end


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _opened(header: dict[str, Any], found: dict[KeyPath, int]) -> KeyPath:
    """The table that a header opens: `[[rules]]` the next one of that name, `[a]` the one."""
    path: KeyPath = ()
    content: Any = header
    while content:
        if isinstance(content, list):
            path += (sum(len(known) == len(path) + 1 and known[:-1] == path for known in found),)
            content = content[0]
        else:
            ((key, content),) = content.items()
            path += (key,)
    return path


def _paths(content: dict[str, Any]) -> Iterator[KeyPath]:
    for key, value in content.items():
        yield (key,)
        if isinstance(value, dict):
            yield from ((key, *path) for path in _paths(value))
