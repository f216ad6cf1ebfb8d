"""Hints in comments: `/* manyreads: primary */`. They ask for a route; none can send a write to a replica."""

import functools
import re
from dataclasses import dataclass
from typing import Final

HINT_MARK: Final = b"manyreads:"
CONSISTENCY_LEVELS: Final = ("eventual", "session", "monotonic", "global", "strict")
_WORD: Final = re.compile(r"([a-z_]+)(?:=([\w.-]+))?\Z")
_SPACED: Final = re.compile(r"\s*=\s*")
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|)\Z")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0}
# A statement of the ordinary size has room for a dozen hints; the rest is not looked at.
_MAX_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class Hint:
    """What the comments of one statement ask for.

    `target` is empty, `primary` or `replica`; `server` names one replica. `max_lag` is in seconds, None when it is not
    said. `consistency` is one of CONSISTENCY_LEVELS or empty. `problems` names what was not understood, and so ignored.
    """

    target: str = ""
    server: str = ""
    max_lag: float | None = None
    consistency: str = ""
    problems: tuple[str, ...] = ()


NO_HINT: Final = Hint()


@functools.lru_cache(256)
def parse_hint(hint: bytes) -> Hint:
    """Read what stands behind the mark: words separated by spaces or commas. Never raises."""
    text = hint[:_MAX_LENGTH].decode("utf-8", "replace")
    target = server = consistency = ""
    max_lag: float | None = None
    problems: list[str] = []
    for word in re.split(r"[\s,;]+", _SPACED.sub("=", text).strip().lower()):
        match = _WORD.match(word)
        name, value = (match[1], match[2]) if match else ("", None)
        if name == "primary" and value is None:
            target = "primary"
        elif name == "replica":
            target, server = "replica", value or ""
        elif name == "max_lag" and (seconds := duration(value or "")) is not None:
            max_lag = seconds
        elif name == "consistency" and value in CONSISTENCY_LEVELS:
            consistency = value
        else:
            problems.append(word)
    return Hint(target, server, max_lag, consistency, tuple(problems))


def duration(text: str) -> float | None:
    """Seconds from `1s`, `500ms`, `2m` or a plain number; None for anything else."""
    match = _DURATION.match(text)
    return float(match[1]) * _UNITS[match[2]] if match else None
