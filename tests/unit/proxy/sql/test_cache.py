"""The digest cache: what it remembers, what it forgets, and that no text can change what another one is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.sql.cache import StatementCache
from proxy.sql.classify import MAX_PARSED, Classifier
from proxy.sql.lexer import digest, strip_comments
from proxy.sql.statement import Kind, Statement, primary
from topology.servers import Vendor


class Counting(Classifier):
    """Counts what reaches the classifier."""

    def __init__(self) -> None:
        super().__init__(Vendor.MYSQL)
        self.asked: list[bytes] = []

    def classify(self, stripped: bytes) -> Statement:
        self.asked.append(stripped)
        return super().classify(stripped)


def test_texts_that_differ_in_literals_are_classified_once() -> None:
    classifier = Counting()
    cache = StatementCache(classifier)
    for number in range(50):
        assert cache.statement(b"SELECT a FROM t WHERE b = %d -- %d" % (number, number)).kind is Kind.READ
    assert len(classifier.asked) == 1


def test_settings_are_remembered_by_their_whole_text() -> None:
    classifier = Counting()
    cache = StatementCache(classifier)
    assert cache.statement(b"SET sql_mode = 'ANSI'").pin == "sql-mode"
    assert cache.statement(b"SET sql_mode = ''").pin == ""
    assert cache.statement(b"SET sql_mode = 'ANSI'").pin == "sql-mode"
    assert cache.statement(b"SET NAMES 'gbk'").pin == "character-set"
    assert cache.statement(b"SET NAMES 'utf8'").pin == ""
    assert cache.statement(b"USE `a`").schema == "a"
    assert cache.statement(b"USE `b`").schema == "b"
    assert len(classifier.asked) == 6


def test_long_settings_are_not_remembered() -> None:
    cache = StatementCache(Counting())
    cache.statement(b"SET a = '" + b"x" * 1000 + b"'")
    assert len(cache) == 0


def test_what_was_used_last_survives() -> None:
    classifier = Counting()
    cache = StatementCache(classifier, size=10)
    cache.statement(b"SELECT hot FROM t")
    for number in range(200):
        cache.statement(b"SELECT c%d FROM t" % number)
        cache.statement(b"SELECT hot FROM t")
        assert len(cache) <= 10
    assert classifier.asked.count(b"SELECT hot FROM t") == 1
    cache.statement(b"SELECT c0 FROM t")
    assert classifier.asked.count(b"SELECT c0 FROM t") == 2


def test_the_smallest_cache_works() -> None:
    cache = StatementCache(Counting(), size=1)
    for number in range(5):
        assert cache.statement(b"SELECT c%d FROM t" % number).kind is Kind.READ


def test_executable_comments_and_large_texts_are_not_remembered() -> None:
    cache = StatementCache(Counting())
    assert cache.statement(b"SELECT 1 /*! FOR UPDATE */") == primary("executable-comment", "executable-comment")
    assert cache.statement(b"SELECT '" + b"x" * MAX_PARSED + b"'").reason == "too-large"
    assert len(cache) == 0


@pytest.mark.parametrize(
    ("poison", "text"),
    [("SELECT DATE?", "SELECT DATE'2026-01-01'"), ("SELECT a AS ?", "SELECT a AS 'b'"), ("USE `a`?", "USE `a`"),
     ("SELECT `a`?", "SELECT `a`"), ("SELECT 'open", "SELECT 'closed'"), ("SELECT a 'b' 'c' 'd'", "SELECT a 'b' 'c'"),
     ("SELECT x'zz'", "SELECT x'41'"), ("SET sql_mode = ?", "SET sql_mode = ''"), ("SET a = 'open", "SET a = ''"),
     ("SET sql_mode = \0", "SET sql_mode = ''"), ("SELECT \0", "SELECT 1"),
     ("EXPLAIN SELECT 'open", "EXPLAIN SELECT ''"),
     ("SELECT '\udcff' FROM \u00e9", "SELECT 'x' FROM \u00e9"), ("'USE a", "USE a")],
)  # fmt: skip
def test_no_text_poisons_another(poison: str, text: str) -> None:
    alone = StatementCache(Classifier(Vendor.MYSQL)).statement(text.encode())
    cache = StatementCache(Classifier(Vendor.MYSQL))
    cache.statement(poison.encode("utf-8", "surrogateescape"))
    assert cache.statement(text.encode()) == alone


LITERALS = st.sampled_from(
    ["1", "0x1F", "1.5", "1e3", "'x'", "'it''s'", "'a\\'b'", '"x"', "''", "'; DROP TABLE t'", "'-- '", "'/*! x */'"]
)
TEMPLATES = st.sampled_from(
    """
    SELECT a FROM t WHERE b = {} AND c IN ({}, {})
    SELECT f({}), {}
    SELECT a FROM t LIMIT {}
    SELECT `a`, {} FROM t
    INSERT INTO t VALUES ({}, {})
    SELECT a FROM t WHERE b = {} FOR UPDATE
    SELECT {} INTO @v
    SELECT GET_LOCK({}, {})
    SELECT {}; SELECT {}
    SELECT {}; DELETE FROM t WHERE a = {}
    SHOW TABLES LIKE {}
    UPDATE t SET a = {}
    SELECT a FROM t ORDER BY {}
    CALL p({})
    SELECT JSON_EXTRACT(a, {}) FROM t
    EXPLAIN SELECT {}
    SELECT @v := {}
    WITH c AS (SELECT {}) SELECT * FROM c
    SELECT ABS({}) UNION SELECT {}
    SELECT DATE_ADD(a, INTERVAL {} DAY) FROM t
    """.strip().splitlines()
)


@settings(max_examples=300, deadline=None)
@given(TEMPLATES, st.lists(LITERALS, min_size=3, max_size=3), st.lists(LITERALS, min_size=3, max_size=3))
def test_equal_digests_have_equal_facts_where_they_can_be_parsed(
    template: str, one: list[str], other: list[str]
) -> None:
    first, second = (template.format(*literals).encode() for literals in (one, other))
    assert digest(strip_comments(first)) == digest(strip_comments(second))
    facts = {StatementCache(Classifier(Vendor.MYSQL)).statement(text) for text in (first, second)}
    facts = {fact for fact in facts if fact.reason not in ("unparsed", "multi-statement", "explain")} or facts
    assert len({fact.kind for fact in facts}) == 1
    assert len({fact.pin for fact in facts}) == 1
