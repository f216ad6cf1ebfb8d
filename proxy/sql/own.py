"""The statements that the proxy answers itself: `EXPLAIN ROUTE statement`, `SHOW PROXY ...` and `PROXY ...`.

Servers of both vendors answer them with error 1064, so that none is lost. But `EXPLAIN route` and `EXPLAIN route name`
describe a table of that name, or a column of it: those are left to the servers.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from proxy.sql.statement import Kind, Statement
from proxy.sql.words import Words

EXPLAIN_ROUTE: Final = "explain-route"
SHOW_PROXY: Final = "show-proxy"
ROUTE_EXPLAINED: Final = Statement(Kind.OWN, EXPLAIN_ROUTE)
PROXY_SHOWN: Final = Statement(Kind.OWN, SHOW_PROXY)
WRITES: Final = "proxy-writes"
WRITES_HELD: Final = Statement(Kind.OWN, WRITES)
# So many seconds writes are held when nothing else is said, and at most.
USUAL_PAUSE: Final = 30.0
LONGEST_PAUSE: Final = 3600.0
ORDER: Final = "proxy-order"
PROXY_ORDERED: Final = Statement(Kind.OWN, ORDER)

_GAP: Final = rb"(?:[ \t\n\v\f\r]|/\*(?!M?!)(?:[^*]|\*(?!/))*+\*/|--[\x00-\x20\x7f][^\n]*+\n|\#[^\n]*+\n)"
_EXPLAIN: Final = re.compile(rb"(" + _GAP + rb"*+)EXPLAIN" + _GAP + rb"++ROUTE(?=" + _GAP + rb")", re.IGNORECASE)
_STATEMENT: Final = re.compile(r"[A-Za-z(]")
# The pattern of a column can also be written as a hexadecimal or binary number.
_PAUSE: Final = re.compile(r"(?:FOR (?P<seconds>\d{1,6}(?:\.\d{1,3})?)(?: SECONDS)?)?", re.IGNORECASE)
_WEIGHT: Final = re.compile(r"TO (100|[1-9][0-9]?)", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[xXbB]'[^']*'")


class Topic(StrEnum):
    """What SHOW PROXY can show."""

    SESSIONS = "SESSIONS"
    POOLS = "POOLS"
    SERVERS = "SERVERS"
    DIGESTS = "DIGESTS"
    ROUTES = "ROUTES"
    STATUS = "STATUS"
    POSITION = "POSITION"
    VERSION = "VERSION"
    HELP = "HELP"


_WITHOUT_LIKE: Final = frozenset({Topic.POSITION, Topic.VERSION, Topic.HELP})
_TOPICS: Final = {topic.value: topic for topic in Topic}


@dataclass(frozen=True, slots=True)
class Show:
    """SHOW PROXY topic [LIKE 'pattern']; without one `like` is None."""

    topic: Topic
    like: str | None = None


class Deed(StrEnum):
    """What is done to a replica: taken out of use, put back, given a weight."""

    DRAIN = "DRAIN"
    RESUME = "RESUME"
    WEIGHT = "WEIGHT"


@dataclass(frozen=True, slots=True)
class Order:
    """PROXY DRAIN SERVER name, PROXY RESUME SERVER name, or PROXY WEIGHT SERVER name TO n."""

    server: str
    deed: Deed
    weight: int = 0


def ordered(words: Words) -> Order | None:
    """Read it, behind PROXY; None for anything that is not exactly that."""
    verb = words.take_any(*Deed)
    name = words.name() if verb and words.take("SERVER") else ""
    weight = _weight(words) if verb == Deed.WEIGHT else 0
    return Order(name, Deed(verb), weight) if name and weight is not None and words.over else None


def _weight(words: Words) -> int | None:
    """Read TO n, from 1 to 100; None for anything else."""
    match = _WEIGHT.fullmatch(" ".join(words.rest()))
    words.at = len(words.texts)
    return int(match[1]) if match else None


def proxy_order(text: bytes) -> Order | None:
    """The same of a whole text without comments."""
    words = Words(text.decode("utf-8", "replace").rstrip("; \t\n\v\f\r"))
    return ordered(words) if words.take("PROXY") else None


def shown(words: Words) -> Show | None:
    """Read SHOW PROXY, behind SHOW; None for anything that is not exactly that."""
    if not words.take("PROXY"):
        return None
    topic = _TOPICS.get(words.peek())
    words.at += 1
    if topic is None or words.over:
        return Show(topic) if topic else None
    if topic in _WITHOUT_LIKE or not words.take("LIKE") or len(words.rest()) != 1:
        return None
    (pattern,) = words.rest()
    if len(pattern) < 2 or pattern[0] not in "'\"" or pattern[-1] != pattern[0]:
        return None
    return Show(topic, pattern[1:-1].replace(pattern[0] * 2, pattern[0]))


def show_proxy(text: bytes) -> Show | None:
    """The same of a whole text without comments."""
    words = Words(text.decode("utf-8", "replace").rstrip("; \t\n\v\f\r"))
    return shown(words) if words.take("SHOW") else None


@dataclass(frozen=True, slots=True)
class Writes:
    """PROXY PAUSE WRITES [FOR n [SECONDS]] holds them for `seconds` at most, PROXY RESUME WRITES no longer: 0."""

    seconds: float


def held(words: Words) -> Writes | None:
    """Read PROXY ... WRITES, behind PROXY; None for anything that is not exactly that."""
    if words.take("RESUME", "WRITES"):
        return Writes(0.0) if words.over else None
    if not words.take("PAUSE", "WRITES"):
        return None
    match = _PAUSE.fullmatch(" ".join(words.rest()))
    seconds = float(match["seconds"] or USUAL_PAUSE) if match else 0.0
    return Writes(seconds) if 0 < seconds <= LONGEST_PAUSE else None


def writes_held(text: bytes) -> Writes | None:
    """The same of a whole text without comments."""
    words = Words(text.decode("utf-8", "replace").rstrip("; \t\n\v\f\r"))
    return held(words) if words.take("PROXY") else None


def commanded(words: Words) -> Statement | None:
    """What PROXY ... is, behind that word; None for anything that is neither of the two."""
    begin = words.at
    if held(words):
        return WRITES_HELD
    words.at = begin
    return PROXY_ORDERED if ordered(words) else None


def is_explained(text: str) -> bool:
    """Whether `text`, which stands behind EXPLAIN ROUTE, is a statement: no name or pattern of a column."""
    words = Words(text)
    return len(words.texts) > 1 and bool(_STATEMENT.match(text)) and not _NUMBER.fullmatch(text.strip())


def without_explain(text: bytes) -> bytes | None:
    """A text without its EXPLAIN ROUTE, comments as they are; None if these words are not in the open."""
    match = _EXPLAIN.match(text)
    return None if match is None else match[1] + text[match.end() :]
