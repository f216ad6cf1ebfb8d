"""PREPARE, EXECUTE and DEALLOCATE as text: a statement is what the text that was prepared is."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from proxy.sql.effects import Deallocate, Execute, Pin, Prepare
from proxy.sql.statement import Statement, Variables, primary
from proxy.sql.words import Words, variable_name

# The reason of an EXECUTE's Statement, as long as it is not known what it executes.
EXECUTE: Final = "execute"
TEXT_PREPARE: Final = "text-prepare"
_PREPARABLE: Final = "'\""
# What MySQL takes a text from: a string, or a user variable. Its words begin so.
_SOURCES: Final = frozenset("'\"@")


def prepare(words: Words, classify: Callable[[str], Statement], *, mariadb: bool) -> Statement:
    """PREPARE name FROM ..., behind PREPARE; `classify` is for the text that is prepared."""
    name = words.name().lower()
    if not name or not words.take("FROM"):
        return primary("prepare", Pin(TEXT_PREPARE))
    if not mariadb and words.peek()[:1] not in _SOURCES:
        # An expression, of which MySQL knows nothing: what has the name keeps it, unlike behind an error in the text.
        return primary("prepare", writes=False)
    textless = not any(word[:1] in _SOURCES for word in words.rest())
    text = string_value(words)
    if text is None or not words.over:
        return primary("prepare", Prepare(name, None, textless), writes=False, variables=_variables(words))
    return primary("prepare", Prepare(name, classify(text)), writes=False)


def execute(words: Words, classify: Callable[[str], Statement]) -> Statement:
    """EXECUTE name [USING @a, ...], or MariaDB's EXECUTE IMMEDIATE 'text', behind EXECUTE."""
    if words.take("IMMEDIATE"):
        return _execute_immediate(words, classify)
    name = words.name().lower()
    if not name:
        return primary(EXECUTE, Pin(TEXT_PREPARE))
    # What it does is known by the session, which keeps what was prepared under the name.
    return primary(EXECUTE, Execute(name), variables=_variables(words))


def _execute_immediate(words: Words, classify: Callable[[str], Statement]) -> Statement:
    text = string_value(words)
    if text is None or words.peek() not in ("", "USING"):
        return primary(EXECUTE, Pin(TEXT_PREPARE), variables=None)
    return with_parameters(classify(text), _variables(words))


def with_parameters(statement: Statement, parameters: Variables) -> Statement:
    """A prepared statement's facts when it is executed with the values of these variables."""
    if parameters is None or statement.variables is None:
        return replace(statement, variables=None)
    return replace(statement, variables=statement.variables | parameters)


def deallocate(words: Words) -> Statement:
    """DEALLOCATE PREPARE name and DROP PREPARE name, behind PREPARE."""
    name = words.name().lower()
    return primary("deallocate", Deallocate(name) if name else Pin(TEXT_PREPARE), writes=False)


def _variables(words: Words) -> Variables:
    names = frozenset(variable_name(word) for word in words.rest() if word.startswith("@"))
    return None if "" in names else names


def string_value(words: Words) -> str | None:
    """Step over one string literal and return what it stands for; None for anything else, or for an odd escape."""
    word = words.texts[words.at] if not words.over else ""
    if len(word) < 2 or word[0] not in _PREPARABLE or word[-1] != word[0]:
        return None
    words.at += 1
    return _unescaped(word[1:-1], word[0])


def _unescaped(body: str, quote: str) -> str | None:
    pieces = []
    at = 0
    while at < len(body):
        char = body[at]
        at += 1
        if char == quote:
            at += 1  # doubled
        elif char == "\\":
            char = _ESCAPES.get(body[at : at + 1], "")
            at += 1
            if not char:
                return None
        pieces.append(char)
    return "".join(pieces)


# Others stand for the character itself on servers, but nobody needs them.
_ESCAPES: Final = {"'": "'", '"': '"', "\\": "\\", "n": "\n", "t": "\t", "r": "\r", "`": "`"}
