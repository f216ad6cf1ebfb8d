"""Noticing that most reads are kept on the primary for being in transactions."""

from collections.abc import Iterator

import pytest

from proxy.routing.held import HeldReads
from proxy.routing.policy import IN_TRANSACTION, OPTIMISTIC, PLAIN


@pytest.fixture
def held() -> Iterator[HeldReads]:
    counted = [(route, route.on_primary, route.on_replicas) for route in (IN_TRANSACTION, OPTIMISTIC, PLAIN)]
    yield HeldReads(100.0)
    for route, on_primary, on_replicas in counted:
        route.on_primary, route.on_replicas = on_primary, on_replicas


def test_most_of_many_reads_are_told_of_after_a_minute(held: HeldReads) -> None:
    IN_TRANSACTION.on_primary += 900
    PLAIN.on_replicas += 300
    assert held.look(159.0) is None
    assert held.look(161.0) == (900, 1200)


@pytest.mark.parametrize(("in_transactions", "on_replicas"), [(900, 0), (900, 900), (0, 5000)])
def test_few_reads_and_those_on_replicas_are_not(held: HeldReads, in_transactions: int, on_replicas: int) -> None:
    IN_TRANSACTION.on_primary += in_transactions
    OPTIMISTIC.on_replicas += on_replicas
    assert held.look(161.0) is None


def test_only_the_last_minute_counts_and_it_is_told_once_an_hour(held: HeldReads) -> None:
    IN_TRANSACTION.on_primary += 2000
    assert held.look(161.0) == (2000, 2000)
    assert held.look(222.0) is None
    IN_TRANSACTION.on_primary += 3000
    assert held.look(283.0) is None
    IN_TRANSACTION.on_primary += 4000
    assert held.look(3800.0) == (4000, 4000)
