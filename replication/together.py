"""Several tasks that end together; if one fails, its error is raised as if it had been awaited."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from topology.errors import ManyreadsError


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
