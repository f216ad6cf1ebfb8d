"""Hints in comments: `/* manyreads: primary */`. They ask for a route; none can send a write to a replica."""

import functools
import re
from dataclasses import dataclass
from typing import Final

HINT_MARK: Final = b"manyreads:"
# A statement of the ordinary size has room for a dozen words; the rest is not looked at.
_MAX_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class Hint:
    """What the comments of one statement ask for.

    `primary` says that the statement is to run there. `problems` names what was not understood, and so ignored.
    """

    primary: bool = False
    problems: tuple[str, ...] = ()


NO_HINT: Final = Hint()


@functools.lru_cache(256)
def parse_hint(hint: bytes) -> Hint:
    """Read what stands behind the mark: words separated by spaces or commas. Never raises."""
    words = re.split(r"[\s,;]+", hint[:_MAX_LENGTH].decode("utf-8", "replace").strip().lower())
    return Hint("primary" in words, tuple(word for word in words if word != "primary"))
