"""Takes comments from a text, and puts those that servers run as code in their place, as one server would.

`/*! ... */` is code on both vendors, `/*M! ... */` on MariaDB; with a version in front of it, on servers that are at
least so new. MariaDB skips versions from 50700 to 99999, which are features of MySQL that it does not have. Inside of a
comment that is skipped, another one may stand. All of this was observed with MySQL 9.7 and MariaDB 10.11.
"""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from proxy.sql.lexer import DEFAULT_QUOTING, Quoting
from topology.servers import Vendor

_VERSION: Final = re.compile(rb"/\*(M?)!(\d{5,6})?")
_HINT: Final = re.compile(rb"/\*\s*manyreads:(.*?)\*/", re.DOTALL)
_ONLY_MYSQL: Final = range(50700, 100000)
# MySQL of these versions may take five digits of six for the version, and the last one for code.
_FIVE_DIGITS: Final = range(50000, 80400)
_GREETED: Final = re.compile(r"(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)")


class Unreadable(Exception):
    """It cannot be told where comments of the text begin or end, or which of them servers run."""


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """A vendor, and a version as servers number it in comments: 90704 is MySQL 9.7.4; 0 when it is not known."""

    vendor: Vendor
    number: int = 0


def server_version(vendor: Vendor, greeted: str) -> ServerVersion:
    """Read the version that a server greets with."""
    match = _GREETED.match(greeted)
    number = int(match[1]) * 10000 + int(match[2]) * 100 + int(match[3]) if match else 0
    return ServerVersion(vendor, number)


class Bare(NamedTuple):
    """A text without comments. `hint` is what stood behind the mark of a hint. `skipped` says that it holds code for
    other servers: what they make of the text may be something else."""

    text: bytes
    hint: bytes = b""
    skipped: bool = False


def has_code(text: bytes) -> bool:
    """Whether a comment of the text may be code; otherwise `strip` takes them all."""
    return b"/*!" in text or b"/*M!" in text


def strip(text: bytes, quoting: Quoting = DEFAULT_QUOTING) -> bytes:
    """The text with each comment replaced by a space. Raises Unreadable."""
    return _tidy(quoting.tokens.sub(_keep_or_drop, text), quoting)


def uncomment(text: bytes, server: ServerVersion, quoting: Quoting = DEFAULT_QUOTING) -> Bare:
    """The text with each comment replaced by a space, or by the code that it holds. Raises Unreadable."""
    skipped = False
    if has_code(text):
        text, skipped = _expand(text, server, quoting)
    hints: list[bytes] = []
    stripped = quoting.tokens.sub(lambda match: _note(match, hints), text)
    return Bare(_tidy(stripped, quoting), b" ".join(hints), skipped)


def _keep_or_drop(match: re.Match[bytes]) -> bytes:
    token = match[0]
    if token[0] not in b"/-#":
        return token
    if token[0] == 0x2F and (len(token) < 4 or not token.endswith(b"*/")):
        raise Unreadable("a comment that does not end")
    return b" "


def _note(match: re.Match[bytes], hints: list[bytes]) -> bytes:
    if hint := _HINT.fullmatch(match[0]):
        hints.append(hint[1].strip())
    return _keep_or_drop(match)


def _tidy(stripped: bytes, quoting: Quoting) -> bytes:
    """Write `5--1` as `5- - 1`: parsers take two dashes for a comment. Raises Unreadable for an end of none."""
    if stripped.find(b"*/") < 0 and stripped.find(b"--") < 0 and stripped.find(b"/*") < 0:
        return stripped
    pieces: list[bytes] = []
    end = 0
    for match in quoting.tokens.finditer(stripped):
        pieces += (_bare(stripped[end : match.start()]), match[0])
        end = match.end()
    return b"".join((*pieces, _bare(stripped[end:])))


def _bare(code: bytes) -> bytes:
    if b"*/" in code or b"/*" in code:
        raise Unreadable("a comment's end without its beginning")
    return code.replace(b"--", b"- - ")


# --- comments that are code -------------------------------------------------------------------------------------------


def _expand(text: bytes, server: ServerVersion, quoting: Quoting) -> tuple[bytes, bool]:
    """Replace each executable comment by its code, or by a space; returns whether any was skipped."""
    out: list[bytes] = []
    at = copied = 0
    inside = skipped = False
    while (match := quoting.marks.search(text, at)) is not None:
        start, at = match.span()
        if match[0] == b"/*" and (opening := _code_comment(text, start, server)) is not None:
            if inside:
                raise Unreadable("a comment that is code inside of another one")
            inside = _runs(opening, server)
            skipped = skipped or not inside
            at = opening.end() if inside else _end_of_skipped(text, opening.end())
        elif match[0] == b"/*":
            at = _end_of_comment(text, start + 2)
            continue
        elif match[0] == b"*/" and inside:
            inside = False
        else:
            # Outside of such a comment `5*/*c*/3` is a product, and its first two characters end nothing.
            at = start + 1 if match[0] == b"*/" else at
            continue
        out += (text[copied:start], b" ")
        copied = at
    if inside:
        raise Unreadable("a comment that does not end")
    return b"".join((*out, text[copied:])), skipped


def _code_comment(text: bytes, start: int, server: ServerVersion) -> re.Match[bytes] | None:
    """The opening of the comment at `start`, if it is one whose content this vendor may run."""
    opening = _VERSION.match(text, start)
    if opening is None or (opening[1] and server.vendor is Vendor.MYSQL):
        return None
    if not server.number or (opening[2] and len(opening[2]) == 6 and server.number in _FIVE_DIGITS):
        raise Unreadable("a comment that is code for some versions")
    return opening


def _runs(opening: re.Match[bytes], server: ServerVersion) -> bool:
    wanted = int(opening[2] or 0)
    if wanted > server.number:
        return False
    return bool(opening[1]) or server.vendor is Vendor.MYSQL or wanted not in _ONLY_MYSQL


def _end_of_comment(text: bytes, at: int) -> int:
    end = text.find(b"*/", at)
    if end < 0:
        raise Unreadable("a comment that does not end")
    return end + 2


def _end_of_skipped(text: bytes, at: int) -> int:
    """Where a comment ends whose content is skipped: in that, one level of others is stepped over."""
    end = _end_of_comment(text, at)
    while (nested := text.find(b"/*", at, end)) >= 0:
        at = _end_of_comment(text, nested + 2)
        end = _end_of_comment(text, at)
    return end
