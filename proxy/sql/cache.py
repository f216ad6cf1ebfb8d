"""The digest cache in front of the classifier: a few microseconds for a statement whose like was seen before."""

import contextlib
from typing import Final

from proxy.sql.classify import MAX_PARSED, UNCLEAR, Classifier
from proxy.sql.lexer import ExecutableComment, digest, strip_comments
from proxy.sql.statement import Kind, Statement, primary

# What looked like a read until a replica refused it: a view can call a function that writes.
REFUSED_BY_REPLICA: Final = primary("refused-by-replica")
_EXECUTABLE: Final = primary("executable-comment", "executable-comment")
_MAX_TEXT: Final = 512
# Keeps whole texts and digests apart: a digest has no quotes outside of identifiers.
_BY_TEXT: Final = b"'"


class StatementCache:
    """Classifies texts and remembers about `size` digests, the ones used last.

    Two generations instead of a linked list: a look-up costs one dict access, and when the young generation is full the
    old one is dropped whole.
    """

    def __init__(self, classifier: Classifier, size: int = 10_000) -> None:
        self._classifier = classifier
        self._size = max(1, size // 2)
        self._young: dict[bytes, Statement] = {}
        self._old: dict[bytes, Statement] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def statement(self, text: bytes) -> Statement:
        """The facts about a statement's text, as the client sent it."""
        if len(text) > MAX_PARSED:
            return self._classifier.classify(text)
        try:
            stripped = strip_comments(text)
        except ExecutableComment:
            return _EXECUTABLE
        key = digest(stripped)
        return self._young.get(key) or self._miss(key, stripped)

    def learn_write(self, text: bytes) -> None:
        """A replica has refused this text, or one like it, as a write: from now on it is for the primary."""
        with contextlib.suppress(ExecutableComment):
            self._remember(digest(strip_comments(text)), REFUSED_BY_REPLICA)

    def _miss(self, key: bytes, stripped: bytes) -> Statement:
        text = _BY_TEXT + stripped
        statement = self._old.get(key) or self._young.get(text) or self._old.get(text)
        if statement is None:
            statement = self._classifier.classify(stripped)
        if 0 in stripped:
            # Outside of a string it would be taken for the mark that stands for a literal in digests.
            return statement
        if statement.kind is not Kind.SESSION and statement.reason not in UNCLEAR:
            self._remember(key, statement)
        elif len(stripped) <= _MAX_TEXT:
            # Remembered by the whole text. A setting's literals are what it is about (SET PASSWORD is no setting). And
            # a text that cannot be parsed may be so because of its literals, an open quote for one.
            self._remember(text, statement)
        return statement

    def _remember(self, key: bytes, statement: Statement) -> None:
        if len(self._young) >= self._size:
            self._old, self._young = self._young, {}
        self._young[key] = statement
