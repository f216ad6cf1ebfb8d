"""Functions that an operator has said only read."""

import pytest

from proxy.sql.cache import StatementCache
from proxy.sql.classify import Classifier
from proxy.sql.statement import DIAGNOSTIC, PRIMARY, READ, Statement
from tests.support.statements import MARIADB

READERS = ("price_of", "Distance", "get_lock", "found_rows", "nextval", "insert")


def classified(text: str) -> Statement:
    return StatementCache(Classifier(MARIADB, READERS)).statement(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "SELECT price_of(id) FROM item",
        "SELECT PRICE_OF (1)",
        "SELECT shop.price_of(1)",
        "SELECT `price_of`(1), distance(2)",
        "SELECT a FROM t WHERE b > (SELECT distance(@v, @w) FROM u)",
        "EXPLAIN SELECT price_of(1)",
    ],
)
def test_a_query_that_calls_them_may_read_anything(text: str) -> None:
    statement = classified(text)
    assert (statement.kind, statement.reads, statement.variables) == (READ, None, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT price_of(other(1))", "unknown-function:other"),
        ("SELECT price_of(1), shop.other(1)", "unknown-function:other"),
        ("SELECT price_of(1) FROM t FOR UPDATE", "locking-read"),
        ("SELECT price_of(1) INTO @a", "select-into"),
        ("SELECT price_of(LAST_INSERT_ID())", "primary-function"),
        ("SELECT price_of(1), LAST_INSERT_ID(), ROW_COUNT()", "primary-function"),
        ("SELECT price_of(1), ROW_COUNT()", "diagnostic-with-tables"),
        ("SELECT price_of(@`a``b`)", "user-variable"),
        ("SELECT price_of(1) FROM mysql.user", "server-local"),
        ("INSERT INTO t VALUES (price_of(1))", "write"),
        ("SELECT 1; DELETE FROM t WHERE a = price_of(1)", "multi-statement"),
    ],
)
def test_what_else_there_is_counts_as_ever(text: str, reason: str) -> None:
    statement = classified(text)
    assert (statement.kind, statement.reason) == (PRIMARY, reason)


def test_a_write_with_one_is_as_uncertain_as_with_any() -> None:
    assert classified("INSERT INTO t VALUES (price_of(1))").written is None


def test_functions_of_the_servers_own_that_are_no_reads_stay_so() -> None:
    assert classified("SELECT GET_LOCK('a', 1)").reason == "primary-function"
    assert classified("SELECT FOUND_ROWS()").kind is DIAGNOSTIC
    assert classified("SELECT NEXTVAL(s)").reason == "unknown-function:NEXTVAL"
    assert classified("INSERT INTO t VALUES (1)").kind is PRIMARY


def test_other_functions_that_only_read_change_what_is_remembered_of_calls() -> None:
    cache = StatementCache(Classifier(MARIADB, ("price_of",)))
    texts = ("SELECT a FROM t", "SELECT price_of(1)", "SELECT other(1)", "UPDATE t SET a = 1")
    before = [cache.statement(text.encode()) for text in texts]
    cache.go_by(Classifier(MARIADB, ("other",)))
    after = [cache.statement(text.encode()) for text in texts]
    assert [statement.kind for statement in before] == [READ, READ, PRIMARY, PRIMARY]
    assert [statement.kind for statement in after] == [READ, PRIMARY, READ, PRIMARY]
    # And nothing else of it.
    assert (after[0], after[3]) == (before[0], before[3])
    assert cache.server is MARIADB
