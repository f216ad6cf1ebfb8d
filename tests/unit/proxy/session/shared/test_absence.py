"""Waiting for a primary that is away."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from proxy.routing.policy import Target, route_to
from proxy.session.core.request import Request
from proxy.session.shared.absence import Absence
from proxy.sql.statement import primary
from proxy.wire.exchange import Reply
from topology.monitor import Monitor


def request() -> Request:
    return Request(b"\1\0\0\0\3", primary("write"), route_to(Target.PRIMARY, "write"), Reply.RESULT)


def away(*, usable: bool) -> Any:
    return SimpleNamespace(snapshot=SimpleNamespace(primary=SimpleNamespace(usable=usable)))


def absence(monitor: Any, seconds: float) -> Absence:
    return Absence(cast(Monitor, monitor), seconds)


async def returned(seconds: float) -> asyncio.Future[Request]:
    """What `again` is called with, of a primary that comes back while the request waits."""
    monitor, again = away(usable=False), asyncio.get_running_loop().create_future()
    assert absence(monitor, seconds).outlast(request(), again.set_result)
    assert not again.done()
    await asyncio.sleep(0.3)
    assert not again.done()
    monitor.snapshot.primary.usable = True
    async with asyncio.timeout(30):
        await again
    return again


def test_it_goes_on_when_the_primary_is_back() -> None:
    assert asyncio.run(returned(3600)).result().given_up > 0


def test_it_is_given_up_in_time() -> None:
    async def wait() -> None:
        waits, one, again = absence(away(usable=False), 0.2), request(), asyncio.get_running_loop().create_future()
        assert waits.outlast(one, again.set_result)
        async with asyncio.timeout(30):
            assert await again is one
        # It was tried once more, in vain: the time does not begin anew.
        assert not waits.outlast(one, again.set_result)
        assert not await waits.over(0.0)

    asyncio.run(wait())


def test_what_is_not_wanted_any_more_is_left() -> None:
    async def wait() -> None:
        waits, calls = absence(away(usable=True), 3600), list[Request]()
        assert waits.outlast(request(), calls.append)
        assert waits.waiting is not None
        waits.end()
        await asyncio.sleep(0.3)
        assert calls == []

    asyncio.run(wait())


def test_without_patience_nothing_waits() -> None:
    async def wait() -> bool:
        return absence(away(usable=False), 0.0).outlast(request(), lambda _: None)

    assert not asyncio.run(wait())
