"""The digest cache in front of the classifier: a few microseconds for a statement whose like was seen before."""

import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from proxy.sql.classify import MAX_PARSED, Classifier
from proxy.sql.comments import Bare, ServerVersion, Unreadable, has_code, strip, uncomment
from proxy.sql.effects import Hold
from proxy.sql.hints import HINT_MARK, Hint, parse_hint
from proxy.sql.lexer import digest
from proxy.sql.meaning import DEFAULT_MEANING, Meaning
from proxy.sql.statement import PRIMARY, READ, Statement, primary
from proxy.sql.tally import Tally

log = logging.getLogger(__name__)

# What looked like a read until a replica refused it: a view can call a function that writes.
REFUSED_BY_REPLICA: Final = primary("refused-by-replica")
_MAX_TEXT: Final = 512
# A digest can be as long as a text that is parsed.
MAX_REMEMBERED: Final = 16 * 1024 * 1024
# So many words of hints that are not understood are logged.
_MOST_TOLD: Final = 100
# Keeps whole texts and digests apart: a digest has no quotes outside of identifiers.
_BY_TEXT: Final = b"'"
# As a number: looking for those in a text is several times faster than looking for bytes of length one.
_HASH: Final = ord("#")
_BANG: Final = ord("!")

Reader = Callable[[bytes], Statement]


class StatementCache:
    """Classifies texts and remembers about `size` digests of at most MAX_REMEMBERED bytes, the ones used last.

    Two generations instead of a linked list: a look-up costs one dict access, and when the young generation is full the
    old one is dropped whole.
    """

    def __init__(self, classifier: Classifier, size: int = 10_000) -> None:
        self._classifier = classifier
        self._size = max(1, size // 2)
        self._young: dict[bytes, Statement] = {}
        self._old: dict[bytes, Statement] = {}
        self._young_bytes = 0
        self._told: set[str] = set()

    @property
    def server(self) -> ServerVersion:
        """For whose texts it is."""
        return self._classifier.server

    def go_by(self, classifier: Classifier) -> None:
        """Another one, with other functions that only read, judges from now on: what calls functions is forgotten."""
        self._classifier = classifier
        self._old = {key: known for key, known in self._old.items() if not _may_call(known)}
        self._young = {key: known for key, known in self._young.items() if not _may_call(known)}
        self._young_bytes = sum(map(len, self._young))

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def statement(self, text: bytes) -> Statement:
        """The facts about a statement's text, as a client of the default meaning sent it."""
        if len(text) > MAX_PARSED:
            return self._classifier.unread(text, "too-large")
        if text.find(b"/*") >= 0 or text.find(b"--") >= 0 or _HASH in text:
            if (_BANG in text and has_code(text)) or text.find(HINT_MARK) >= 0:
                return self._read(text, DEFAULT_MEANING)
            try:
                text = strip(text)
            except Unreadable:
                return self._classifier.unread(text, "unreadable")
        key = digest(text)
        return self._young.get(key) or self._miss(key, text)

    def reader(self, meaning: Meaning) -> Reader:
        """What `statement` is for a session whose texts mean something else."""
        if meaning == DEFAULT_MEANING:
            return self.statement
        return lambda text: self._read(text, meaning)

    def learn_write(self, text: bytes, meaning: Meaning = DEFAULT_MEANING) -> None:
        """A replica has refused this text, or one like it, as a write: from now on it is for the primary."""
        with contextlib.suppress(Unreadable):
            key = digest(self.bare(text, meaning).text)
            known = self._young.get(key) or self._old.get(key)
            self._remember(key, replace(REFUSED_BY_REPLICA, tally=known.tally if known else Tally(key)))

    def tallies(self) -> list[Tally]:
        """What was counted of each digest that is remembered."""
        found = {id(known.tally): known.tally for known in (*self._old.values(), *self._young.values())}
        return list(found.values())

    def bare(self, text: bytes, meaning: Meaning) -> Bare:
        """A text without comments, in the default meaning. Raises Unreadable."""
        bare = uncomment(meaning.decoded(text), self._classifier.server, meaning.quoting)
        return bare._replace(text=meaning.canonical(bare.text))

    def _read(self, text: bytes, meaning: Meaning) -> Statement:
        """A text that holds code or a hint in comments, or that means something else than most."""
        if len(text) > MAX_PARSED:
            return self._classifier.unread(text, "too-large")
        try:
            bare = self.bare(text, meaning)
        except Unreadable:
            return self._classifier.unread(text, "unreadable")
        key = digest(bare.text)
        statement = self._young.get(key) or self._miss(key, bare.text)
        if bare.hint:
            statement = replace(statement, hint=self._heard(parse_hint(bare.hint)))
        if bare.skipped and statement.kind is READ:
            # Another server may run what this one skips.
            statement = replace(statement, kind=PRIMARY, reason="executable-comment")
        return _foreign(statement) if meaning.foreign else statement

    def _heard(self, hint: Hint) -> Hint:
        """Say what was not understood, once each and a bounded number of times."""
        unknown = set(hint.problems) - self._told
        if unknown and len(self._told) < _MOST_TOLD:
            self._told |= unknown
            log.warning("hints that are not understood: %s", ", ".join(sorted(unknown)))
        return hint

    def _miss(self, key: bytes, stripped: bytes) -> Statement:
        known = self._old.get(key)
        if known is not None:
            self._remember(key, known)
            return known
        # Remembered by the whole text. A setting's literals are what it is about. And a text that cannot be parsed may
        # be so because of its literals, an open quote for one.
        text = _BY_TEXT + stripped
        known = self._young.get(text) or self._old.get(text)
        statement, alone = self._classifier.classify(stripped) if known is None else (known, True)
        if 0 in stripped:
            # Outside of a string it would be taken for the mark that stands for a literal in digests.
            return statement
        if known is None:
            statement = replace(statement, tally=Tally(key))
        if not alone:
            self._remember(key, statement)
        elif len(stripped) <= _MAX_TEXT:
            self._remember(text, statement)
        return statement

    def _remember(self, key: bytes, statement: Statement) -> None:
        if len(self._young) >= self._size or self._young_bytes + len(key) > MAX_REMEMBERED // 2:
            self._old, self._young, self._young_bytes = self._young, {}, 0
        self._young[key] = statement
        self._young_bytes += len(key)


def _may_call(statement: Statement) -> bool:
    """Whether it calls functions, as far as that matters for where it goes."""
    return statement.reads is None if statement.kind is READ else statement.reason.startswith("unknown-function")


def _foreign(statement: Statement) -> Statement:
    """A statement in a session whose sql_mode brings another grammar along."""
    effects = (*statement.effects, Hold("sql-mode"))
    if statement.kind is READ:
        return replace(statement, kind=PRIMARY, reason="sql-mode", effects=effects)
    return replace(statement, effects=effects)
