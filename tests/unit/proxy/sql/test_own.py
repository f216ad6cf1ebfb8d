"""Which texts the proxy answers itself, and which are left to the servers."""

import pytest

from proxy.sql.own import Show, Topic, show_proxy, without_explain
from proxy.sql.statement import Kind
from tests.support.statements import cache_of

OWN = (
    "EXPLAIN ROUTE SELECT 1",
    "explain\troute (select 1)",
    "/* a */ EXPLAIN /* b */ ROUTE -- c\n UPDATE t SET a = 1;",
    "EXPLAIN ROUTE BEGIN WORK",
    "EXPLAIN ROUTE SET a = 1",
    "EXPLAIN ROUTE SELECT 'a;b'",
    "show PROXY sessions",
    "SHOW PROXY /* x */ DIGESTS LIKE '%a''b%' ;",
    "SHOW PROXY HELP",
    "SHOW PROXY POSITION",
)
SERVERS = (
    "EXPLAIN route",
    "EXPLAIN route id",
    "EXPLAIN route 'a%'",
    'EXPLAIN route "a%"',
    "EXPLAIN route x'41'",
    "EXPLAIN route 0x41",
    "EXPLAIN route . t",
    "EXPLAIN `route` SELECT 1",
    "DESCRIBE ROUTE SELECT 1",
    "EXPLAIN ROUTE SELECT 1; SELECT 2",
    "SHOW PROXY",
    "SHOW PROXY NOTHING",
    "SHOW PROXY HELP LIKE 'a'",
    "SHOW PROXY POSITION LIKE 'a'",
    "SHOW PROXY SESSIONS WHERE user = 'a'",
    "SHOW PROXY SESSIONS; SELECT 1",
    "SHOW PROXY SESSIONS LIKE CONCAT('a')",
)


@pytest.mark.parametrize("text", OWN)
def test_the_proxys_own(text: str) -> None:
    assert cache_of().statement(text.encode()).kind is Kind.OWN


@pytest.mark.parametrize("text", SERVERS)
def test_the_servers(text: str) -> None:
    assert cache_of().statement(text.encode()).kind is not Kind.OWN


def test_what_is_shown() -> None:
    assert show_proxy(b"SHOW PROXY STATUS") == Show(Topic.STATUS)
    assert show_proxy(b"show proxy digests like 'a''b%' ; ") == Show(Topic.DIGESTS, "a'b%")
    assert show_proxy(b"SHOW TABLES") is None


def test_comments_stay_with_the_statement() -> None:
    text = b"/* manyreads: primary */ EXPLAIN /* x */ ROUTE /* y */ SELECT 1"
    assert without_explain(text) == b"/* manyreads: primary */  /* y */ SELECT 1"
    assert without_explain(b"/*! EXPLAIN ROUTE */ SELECT 1") is None


def test_executions_are_counted_by_digest() -> None:
    cache = cache_of()
    one, other = cache.statement(b"SELECT 1"), cache.statement(b"SELECT 2")
    assert one.tally is other.tally
    assert one.tally.key == b"SELECT \0"
    assert cache.statement(b"SET a = 1").tally.key == b"SET a = \0"
    cache.learn_write(b"SELECT 3")
    assert cache.statement(b"SELECT 4").tally is one.tally
