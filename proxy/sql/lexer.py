"""Strings, comments and numbers as MySQL's lexer sees them, found with one regular expression.

Valid for the default meaning of quotes and backslashes. A session with ANSI_QUOTES, NO_BACKSLASH_ESCAPES or a character
set in which a backslash can be the second half of a character is kept away from here by the router.
"""

import re
from typing import Final

_STRINGS: Final = rb"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*\""""
_IDENTIFIER: Final = rb"`(?:[^`]|``)*`"
_NUMBER: Final = rb"(?<![\w$.@\x80-\xff])(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w$.\x80-\xff])"
# `--` opens a comment only before white space or at the end of the text; `5--1` is arithmetic.
_COMMENT: Final = rb"/\*.*?\*/|--(?=[\s\x00-\x20]|\Z)[^\n]*|\#[^\n]*"

_LITERALS: Final = re.compile(rb"(" + _IDENTIFIER + rb")|" + _STRINGS + rb"|" + _NUMBER, re.DOTALL)
_TOKENS: Final = re.compile(
    rb"(?P<comment>" + _COMMENT + rb")|(?P<kept>" + _IDENTIFIER + rb"|" + _STRINGS + rb")", re.DOTALL
)
_LISTS: Final = re.compile(rb"\?(?:\s*,\s*\?)+")
_ROWS: Final = re.compile(rb"\(\?\)(?:\s*,\s*\(\?\))+")
_EXECUTABLE: Final = (b"/*!", b"/*M!", b"/*m!")


class ExecutableComment(Exception):
    """The text holds a comment that servers run, or one that does not end."""


def strip_comments(text: bytes) -> bytes:
    """The text with each comment replaced by a space; optimizer hints go too. Raises ExecutableComment."""
    if b"/*" not in text and b"--" not in text and b"#" not in text:
        return text
    stripped = _TOKENS.sub(_keep_or_drop, text)
    if b"--" in stripped or b"/*" in stripped:
        _refuse_leftovers(stripped)
    return stripped


def _keep_or_drop(match: re.Match[bytes]) -> bytes:
    comment = match["comment"]
    if comment is None:
        return match["kept"]
    if comment.startswith(_EXECUTABLE):
        raise ExecutableComment
    return b" "


def _refuse_leftovers(stripped: bytes) -> None:
    # What looks like a comment outside of strings now is one that never ends, or arithmetic that parsers take for one.
    bare = _LITERALS.sub(b"", stripped)
    if b"--" in bare or b"/*" in bare:
        raise ExecutableComment


def digest(stripped: bytes) -> bytes:
    """A key that texts share when they differ in literals only, from a text without comments.

    Literals become `?`, lists of them one `?`. Backquoted identifiers are followed by a `?`, which keeps the
    replacement a constant template: the key is compared, never shown.
    """
    key = _LITERALS.sub(rb"\1?", stripped)
    if b"?," in key or b"? ," in key:
        key = _ROWS.sub(b"(?)", _LISTS.sub(b"?", key))
    return key
