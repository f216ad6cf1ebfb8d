"""What is mentioned anywhere in a statement: functions that may do more than compute, and user variables."""

from dataclasses import dataclass, field
from typing import Final

from proxy.sql.builtins import DIAGNOSTICS, PRIMARY_ONLY, SPACE_SENSITIVE, SYNTAX_WORDS
from proxy.sql.effects import UNTOLD, Effect, Hold, Pin, SetUserVariable, Unpin
from proxy.sql.statement import Variables
from proxy.sql.words import Words, variable_name

NAMED_LOCK: Final = "named-lock"


@dataclass(slots=True)
class Mentions:
    """`unknown` is the first function that is not known to be harmless; `assigned` may hold UNTOLD.

    `tells_thread` says that the id of the server connection is asked for, which has to stay what it is from then on.
    """

    unknown: str = ""
    locks: bool = False
    keeps: bool = False
    tells_thread: bool = False
    variables: set[str] = field(default_factory=set)
    assigned: set[str] = field(default_factory=set)

    def told_variables(self) -> Variables:
        """The user variables by name; None when one of them is not told."""
        return None if UNTOLD in self.variables else frozenset(self.variables)

    def effects(self) -> tuple[Effect, ...]:
        """What that may leave behind in the session."""
        found: list[Effect] = [SetUserVariable(name) for name in sorted(self.assigned)]
        if self.locks:
            found.append(Pin(NAMED_LOCK, UNTOLD))
        if self.unknown:
            found.append(Hold("unknown-function"))
        elif self.keeps:
            found.append(Hold("function"))
        if self.tells_thread:
            found.append(Hold("connection-id"))
        return tuple(found)


def mentions(words: Words, builtins: frozenset[str], found: Mentions | None = None) -> Mentions:
    """Look at the words from the current place to the end; `found` is added to."""
    found = found or Mentions()
    for at in range(words.at, len(words.texts)):
        word = words.texts[at]
        if word == "(" and at:
            _note_call(words, at, builtins, found)
        elif word[0] == "@" and word != "@@":
            _note_variable(words, at, found)
    return found


def _note_variable(words: Words, at: int, found: Mentions) -> None:
    name = variable_name(words.texts[at])
    found.variables.add(name)
    if words.upper[at + 1 : at + 2] == [":="]:
        found.assigned.add(name)


def _note_call(words: Words, at: int, builtins: frozenset[str], found: Mentions) -> None:
    """Judge what stands before the parenthesis that is word number `at`."""
    name = words.upper[at - 1]
    if not (name[0].isalnum() or name[0] in "_$`" or ord(name[0]) > 0x7F) or name in SYNTAX_WORDS:
        return
    qualified = at > 1 and words.upper[at - 2] == "."
    elsewhere = name in SPACE_SENSITIVE and not words.glued(at)
    if name in PRIMARY_ONLY and not qualified:
        found.locks = found.locks or name == "GET_LOCK"
        found.tells_thread = found.tells_thread or name == "CONNECTION_ID"
        found.keeps = found.keeps or (name == "LAST_INSERT_ID" and words.upper[at + 1 : at + 2] != [")"])
    elif qualified or elsewhere or (name not in builtins and name not in DIAGNOSTICS):
        found.unknown = found.unknown or words.texts[at - 1].strip("`")


def into_variables(words: Words) -> set[str]:
    """The user variables that follow an INTO."""
    found = set()
    listed = False
    for word in words.texts:
        if listed and word.startswith("@"):
            found.add(variable_name(word))
        elif not (listed and word == ","):
            listed = word.upper() == "INTO"
    return found


def plain_lock_calls(words: Words) -> tuple[Effect, ...] | None:
    """What a list of nothing but lock functions with literal names does, each of them once; else None.

    Only then is it known how often and with which name they are called: `RELEASE_LOCK('a')` in a condition may not be.
    """
    found: list[Effect] = []
    while (effect := _lock_call(words)) is not None:
        found.append(effect)
        if words.take("AS"):
            words.at += 1
        if words.over:
            return tuple(found)
        if not words.take(","):
            return None
    return None


def _lock_call(words: Words) -> Effect | None:
    function = words.take_any("GET_LOCK", "RELEASE_LOCK", "RELEASE_ALL_LOCKS")
    if not function or not words.take("("):
        return None
    if function == "RELEASE_ALL_LOCKS":
        return Unpin(NAMED_LOCK, "*") if words.take(")") else None
    name = _literal_name(words)
    if name is None or (function == "GET_LOCK" and not _timeout(words)) or not words.take(")"):
        return None
    return Pin(NAMED_LOCK, name) if function == "GET_LOCK" else Unpin(NAMED_LOCK, name)


def _literal_name(words: Words) -> str | None:
    """The lock's name, which servers compare without regard to case."""
    word = words.texts[words.at] if not words.over else ""
    if len(word) < 3 or word[0] not in "'\"" or word[-1] != word[0] or "\\" in word or word[0] in word[1:-1]:
        return None
    words.at += 1
    return word[1:-1].lower() if word.isascii() else None


def _timeout(words: Words) -> bool:
    if not words.take(","):
        return False
    words.take("-")
    number = words.peek()
    words.at += 1
    return number.replace(".", "", 1).isdigit()
