"""A statement's digest as people read it: like performance_schema's, but of our own making, and free of literals."""

import hashlib
import re
from typing import Final

from proxy.sql.lexer import digest
from proxy.sql.words import Words

_LITERAL: Final = re.compile(r"""['"].*|\d.*|\.\d.*|\0|\?""", re.DOTALL)
_LIST: Final = re.compile(r"\? (?:(?:, )?\? )+")


def digest_text(stripped: bytes) -> str:
    """The words of a text without comments, or of its key, one space between: literals as `?`, lists as `...`."""
    words = Words(digest(stripped).decode("utf-8", "replace")).texts
    text = " ".join("?" if _LITERAL.fullmatch(word) else _shown(word) for word in words) + " "
    return _LIST.sub("... ", text).rstrip(" ;")


def digest_id(text: str) -> str:
    """16 hexadecimal digits that stand for a digest's text."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _shown(word: str) -> str:
    # A user variable whose name is a string.
    return "@?" if word == "@\0" else word
