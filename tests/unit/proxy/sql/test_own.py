"""Which texts the proxy answers itself, and which are left to the servers."""

import pytest

from proxy.sql.own import Deed, Order, Show, Topic, Writes, proxy_order, show_proxy, without_explain, writes_held
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
    "PROXY PAUSE WRITES",
    "proxy pause writes for 10",
    "PROXY PAUSE /* a */ WRITES FOR 0.5 SECONDS ;",
    "PROXY RESUME WRITES",
    "PROXY DRAIN SERVER dbread1",
    "proxy /* x */ resume server `dbread-1`;",
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
    "PROXY DRAIN SERVER",
    "PROXY DRAIN dbread1",
    "PROXY DRAIN SERVER dbread1 NOW",
    "PROXY DRAIN SERVER 'dbread1'",
    "PROXY STOP SERVER dbread1",
    "PROXY DRAIN SERVER dbread1; SELECT 1",
    "SHOW PROXY HELP LIKE 'a'",
    "SHOW PROXY POSITION LIKE 'a'",
    "PROXY",
    "PROXY PAUSE",
    "PROXY PAUSE WRITES 10",
    "PROXY PAUSE WRITES FOR",
    "PROXY PAUSE WRITES FOR x SECONDS",
    "PROXY PAUSE WRITES FOR 0 SECONDS",
    "PROXY PAUSE WRITES FOR 3601",
    "PROXY PAUSE WRITES FOR 10 SECONDS NOW",
    "PROXY RESUME WRITES NOW",
    "PROXY RESUME WRITES; SELECT 1",
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


def test_how_long_writes_are_held() -> None:
    assert writes_held(b"PROXY PAUSE WRITES;") == Writes(30)
    assert writes_held(b"proxy pause writes for 2.5 seconds") == Writes(2.5)
    assert writes_held(b"PROXY RESUME WRITES") == Writes(0)
    assert writes_held(b"PAUSE WRITES") is None


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


@pytest.mark.parametrize(
    ("text", "order"),
    [
        (b"PROXY DRAIN SERVER dbread1", Order("dbread1", Deed.DRAIN)),
        (b"proxy resume server `db read` ;", Order("db read", Deed.RESUME)),
        (b"PROXY WEIGHT SERVER dbread1 TO 3", Order("dbread1", Deed.WEIGHT, 3)),
        (b"proxy weight server `a` to 100;", Order("a", Deed.WEIGHT, 100)),
        (b"PROXY WEIGHT SERVER dbread1 TO 0", None),
        (b"PROXY WEIGHT SERVER dbread1 TO 101", None),
        (b"PROXY WEIGHT SERVER dbread1", None),
        (b"PROXY WEIGHT SERVER TO 3", None),
        (b"PROXY DRAIN SERVER a TO 3", None),
        (b"PROXY DRAIN SERVER a b", None),
        (b"DRAIN SERVER a", None),
    ],
)
def test_orders(text: bytes, order: Order | None) -> None:
    assert proxy_order(text) == order
