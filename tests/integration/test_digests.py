"""Digests beside those of MySQL's own STATEMENT_DIGEST_TEXT, for the statements of the corpus."""

from typing import Final

import pymysql
import pytest

from proxy.sql.comments import ServerVersion, Unreadable, uncomment
from proxy.sql.digest import digest_text
from proxy.sql.lexer import digest
from replication.sandbox import Cluster, Flavor
from tests.corpus.grammar import statements
from tests.corpus.recorder import load
from tests.integration.test_oracle import CORPUS, RECORDINGS
from tests.support.clients import Connection, direct, run
from topology.servers import Vendor

# So many are equal at least. Those that are not have, in the order of their number: the number of a column behind
# ORDER BY and GROUP BY, which MySQL keeps; an optimizer hint, which is a comment here; NULL that is a value at one
# place and none at another; rows of one value each; texts that MySQL cuts.
EQUAL: Final = 0.96
VERSION: Final = ServerVersion(Vendor.MYSQL, 90700)


def of_the_server(connection: Connection, text: str) -> str:
    """Empty for what MySQL cannot parse."""
    try:
        ((found,),) = run(connection, f"SELECT STATEMENT_DIGEST_TEXT({connection.escape(text)})")
    except pymysql.MySQLError:
        return ""
    return str(found).rstrip(" ;")


def ours(text: str) -> str:
    try:
        return digest_text(digest(uncomment(text.encode(), VERSION).text))
    except Unreadable:
        return ""


@pytest.fixture(scope="module")
def texts() -> list[str]:
    recorded = [one.text for name in RECORDINGS for one in load(CORPUS / f"{name}.rec", Vendor.MYSQL)]
    return list(dict.fromkeys((*statements(), *recorded)))


def test_digests_are_those_of_performance_schema(shared_cluster: Cluster, texts: list[str]) -> None:
    if shared_cluster.flavor is not Flavor.MYSQL:
        pytest.skip("MariaDB has no such function")
    with direct(shared_cluster, shared_cluster.servers[0], database="mysql") as connection:
        pairs = [(ours(text), theirs) for text in texts if (theirs := of_the_server(connection, text))]
    different = [pair for pair in pairs if pair[0] != pair[1]]
    share = 1 - len(different) / len(pairs)
    print(f"{share:.1%} of {len(pairs)} are equal")
    assert share >= EQUAL, "\n".join(map(str, different[:50]))
