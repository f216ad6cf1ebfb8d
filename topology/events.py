"""Waiting for an event, for a while."""

import asyncio


async def happens(event: asyncio.Event, within: float) -> bool:
    """Whether `event` is set within so many seconds.

    `asyncio.wait_for` must not be used for this: before Python 3.12 a cancellation that comes together with the event
    is swallowed by it, and a task that was told to end goes on.
    """
    try:
        async with asyncio.timeout(within):
            await event.wait()
    except TimeoutError:
        return False
    return True
