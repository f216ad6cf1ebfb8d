"""Stored programs: statements that hold others, with semicolons between them."""

import re
from typing import Final

from proxy.sql.words import Words

_STORED_PROGRAM: Final = re.compile(
    rb"\s*(CREATE|ALTER)\b[^(;]*?\b(PROCEDURE|FUNCTION|TRIGGER|EVENT|PACKAGE)\b", re.IGNORECASE
)
# END IF and the like end nothing that was counted; END CASE ends a CASE.
_ENDINGS: Final = ("IF", "LOOP", "WHILE", "REPEAT", "FOR")


def joined(parts: list[bytes]) -> list[bytes]:
    """The statements of a text that was cut at its semicolons: what belongs to a stored program is one again."""
    whole: list[bytes] = []
    pieces: list[bytes] = []
    depth = 0
    for part in parts:
        if depth or _STORED_PROGRAM.match(part):
            pieces.append(part)
            depth = max(0, depth + _opened(part))
        else:
            whole.append(part)
        if not depth and pieces:
            whole.append(b";".join(pieces))
            pieces = []
    return [*whole, b";".join(pieces)] if pieces else whole


def _opened(part: bytes) -> int:
    """How many blocks and CASEs a part opens more than it ends."""
    words = Words(part.decode("utf-8", "replace")).upper
    depth = 0
    for word, before, behind in zip(words, ["", *words], [*words[1:], ""], strict=False):
        if word == "BEGIN" or (word == "CASE" and before != "END"):
            depth += 1
        elif word == "END" and behind not in _ENDINGS:
            depth -= 1
    return depth
