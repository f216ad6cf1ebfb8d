"""SET statements: which of them can be repeated on another connection, and which tie the session to the primary."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from proxy.sql.effects import Effect, Hold, Pin, SetNames, SetRole, SetTransaction, SetUserVariable, SetVariable, Unpin
from proxy.sql.mentions import Mentions, mentions
from proxy.sql.statement import Kind, Statement, primary
from proxy.sql.transactions import ISOLATION_VALUES, set_transaction
from proxy.sql.words import Words, unquoted_name, variable_name

# Set for one connection and not meant to be anywhere else, with the values that end that; a replica must not get them.
_CONNECTION_ONLY: Final[dict[str, tuple[str, ...]]] = {
    "sql_log_bin": ("1", "ON", "TRUE", "DEFAULT"),
    "sql_log_off": ("0", "OFF", "FALSE", "DEFAULT"),
    "timestamp": ("0", "DEFAULT"),
    "insert_id": (),
    "rand_seed1": (),
    "rand_seed2": (),
    "gtid_next": ("'AUTOMATIC'", "AUTOMATIC", "DEFAULT"),
    "gtid_domain_id": ("DEFAULT",),
    "gtid_seq_no": (),
    "server_id": ("DEFAULT",),
    "skip_replication": ("0", "OFF", "FALSE", "DEFAULT"),
    "binlog_format": ("DEFAULT",),
    "check_constraint_checks": ("1", "ON", "TRUE", "DEFAULT"),
    "sql_auto_is_null": ("0", "OFF", "FALSE", "DEFAULT"),
}
_INSERT_ID: Final = ("last_insert_id", "identity")
_ISOLATION: Final = ("transaction_isolation", "tx_isolation")
# The reason of MariaDB's SET STATEMENT ... FOR ...
SET_STATEMENT: Final = "set-statement"
_READ_ONLY: Final = ("transaction_read_only", "tx_read_only")
_TRUE: Final = ("1", "ON", "TRUE", "'ON'", "'1'")
_FALSE: Final = ("0", "OFF", "FALSE", "'OFF'", "'0'")
# A number or an expression does not tell by itself what quotes or backslashes mean from then on.
_MEANINGFUL: Final = ("sql_mode", "character_set_client")
_OF_THE_SERVER: Final = ("GLOBAL", "PERSIST", "PERSIST_ONLY")
_OF_THE_SESSION: Final = ("SESSION", "LOCAL")
_NUMBER: Final = re.compile(r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+|0[xX](?:[0-9a-fA-F]{2})+")
_STRING: Final = re.compile(r"""'[ !#-&(-\[\]-~]*'|"[ !#-&(-\[\]-~]*\"""")
_NAME: Final = re.compile(r"[A-Za-z0-9_$]+")
_CONSTANTS: Final = ("TRUE", "FALSE", "NULL")
_UNKNOWN: Final = Pin("set-unknown")

# The reasons of a SET as a whole, the weightiest first.
_REASONS: Final = (
    *("set-unknown", "set-global", "connection-variable", "set-expression", "next-transaction", "user-variable"),
)


@dataclass(frozen=True, slots=True)
class _Assignment:
    """One item of a SET: its reason when it stands alone, and its effects."""

    reason: str
    effects: tuple[Effect, ...] = ()


_SETTING: Final = "session-setting"
_LITERAL: Final = "user-literal"
_NOT_UNDERSTOOD: Final = _Assignment("set-unknown", (_UNKNOWN,))


def classify_set(words: Words, builtins: frozenset[str], classify: Callable[[str], Statement]) -> Statement:
    """The facts about a SET, behind that word; `classify` is for the statement inside of a SET STATEMENT."""
    whole = _whole(words, classify)
    if whole is not None:
        return whole
    found = Mentions()
    effects: list[Effect] = []
    reasons = set()
    scope = ""
    for item in _items(words):
        # The word for a scope holds for the names behind it, too, until the next one.
        scope = item.take_any(*_OF_THE_SERVER, *_OF_THE_SESSION) or scope
        assignment = _assignment(item, scope)
        _mention_value(item, builtins, found)
        effects += assignment.effects
        reasons.add(assignment.reason)
    effects += found.effects()
    if _SETTING in reasons and reasons <= {_SETTING, _LITERAL}:
        return Statement(Kind.SESSION, _SETTING, tuple(effects))
    reason = next((reason for reason in _REASONS if reason in reasons), "user-variable")
    writes = bool(found.unknown) or reason in ("set-unknown", "set-global")
    variables = None if found.unknown else found.told_variables()
    return primary(reason, *effects, writes=writes, variables=variables)


def _mention_value(item: Words, builtins: frozenset[str], found: Mentions) -> None:
    """Note what the right-hand side of an assignment mentions."""
    item.at = next((at + 1 for at, word in enumerate(item.texts) if word in ("=", ":=")), len(item.texts))
    mentions(item, builtins, found)


# --- what is no list of assignments -----------------------------------------------------------------------------------


def _whole(words: Words, classify: Callable[[str], Statement]) -> Statement | None:
    scope = words.peek() if words.peek() in (*_OF_THE_SERVER, *_OF_THE_SESSION) else ""
    if words.peek(1 if scope else 0) == "TRANSACTION":
        words.at += 2 if scope else 1
        return _set_transaction(words, scope)
    if words.take("ROLE"):
        return _set_role(words)
    if words.take("STATEMENT"):
        return _set_statement(words, classify)
    if words.take("RESOURCE", "GROUP"):
        return primary("set-unknown", Pin("resource-group"), writes=False)
    return primary("write") if words.take_any("PASSWORD", "DEFAULT") else None


def _set_transaction(words: Words, scope: str) -> Statement:
    if scope in _OF_THE_SERVER:
        return primary("set-global")
    effect = set_transaction(words, session=bool(scope))
    if effect is None:
        return primary("set-unknown", _UNKNOWN, writes=False)
    if effect.session:
        return Statement(Kind.SESSION, _SETTING, (effect,))
    return primary("next-transaction", effect, writes=False)


def _set_role(words: Words) -> Statement:
    roles = words.rest()
    if not roles or not all(word in "," or _is_account(word) for word in roles):
        return primary("set-unknown", _UNKNOWN, writes=False)
    return Statement(
        Kind.SESSION, _SETTING, (SetRole("".join(f" {word}" for word in roles).strip().replace(" @", "@")),)
    )


def _is_account(word: str) -> bool:
    part = word.removeprefix("@")
    return bool(_STRING.fullmatch(part)) or (part.isascii() and bool(unquoted_name(part)))


def _set_statement(words: Words, classify: Callable[[str], Statement]) -> Statement:
    """MariaDB's SET STATEMENT a = 1 FOR ...: nothing of the setting stays, but what the statement itself does may."""
    if "FOR" not in words.upper:
        return primary("set-unknown", _UNKNOWN)
    inner = classify(words.text_from(words.upper.index("FOR") + 1))
    return replace(inner, kind=Kind.PRIMARY, reason=SET_STATEMENT)


# --- assignments ------------------------------------------------------------------------------------------------------


def _items(words: Words) -> Iterator[Words]:
    """The items of the list, cut at commas outside of parentheses."""
    depth, begin = 0, words.at
    for at in range(words.at, len(words.texts)):
        word = words.texts[at]
        depth += (word == "(") - (word == ")")
        if word == "," and depth == 0:
            yield words.part(begin, at)
            begin = at + 1
    yield words.part(begin, len(words.texts))


def _assignment(words: Words, scope: str) -> _Assignment:
    """One item, behind the word for a scope; `scope` is that word or the last one before it."""
    if words.take("NAMES"):
        return _names(words)
    if words.take("CHARACTER", "SET") or words.take("CHAR", "SET") or words.take("CHARSET"):
        return _character_set(words)
    if words.take("@@"):
        scope = words.take_any(*_OF_THE_SERVER, *_OF_THE_SESSION) if words.peek(1) == "." else "@@"
        words.take(".")
    target = words.texts[words.at] if not words.over else ""
    words.at += 1
    if not words.take_any("=", ":=") or words.over:
        return _NOT_UNDERSTOOD
    if target.startswith("@"):
        return _user_variable(variable_name(target), words)
    name = unquoted_name(target).lower()
    if scope in _OF_THE_SERVER:
        return _Assignment("set-global")
    return _system_variable(name, scope, words) if name.isascii() and name else _NOT_UNDERSTOOD


def _names(words: Words) -> _Assignment:
    charset = _charset(words)
    collation = _charset(words) if words.take("COLLATE") else ""
    return _Assignment(_SETTING, (SetNames(charset, collation),)) if charset and words.over else _NOT_UNDERSTOOD


def _character_set(words: Words) -> _Assignment:
    charset = _charset(words)
    found = charset and words.over
    return _Assignment(_SETTING, (SetNames(charset, connection=False),)) if found else _NOT_UNDERSTOOD


def _charset(words: Words) -> str:
    """Step over the name of a character set or collation, plain or as a string; DEFAULT is one too."""
    word = words.texts[words.at] if not words.over else ""
    words.at += 1
    name = word[1:-1] if word[:1] in ("'", '"', "`") else word
    return name.lower() if _NAME.fullmatch(name) else ""


def _user_variable(name: str, words: Words) -> _Assignment:
    value = literal(words, constants=_CONSTANTS)
    if not name or not value or not name.isascii():
        return _Assignment("user-variable", (SetUserVariable(name),))
    return _Assignment(_LITERAL, (SetUserVariable(name, value),))


def _system_variable(name: str, scope: str, words: Words) -> _Assignment:
    value = literal(words)
    if name in _CONNECTION_ONLY or name.startswith("pseudo_"):
        reason = f"connection-variable:{name}"
        back = bool(value) and value.upper() in _CONNECTION_ONLY.get(name, ("DEFAULT",))
        return _Assignment("connection-variable", (Unpin(reason) if back else Pin(reason),))
    if name in _INSERT_ID:
        return _Assignment("connection-variable", (Hold("insert-id"),))
    if name in _ISOLATION or name in _READ_ONLY:
        return _characteristic(name, scope, value)
    if name in _MEANINGFUL and value[:1].isdigit():
        value = ""
    return _Assignment(_SETTING if value else "set-expression", (SetVariable(name, value),))


def _characteristic(name: str, scope: str, value: str) -> _Assignment:
    # `SET @@transaction_isolation = ...` is for the next transaction only, `SET transaction_isolation = ...` is not.
    session = scope != "@@"
    effect: SetTransaction | None = None
    word = value.strip("'").upper()
    if name in _ISOLATION and word in ISOLATION_VALUES:
        effect = SetTransaction(session, isolation=ISOLATION_VALUES[word])
    elif name in _READ_ONLY and value.upper() in (*_TRUE, *_FALSE):
        effect = SetTransaction(session, read_only=value.upper() in _TRUE)
    if effect is None:
        return _Assignment("set-expression", (SetVariable(name, ""),))
    return _Assignment(_SETTING if session else "next-transaction", (effect,))


def literal(words: Words, constants: tuple[str, ...] = ()) -> str:
    """The rest of `words` as SQL of plain ASCII that means the same in every session; empty when it is no such literal.

    `constants` are the words that may stand for a value; without them any plain word may.
    """
    sign = words.take_any("-", "+")
    if len(words.texts) - words.at != 1:
        return ""
    word = words.texts[words.at]
    if _NUMBER.fullmatch(word):
        return sign + word
    if sign:
        return ""
    if _STRING.fullmatch(word):
        return f"'{word[1:-1]}'"
    plain = unquoted_name(word)
    return plain if _NAME.fullmatch(plain) and (not constants or plain.upper() in constants) else ""
