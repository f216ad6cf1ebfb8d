"""A statement's digest as people know it from MySQL's performance_schema: free of literals, keywords in capitals."""

import hashlib
import re
from typing import Final

from proxy.sql.keywords import FUNCTIONS, KEYWORDS, SYNONYMS
from proxy.sql.words import Words

_WORD: Final = re.compile(r"[^\W\d][\w$]*|\d[\w$]*[^\W\d][\w$]*")
_LITERAL: Final = re.compile(r"\d*\.?\d+(?:[eE][+-]?\d+)?|\?")
_MARK: Final = "\0"
_INTRODUCERS: Final = frozenset({"N", "X", "B"})
_SIGNS: Final = frozenset("+-")
# Behind these a sign belongs to the literal that follows.
_BEFORE_SIGN: Final = frozenset({"(", ",", "=", "<", ">", ":="})
# As MySQL, which looks at 1,024 bytes unless told otherwise: what is longer is known by its beginning.
_LONGEST: Final = 4096
# Behind these NULL is a value.
_BEFORE_NULL: Final = frozenset("( , = <> <=> < > THEN ELSE WHEN SELECT DEFAULT AND OR BETWEEN".split())
_OPERATORS: Final = frozenset({"->", "->>", "<<", ">>", "<=", ">=", "<>", "!=", "<=>", "||", "&&"})
_LIST: Final = re.compile(r"\? (?:(?:, )?\? )+")
_MORE_ROWS: Final = re.compile(r"(\((?:\?|\.\.\.)\)) (?:, \1 )+")
_WRITTEN: Final = (("( ?, ... )", "(...)"), ("( ? )", "(?)"), (" IN (?) ", " IN (...) "), ("@@ ", "@@"))
_SEVERAL: Final = "( \0 \0 \0 )"


def digest_text(key: bytes) -> str:
    """The digest that `proxy.sql.lexer.digest` has made a key of: one space between words, literals as `?`."""
    words = Words(key[:_LONGEST].decode("utf-8", "replace").rstrip("; \t\n\v\f\r"))
    _join_operators(words)
    shown = [piece for at in range(len(words.texts)) if (piece := _shown(words, at))]
    text = " ".join(shown) + " "
    text = _LIST.sub("?, ... ", text.replace(_SEVERAL, "(...) /* , ... */"))
    for ours, theirs in _WRITTEN:
        text = text.replace(ours, theirs)
    return _MORE_ROWS.sub(r"\1 /* , ... */ ", text).rstrip()


def digest_id(text: str) -> str:
    """16 hexadecimal digits that stand for a digest's text."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _shown(words: Words, at: int) -> str:
    word, upper = words.texts[at], words.upper[at]
    behind = words.upper[at + 1] if at + 1 < len(words.texts) else ""
    before = words.upper[at - 1] if at else ""
    if word == _MARK:
        return _MARK if _in_rows(words, at) else "?"
    if word[0] == "@" and word != "@@":
        return "@?"
    if _LITERAL.fullmatch(word):
        return "?"
    if (upper in _INTRODUCERS and behind == _MARK and words.glued(at + 1)) or _is_sign(upper, before, behind):
        return ""
    if upper == "NULL" and before in _BEFORE_NULL:
        return "?"
    if upper[0] == "_" and behind == _MARK:
        return "(_charset)"
    if not _WORD.fullmatch(word):
        return word
    if before == "." and upper != "*":
        return f"`{word}`"
    if upper in FUNCTIONS:
        called = behind == "(" and words.glued(at + 1)
        return SYNONYMS.get(upper, upper) if called else f"`{word}`"
    if upper == "DESC":
        return upper if at else "EXPLAIN"
    return SYNONYMS.get(upper, upper) if upper in KEYWORDS else f"`{word}`"


def _join_operators(words: Words) -> None:
    """Make one word of the characters of each operator."""
    at = 1
    while at < len(words.texts):
        joined = words.texts[at - 1] + words.texts[at]
        if joined in _OPERATORS and words.glued(at):
            words.join(at)
        else:
            at += 1


def _is_sign(word: str, before: str, behind: str) -> bool:
    return word in _SIGNS and before in _BEFORE_SIGN and (behind == _MARK or behind.isdigit())


def _in_rows(words: Words, at: int) -> bool:
    """Whether the mark is one of the three that stand for several rows."""
    texts = words.texts
    first = at
    while first and texts[first - 1] == _MARK:
        first -= 1
    return texts[first : first + 4] == [_MARK, _MARK, _MARK, ")"] and first > 0 and texts[first - 1] == "("
