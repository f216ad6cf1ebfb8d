"""Strings, comments and numbers as the servers' lexer sees them, found with regular expressions.

What a quote and a backslash mean depends on the sql_mode: a `Quoting` is one such meaning. Texts of other meanings than
the default one are rewritten to it (`proxy.sql.meaning`), so that all others here need to know the default only.

Two things keep this fast, and linear in the length of whatever a client sends. Every alternative begins with a fixed
character, so that the engine looks for these instead of trying all alternatives at each position. And what is opened
but never closed is taken to the end of the text, in one possessive match.
"""

import re
from typing import Final

_ESCAPED: Final = {
    (b"'", True): rb"'(?:[^'\\]++|\\.|'')*+(?:'|\\?\Z)",
    (b"'", False): rb"'(?:[^']++|'')*+(?:'|\Z)",
    (b'"', True): rb'"(?:[^"\\]++|\\.|"")*+(?:"|\\?\Z)',
    (b'"', False): rb'"(?:[^"]++|"")*+(?:"|\Z)',
}
_IDENTIFIER_BODY: Final = rb"[^`]*+(?:``[^`]*+)*+(?:`|\Z)"
# `--` opens a comment only before white space, a control character, or the end of the text; `5--1` is arithmetic.
_LINE_COMMENTS: Final = rb"--(?=[\x00-\x20\x7f]|\Z)[^\n]*+|\#[^\n]*+"


class Quoting:
    """What quotes and backslashes mean.

    `tokens` matches strings, quoted identifiers and comments; `marks` matches of comments of the form /* */ only where
    they begin or end.
    """

    __slots__ = ("ansi", "backslash", "marks", "tokens")

    def __init__(self, ansi: bool, backslash: bool) -> None:
        self.ansi = ansi
        self.backslash = backslash
        double = _ESCAPED[b'"', backslash and not ansi]
        quoted = _ESCAPED[b"'", backslash] + b"|" + double + rb"|`" + _IDENTIFIER_BODY + rb"|" + _LINE_COMMENTS
        self.tokens: re.Pattern[bytes] = re.compile(quoted + rb"|/\*.*?(?:\*/|\Z)", re.DOTALL)
        self.marks: re.Pattern[bytes] = re.compile(quoted + rb"|/\*|\*/", re.DOTALL)


DEFAULT_QUOTING: Final = Quoting(ansi=False, backslash=True)


def _number(digit: bytes) -> bytes:
    """A number that begins with `digit` and is not a part of a name."""
    before = rb"(?<![\w$.@\x80-\xff]" + digit + rb")"
    hexadecimal = rb"[xX][0-9a-fA-F]++|" if digit == b"0" else b""
    decimal = rb"\d*+(?:\.\d++)?(?:[eE][+-]?\d++)?"
    return digit + before + rb"(?:" + hexadecimal + decimal + rb")(?![\w$.\x80-\xff])"


_STRINGS: Final = _ESCAPED[b"'", True] + b"|" + _ESCAPED[b'"', True]
_NUMBERS: Final = b"|".join(_number(b"%d" % digit) for digit in range(10))
_PLAIN_LITERALS: Final = re.compile(_STRINGS + b"|" + _NUMBERS, re.DOTALL)
# The lookbehind captures the opening backquote, which must stand outside of the groups to be the fixed beginning.
_LITERALS: Final = re.compile(_STRINGS + rb"|`(?<=(`))(" + _IDENTIFIER_BODY + rb")|" + _NUMBERS, re.DOTALL)
# Stands for a literal in a digest. No `?`, which a text can hold itself and then is another text than one with a value.
MARK: Final = b"\0"
# A list of literals, and rows of them: told apart because performance_schema does.
LIST: Final = b"\0\0"
ROWS: Final = b"(\0\0\0)"
# Quoted identifiers in pairs of backquotes, without a mark between them.
_WHOLE_IDENTIFIERS: Final = re.compile(rb"(?:[^`]*+`[^`\0]*+`)*+[^`]*+")
_LISTS: Final = re.compile(rb"\0(?:\s*+,\s*+\0)++")
_ROWS: Final = re.compile(rb"\(\0{1,2}\)(?:\s*+,\s*+\(\0{1,2}\))++")
# As numbers: looking for those in a text is several times faster than looking for bytes of length one.
_BACKQUOTE: Final = ord("`")
_COMMA: Final = ord(",")
_SEMICOLON: Final = ord(";")
_STATEMENTS: Final = re.compile(_STRINGS + rb"|`" + _IDENTIFIER_BODY + rb"|;", re.DOTALL)
_LEADING: Final = re.compile(
    rb"(?:[\s;(]++|/\*(?!M?!)(?:[^*]++|\*(?!/))*+\*/|--[\x00-\x20\x7f][^\n]*+\n|\#[^\n]*+\n)*+"
)


def digest(stripped: bytes) -> bytes:
    """A key that texts share when they differ in literals only, from a text without comments.

    Literals become MARK, lists of them LIST, and lists of rows ROWS. The key is compared; `proxy.sql.digest` shows it.
    """
    key = _PLAIN_LITERALS.sub(MARK, stripped)
    if _BACKQUOTE in stripped and _WHOLE_IDENTIFIERS.fullmatch(key) is None:
        # A name holds what looks like a literal. Names are followed by a mark then, which keeps the replacement a
        # constant template.
        key = _LITERALS.sub(b"\\1\\2\0", stripped)
    if _COMMA in key and (b"\0," in key or b"\0 ," in key):
        key = _ROWS.sub(ROWS, _LISTS.sub(LIST, key))
    return key


def split_statements(stripped: bytes) -> list[bytes]:
    """The statements of a text, cut at its semicolons; those that are empty are left out."""
    parts = []
    begin = 0
    for match in _STATEMENTS.finditer(stripped):
        if match[0][0] == _SEMICOLON:
            parts.append(stripped[begin : match.start()])
            begin = match.end()
    parts.append(stripped[begin:])
    return [part for part in parts if part.strip()]


def without_leading_comments(text: bytes) -> bytes:
    """The text from its first word on."""
    match = _LEADING.match(text)
    return text[match.end() :] if match else text
