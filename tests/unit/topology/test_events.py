"""Waiting for an event must end with the event, with the time, and with a cancellation, whichever comes first."""

import asyncio

import pytest

from topology.events import happens

LONG = 600.0


def test_an_event_that_happens_is_told() -> None:
    async def story() -> None:
        event = asyncio.Event()
        waiting = asyncio.create_task(happens(event, LONG))
        await asyncio.sleep(0)
        event.set()
        assert await waiting
        assert await happens(event, LONG), "it has happened"

    asyncio.run(story())


def test_an_event_that_does_not_happen_is_waited_for_no_longer() -> None:
    assert not asyncio.run(happens(asyncio.Event(), 0.01))


@pytest.mark.parametrize("rounds", range(5))
def test_a_cancellation_right_behind_the_event_is_heeded(rounds: int) -> None:
    """Whatever the event loop has done of the event by then."""

    async def for_ever(event: asyncio.Event) -> None:
        while True:
            await happens(event, LONG)
            event.clear()

    async def story() -> bool:
        event = asyncio.Event()
        task = asyncio.create_task(for_ever(event))
        for _ in range(3):
            await asyncio.sleep(0)
        event.set()
        for _ in range(rounds):
            await asyncio.sleep(0)
        task.cancel()
        for _ in range(10):
            await asyncio.sleep(0)
        return task.cancelled()

    assert asyncio.run(story())
