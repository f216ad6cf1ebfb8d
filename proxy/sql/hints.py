"""Hints in comments: `/* manyreads: primary */`. They ask for a route; none can send a write to a replica."""

import functools
import re
from dataclasses import dataclass, replace
from typing import Final

from topology.consistency import Level

HINT_MARK: Final = b"manyreads:"
# There is room for a dozen words and a position with a dozen servers in it; the rest is not looked at.
_MAX_LENGTH: Final = 1000
_UUID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_INTERVALS: Final = r"(?::[a-z_]\w{0,31})?(?::\d{1,19}(?:-\d{1,19})?)+"
_GTID: Final = rf"(?:\d{{1,10}}-\d{{1,10}}-\d{{1,20}}|{_UUID}(?:{_INTERVALS})+)"
# A place in the binary log of a server without GTIDs.
_PLACE: Final = rf"{_UUID}/\d{{1,10}}:\d{{1,20}}"
_TOKEN: Final = re.compile(rf"{_GTID}(?:\+{_GTID})*|{_PLACE}")
_SHOWN: Final = 100
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|m)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0}
_LEVELS: Final = {level.value: level for level in Level}


@dataclass(frozen=True, slots=True)
class Hint:
    """What the comments of one statement, or a rule, ask for. It counts for reads that may run on a replica.

    `primary` says that the read is to run there all the same, `replica` that it may run on any fit replica, whatever
    the rules say; `server` names (in lower case) the replica to be preferred. Replicas that are known to lag more than
    `max_lag` seconds are left out. `level` is None where nothing is said of it. `after` is a position of the
    primary that the read must see. `problems` names what was not understood, and so ignored.
    """

    primary: bool = False
    problems: tuple[str, ...] = ()
    replica: bool = False
    server: str = ""
    max_lag: float | None = None
    level: Level | None = None
    after: str = ""

    @property
    def decides(self) -> bool:
        """Whether it asks for anything."""
        return self.primary or self.replica or self.max_lag is not None or self.level is not None or self.after != ""


NO_HINT: Final = Hint()


@functools.lru_cache(256)
def parse_hint(hint: bytes) -> Hint:
    """Read what stands behind the mark: words separated by spaces or commas. Never raises."""
    found = NO_HINT
    words = re.split(r"[\s,;]+", hint[:_MAX_LENGTH].decode("utf-8", "replace").strip().lower())
    if len(hint) > _MAX_LENGTH:
        # The last one may be a part of a word.
        words[-1] = f"{words[-1][:_SHOWN]}..."
    for word in words:
        found = _with(found, word) or replace(found, problems=(*found.problems, word))
    return found


def _with(found: Hint, word: str) -> Hint | None:
    name, equals, value = word.partition("=")
    if not equals:
        return {"primary": replace(found, primary=True), "replica": replace(found, replica=True)}.get(name)
    if name == "replica" and value:
        return replace(found, replica=True, server=value)
    if name == "max_lag" and (seconds := seconds_of(value)) is not None:
        return replace(found, max_lag=seconds)
    if name == "after":
        # Who must see something, but does not say well what, sees it on the primary.
        after = _TOKEN.fullmatch(value)
        problem = replace(found, primary=True, problems=(*found.problems, word))
        return replace(found, after=value.replace("+", ",")) if after else problem
    if name == "consistency" and value in _LEVELS:
        return replace(found, level=_LEVELS[value])
    return None


def seconds_of(text: str) -> float | None:
    """What `500ms`, `2s` or `1m` are in seconds; None for anything else."""
    match = _DURATION.fullmatch(text)
    return float(match[1]) * _SECONDS[match[2]] if match else None
