"""Waiting for a replica, on an event loop."""

import asyncio

from proxy.session.shared.patience import Patience, Waits
from topology.freshness import Freshness

LONG, SHORT = 60.0, 0.01


def test_a_wait_ends_when_a_replica_is_confirmed() -> None:
    async def test() -> None:
        freshness, waits, ends = Freshness(), Waits(), asyncio.Queue[bool]()
        patience = Patience(freshness, waits)
        patience.begin(1, LONG, ends.put_nowait)
        assert patience.under_way
        freshness.confirm("a", 1)
        assert ends.empty()
        assert await ends.get()
        assert (patience.under_way, waits) == (False, Waits(1, 0))

    asyncio.run(test())


def test_a_wait_ends_in_time() -> None:
    async def test() -> None:
        freshness, waits, ends = Freshness(), Waits(), asyncio.Queue[bool]()
        patience = Patience(freshness, waits)
        patience.begin(1, SHORT, ends.put_nowait)
        assert not await ends.get()
        assert (patience.under_way, freshness.waiters, waits) == (False, 0, Waits(1, 1))

    asyncio.run(test())


def test_a_wait_is_given_up() -> None:
    async def test() -> None:
        freshness, waits, ends = Freshness(), Waits(), asyncio.Queue[bool]()
        patience = Patience(freshness, waits)
        patience.begin(1, SHORT, ends.put_nowait)
        freshness.confirm("a", 1)
        patience.end()
        patience.end()
        await asyncio.sleep(2 * SHORT)
        assert (ends.empty(), freshness.waiters, waits) == (True, 0, Waits(1, 0))

    asyncio.run(test())
