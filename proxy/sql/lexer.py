"""Strings, comments and numbers as MySQL's lexer sees them, found with one regular expression.

Valid for the default meaning of quotes and backslashes. A session with ANSI_QUOTES, NO_BACKSLASH_ESCAPES or a character
set in which a backslash can be the second half of a character is kept away from here by the router.

Two things keep this fast, and linear in the length of whatever a client sends. Every alternative begins with a fixed
character, so that the engine looks for these instead of trying all alternatives at each position. And what is opened
but never closed is taken to the end of the text, in one possessive match.
"""

import re
from typing import Final

_STRINGS: Final = rb"""'(?:[^'\\]++|\\.|'')*+(?:'|\\?\Z)|"(?:[^"\\]++|\\.|"")*+(?:"|\\?\Z)"""
_IDENTIFIER_BODY: Final = rb"[^`]*+(?:``[^`]*+)*+(?:`|\Z)"
# `--` opens a comment only before white space or at the end of the text; `5--1` is arithmetic.
_COMMENTS: Final = rb"/\*.*?(?:\*/|\Z)|--(?=[\x00-\x20]|\Z)[^\n]*+|\#[^\n]*+"


def _number(digit: bytes) -> bytes:
    """A number that begins with `digit` and is not a part of a name."""
    before = rb"(?<![\w$.@\x80-\xff]" + digit + rb")"
    hexadecimal = rb"[xX][0-9a-fA-F]++|" if digit == b"0" else b""
    decimal = rb"\d*+(?:\.\d++)?(?:[eE][+-]?\d++)?"
    return digit + before + rb"(?:" + hexadecimal + decimal + rb")(?![\w$.\x80-\xff])"


_NUMBERS: Final = b"|".join(_number(b"%d" % digit) for digit in range(10))
# The lookbehind captures the opening backquote, which must stand outside of the groups to be the fixed beginning.
_LITERALS: Final = re.compile(_STRINGS + rb"|`(?<=(`))(" + _IDENTIFIER_BODY + rb")|" + _NUMBERS, re.DOTALL)
_TOKENS: Final = re.compile(_STRINGS + rb"|`" + _IDENTIFIER_BODY + rb"|" + _COMMENTS, re.DOTALL)
# Stands for a literal in a digest. No `?`, which a text can hold itself and then is another text than one with a value.
MARK: Final = b"\0"
_LISTS: Final = re.compile(rb"\0(?:\s*+,\s*+\0)++")
_ROWS: Final = re.compile(rb"\(\0\)(?:\s*+,\s*+\(\0\))++")
# As numbers: looking for those in a text is several times faster than looking for bytes of length one.
_HASH: Final = ord("#")
_BACKQUOTE: Final = ord("`")
_COMMA: Final = ord(",")
_EXECUTABLE: Final = (b"/*!", b"/*M!", b"/*m!")


class ExecutableComment(Exception):
    """The text holds a comment that servers run, or one that does not end."""


def strip_comments(text: bytes) -> bytes:
    """The text with each comment replaced by a space; optimizer hints go too. Raises ExecutableComment."""
    if text.find(b"/*") < 0 and text.find(b"--") < 0 and _HASH not in text:
        return text
    stripped = _TOKENS.sub(_keep_or_drop, text)
    if b"--" in stripped or b"/*" in stripped:
        _refuse_leftovers(stripped)
    return stripped


def _keep_or_drop(match: re.Match[bytes]) -> bytes:
    token = match[0]
    if token[0] not in b"/-#":
        return token
    if token.startswith(_EXECUTABLE) or (token.startswith(b"/*") and (len(token) < 4 or not token.endswith(b"*/"))):
        raise ExecutableComment
    return b" "


def _refuse_leftovers(stripped: bytes) -> None:
    # Outside of strings `--` is arithmetic now, but parsers take it for a comment.
    bare = _LITERALS.sub(b"", stripped)
    if b"--" in bare or b"/*" in bare:
        raise ExecutableComment


def digest(stripped: bytes) -> bytes:
    """A key that texts share when they differ in literals only, from a text without comments.

    Literals become MARK, lists of them one MARK. Backquoted identifiers are followed by one, which keeps the
    replacement a constant template: the key is compared, never shown.
    """
    # Without backquotes there is nothing to keep, and a replacement without groups is several times faster.
    key = _LITERALS.sub(b"\\1\\2\0" if _BACKQUOTE in stripped else MARK, stripped)
    if _COMMA in key and (b"\0," in key or b"\0 ," in key):
        key = _ROWS.sub(b"(\0)", _LISTS.sub(MARK, key))
    return key
