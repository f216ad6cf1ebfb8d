"""Fuzz targets for `proxy.sql`: any text gets facts, and texts that share a digest get the same ones."""

from contextlib import suppress

from proxy.sql.cache import StatementCache
from proxy.sql.classify import MAX_PARSED, Classifier
from proxy.sql.comments import Unreadable, strip, uncomment
from proxy.sql.lexer import digest
from tests.fuzz.inputs import Input
from tests.support.statements import MARIADB, MYSQL

_CLASSIFIERS = [Classifier(server) for server in (MARIADB, MYSQL)]
# Other literals of the same kind: what a digest must not depend on, and no classification either.
_OTHER_DIGITS = bytes.maketrans(b"123456789", b"987654321")
_OTHER_LETTERS = bytes.maketrans(b"aeioubcdfg", b"eiouabgcdf")


def lexer(data: bytes) -> None:
    """Comments go, and go all at once; a digest of a digest's own text can be made."""
    for server in (MARIADB, MYSQL):
        with suppress(Unreadable):
            stripped = uncomment(data, server).text
            assert len(stripped) <= 2 * len(data)
            assert len(digest(stripped)) <= 2 * len(stripped)
            # A `--` before a comment is arithmetic, and would begin one now; the classifier parses no such text.
            assert b"--" in stripped or strip(stripped) == stripped


def classify(data: bytes) -> None:
    """A text's facts do not depend on what was classified before it, nor on the literals that its digest leaves out."""
    source = Input(data)
    classifier = _CLASSIFIERS[source.byte() % len(_CLASSIFIERS)]
    text = source.rest()
    cache = StatementCache(classifier)
    first = cache.statement(text)
    assert cache.statement(text) == first
    if len(text) > MAX_PARSED:
        return
    for other in (_digits_changed(text), _strings_changed(text)):
        with suppress(Unreadable):
            bare, changed = uncomment(text, classifier.server).text, uncomment(other, classifier.server).text
            if other != text and digest(bare) == digest(changed) and not classifier.classify(changed).alone:
                _same_facts(cache, classifier, text, other)


def _same_facts(cache: StatementCache, classifier: Classifier, text: bytes, other: bytes) -> None:
    fresh = StatementCache(classifier).statement(other)
    assert cache.statement(other) == fresh, (text, other)


def _digits_changed(text: bytes) -> bytes:
    return text.translate(_OTHER_DIGITS)


def _strings_changed(text: bytes) -> bytes:
    """Letters between single quotes changed; the texts that this gets wrong have another digest."""
    parts = text.split(b"'")
    return b"'".join(part.translate(_OTHER_LETTERS) if number % 2 else part for number, part in enumerate(parts))
