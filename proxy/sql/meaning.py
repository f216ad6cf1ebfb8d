"""What a text means in one session, and the same text as a session with the default meaning would write it.

The sql_mode decides what quotes and backslashes are, and the character set of the client which bytes make a character:
in some, the second byte of one can look like a backslash or a quote. A text is rewritten, so that all that follows
(digests, the parser) needs to know one meaning only. What the server gets is always the text itself.
"""

import functools
import re
from dataclasses import dataclass
from typing import Final

from proxy.sql.builtins import SPACE_SENSITIVE
from proxy.sql.comments import Unreadable
from proxy.sql.lexer import DEFAULT_QUOTING, Quoting

# MariaDB has another grammar, or brackets for quotes, in these.
_FOREIGN_MODES: Final = frozenset({"ORACLE", "MSSQL", "DB2", "POSTGRESQL", "MAXDB"})
_COMBINED_MODES: Final = _FOREIGN_MODES | {"ANSI"}
_QUOTINGS: Final = {
    (ansi, backslash): Quoting(ansi, backslash) for ansi in (False, True) for backslash in (False, True)
} | {(False, True): DEFAULT_QUOTING}
# In strings and quoted names nothing is changed.
_SPACED_CALLS: Final = re.compile(
    rb"""'(?:[^'\\]++|\\.|'')*+'?|"(?:[^"\\]++|\\.|"")*+"?|`[^`]*+`?"""
    + rb"|\b(?P<call>"
    + "|".join(sorted(SPACE_SENSITIVE)).encode()
    + rb")[ \t\n\v\f\r]++\(",
    re.IGNORECASE | re.DOTALL,
)

# What servers call a character set, and Python. In a text of ASCII all are equal.
_UTF8: Final = ("utf8", "utf8mb3", "utf8mb4", "ascii", "binary")
_SINGLE_BYTE: Final = {
    **{"latin1": "cp1252", "latin2": "iso8859-2", "latin5": "iso8859-9", "latin7": "iso8859-13", "greek": "iso8859-7"},
    **{"hebrew": "iso8859-8", "cp1250": "cp1250", "cp1251": "cp1251", "cp1256": "cp1256", "cp1257": "cp1257"},
    **{"koi8r": "koi8-r", "koi8u": "koi8-u", "cp850": "cp850", "cp852": "cp852", "cp866": "cp866"},
}
_MULTI_BYTE: Final = {
    **{"gbk": "gbk", "gb2312": "gb2312", "big5": "big5", "sjis": "shift_jis", "cp932": "cp932"},
    **{"ujis": "euc_jp", "eucjpms": "euc_jp", "euckr": "euc_kr", "gb18030": "gb18030"},
}
# Of a character set that is not among these only texts of ASCII are followed.
_UNKNOWN: Final = "?"


@dataclass(frozen=True, slots=True)
class Meaning:
    """How a session's texts are read. `foreign` is a sql_mode whose grammar is not followed at all."""

    ansi_quotes: bool = False
    backslash_escapes: bool = True
    ignore_space: bool = False
    foreign: bool = False
    codec: str = ""

    @property
    def quoting(self) -> Quoting:
        """What quotes and backslashes mean."""
        return _QUOTINGS[self.ansi_quotes, self.backslash_escapes]

    @property
    def python_codec(self) -> str:
        """Python's name for the character set, `ascii` for one that is not known."""
        return "ascii" if self.codec == _UNKNOWN else self.codec or "utf-8"

    def canonical(self, text: bytes) -> bytes:
        """A text without comments, in the default meaning. Raises Unreadable."""
        if self.ansi_quotes or not self.backslash_escapes:
            text = self.quoting.tokens.sub(self._rewritten, text)
        if self.ignore_space:
            text = _SPACED_CALLS.sub(_close_up, text)
        return text

    def decoded(self, text: bytes) -> bytes:
        """The text in UTF-8. Raises Unreadable."""
        if not self.codec or text.isascii():
            return text
        # A single byte that stands for nothing is as good as any other. A pair of them may not be a pair for Python,
        # but one for the server.
        errors = "strict" if self.codec in _MULTI_BYTE.values() else "surrogateescape"
        try:
            return text.decode(self.codec, errors).encode("utf-8", errors)
        except (UnicodeError, LookupError):
            raise Unreadable("characters that are not known") from None

    def encoded(self, name: str) -> bytes:
        """A name that `decoded` has decoded, in the character set of the client again."""
        return name.encode(self.codec if self.codec not in ("", _UNKNOWN) else "utf-8", "surrogateescape")

    def _rewritten(self, match: re.Match[bytes]) -> bytes:
        token = match[0]
        if token[:1] == b'"' and self.ansi_quotes:
            if len(token) < 2 or token[-1:] != b'"':
                raise Unreadable("a name that does not end")
            return b"`" + token[1:-1].replace(b'""', b'"').replace(b"`", b"``") + b"`"
        if token[:1] in (b"'", b'"') and not self.backslash_escapes:
            return token.replace(b"\\", b"\\\\")
        return token


DEFAULT_MEANING: Final = Meaning()


def _close_up(match: re.Match[bytes]) -> bytes:
    return match["call"] + b"(" if match["call"] else match[0]


@functools.lru_cache(256)
def meaning_of(sql_mode: str, charset: str, no_backslash_escapes: bool) -> Meaning:
    """The meaning that a sql_mode (a list of names) and the name of a character set give to texts.

    Whether backslashes escape is what every reply of a server says in its status.
    """
    modes = {mode.strip() for mode in sql_mode.upper().split(",")}
    name = charset.lower()
    codec = "" if name in _UTF8 else _SINGLE_BYTE.get(name) or _MULTI_BYTE.get(name, _UNKNOWN)
    return Meaning(
        ansi_quotes=bool(modes & (_COMBINED_MODES | {"ANSI_QUOTES"})),
        backslash_escapes=not no_backslash_escapes,
        ignore_space=bool(modes & (_COMBINED_MODES | {"IGNORE_SPACE"})),
        foreign=bool(modes & _FOREIGN_MODES),
        codec=codec,
    )
