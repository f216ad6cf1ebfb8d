"""The digest cache: what it remembers, what it forgets, and that no text can change what another one is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.sql.cache import MAX_REMEMBERED, REFUSED_BY_REPLICA, StatementCache
from proxy.sql.classify import MAX_PARSED, Classifier
from proxy.sql.comments import strip
from proxy.sql.lexer import digest
from proxy.sql.meaning import DEFAULT_MEANING, Meaning
from proxy.sql.statement import Kind
from proxy.sql.verdict import Verdict
from tests.support.statements import MYSQL, cache_of, classified, facts


class Counting(Classifier):
    """Counts what reaches the classifier."""

    def __init__(self) -> None:
        super().__init__(MYSQL)
        self.asked: list[bytes] = []

    def classify(self, stripped: bytes) -> Verdict:
        self.asked.append(stripped)
        return super().classify(stripped)


def test_texts_that_differ_in_literals_are_classified_once() -> None:
    classifier = Counting()
    cache = StatementCache(classifier)
    for number in range(50):
        assert cache.statement(b"SELECT a FROM t WHERE b = %d -- %d" % (number, number)).kind is Kind.READ
    assert len(classifier.asked) == 1


def test_facts_that_hang_on_literals_are_remembered_by_the_whole_text() -> None:
    classifier = Counting()
    cache = StatementCache(classifier)
    for _ in range(2):
        for text in ("SET sql_mode = 'ANSI'", "SET sql_mode = ''", "SELECT GET_LOCK('a', 1)", "SELECT GET_LOCK('b', 1)",
                     "PREPARE s FROM 'SELECT 1'", "PREPARE s FROM 'DELETE FROM t'", "USE `a`", "USE `b`",
                     "SHOW VARIABLES LIKE 'x'", "SHOW VARIABLES LIKE 'read_only'"):  # fmt: skip
            assert facts(cache.statement(text.encode())) == facts(classified(text))
    assert len(classifier.asked) == len(set(classifier.asked))


def test_long_settings_are_not_remembered() -> None:
    cache = cache_of()
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


def test_long_texts_do_not_fill_memory() -> None:
    cache = StatementCache(Counting())
    padding = b" " * (MAX_PARSED - 100)
    for number in range(2 * MAX_REMEMBERED // MAX_PARSED):
        cache.statement(b"SELECT c%d_%sFROM t" % (number, padding))
        assert len(cache) * len(padding) <= MAX_REMEMBERED
    assert len(cache) * MAX_PARSED > MAX_REMEMBERED // 3


def test_large_and_unreadable_texts_are_not_remembered() -> None:
    cache = cache_of()
    assert facts(cache.statement(b"SELECT 1 /*! FOR UPDATE")).startswith("PRIMARY|unreadable|")
    assert facts(cache.statement(b"SELECT '" + b"x" * MAX_PARSED + b"'")).startswith("PRIMARY|too-large|")
    assert len(cache) == 0


def test_code_in_comments_shares_the_facts_of_the_text_that_servers_see() -> None:
    cache = cache_of()
    assert cache.statement(b"SELECT 1 /*!50000 FOR UPDATE */") is cache.statement(b"SELECT 1   FOR UPDATE  ")
    read = cache.statement(b"SELECT 1 /*!99999 FOR UPDATE */")
    assert (read.kind, read.reason) == (Kind.PRIMARY, "executable-comment")
    assert cache.statement(b"SELECT 1  ").kind is Kind.READ


def test_a_hint_is_a_fact_of_its_text_alone() -> None:
    cache = cache_of()
    hinted = cache.statement(b"SELECT a FROM t /* manyreads: primary */ WHERE b = 1")
    assert (hinted.kind, hinted.hint.primary) == (Kind.READ, True)
    assert cache.statement(b"SELECT a FROM t /* manyreads: fast */ WHERE b = 1").hint.problems == ("fast",)
    assert not cache.statement(b"SELECT a FROM t  WHERE b = 2").hint.primary
    assert not cache.statement(b"SELECT '/* manyreads: primary */'").hint.primary
    assert cache.statement(b"SET a = 1 /* manyreads: primary */") != cache.statement(
        b"SET a = 2 /* manyreads: primary */"
    )


def test_what_a_replica_refused_is_a_write_from_then_on() -> None:
    cache = cache_of()
    cache.learn_write(b"SELECT a FROM v WHERE b = 1 -- x")
    assert cache.statement(b"SELECT a FROM v WHERE b = 2 # y") == REFUSED_BY_REPLICA
    cache.learn_write(b"SELECT a FROM v /*")
    ansi = Meaning(ansi_quotes=True)
    cache.learn_write(b'SELECT "x y" FROM v', ansi)
    assert cache.statement(b"SELECT `x y` FROM v") == REFUSED_BY_REPLICA
    assert cache.statement(b'SELECT "x y" FROM v').kind is Kind.READ


def test_each_meaning_has_its_reader() -> None:
    cache = cache_of()
    assert cache.reader(DEFAULT_MEANING) == cache.statement
    text = b"""SELECT "a" FROM t WHERE b = 'x\\' OR c = ' FOR UPDATE -- '"""
    assert cache.statement(text).kind is Kind.PRIMARY
    assert cache.reader(Meaning(backslash_escapes=False))(text).kind is Kind.READ
    assert cache.reader(Meaning(ansi_quotes=True))(b'SELECT "f"(1)').reason == "unknown-function:f"
    assert cache.reader(Meaning(codec="gbk"))(b"SELECT '\xbf\x5c' FOR UPDATE -- '").reason == "locking-read"
    assert cache.reader(Meaning(codec="gbk"))(b"SELECT '\xff\xff'").reason == "unreadable"
    assert cache.reader(Meaning(codec="gbk"))(b"SELECT '" + b"x" * MAX_PARSED).reason == "too-large"


def test_a_grammar_that_is_not_followed_leaves_no_read() -> None:
    read = cache_of().reader(Meaning(foreign=True))
    assert facts(read(b"SELECT 1")) == "PRIMARY|sql-mode|hold sql-mode|-|-"
    assert facts(read(b"SET sql_mode = ''")) == "SESSION|session-setting|set sql_mode = ''; hold sql-mode|-|-"


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
    alone = cache_of().statement(text.encode())
    cache = cache_of()
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
def test_equal_digests_have_equal_facts(template: str, one: list[str], other: list[str]) -> None:
    first, second = (template.format(*literals).encode() for literals in (one, other))
    assert digest(strip(first)) == digest(strip(second))
    verdicts = [Classifier(MYSQL).classify(strip(text)) for text in (first, second)]
    assert any(alone for _, alone in verdicts) or len({statement for statement, _ in verdicts}) == 1
