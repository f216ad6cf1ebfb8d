"""Several tasks that end together, with one error if one fails, and work that nothing interrupts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from topology.errors import ManyreadsError

T = TypeVar("T")
Begin = Callable[[Coroutine[Any, Any, None]], None]
"""Begins some work and does not wait for it."""


@asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """A TaskGroup that raises one error: one of ours, if there is one, since that says most."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failed:
        raise first_error(failed) from failed


def first_error(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that says most."""
    ours, _ = failed.split(ManyreadsError)
    error: BaseException = ours or failed
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def both(first: Awaitable[T], second: Awaitable[T]) -> tuple[T, T]:
    """Both at once, each to its end: the connection of the one is not left in an answer when the other fails."""
    one, other = await asyncio.gather(first, second, return_exceptions=True)
    if isinstance(one, BaseException):
        raise one
    if isinstance(other, BaseException):
        raise other
    return one, other


@asynccontextmanager
async def finishing() -> AsyncIterator[Begin]:
    """What the function it gives begins goes on beside the block, and is finished at its end, however that ends."""
    tasks: list[asyncio.Task[None]] = []

    def begin(work: Coroutine[Any, Any, None]) -> None:
        tasks.append(asyncio.create_task(work))

    try:
        yield begin
    finally:
        await asyncio.gather(*tasks)


async def uninterrupted(work: Awaitable[T]) -> T:
    """Finish `work` also when this task is cancelled meanwhile: a statement that was sent cannot be taken back."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
