"""One error out of several tasks."""

import asyncio

import pytest

from replication.errors import NotReady
from replication.together import first_error, together


def test_the_others_are_cancelled_and_the_error_comes_as_it_is() -> None:
    ended: list[str] = []

    async def fails() -> None:
        raise NotReady("late")

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def run() -> None:
        async with together() as group:
            group.create_task(waits())
            await asyncio.sleep(0)
            group.create_task(fails())

    with pytest.raises(NotReady, match="late"):
        asyncio.run(run())
    assert ended == ["cancelled"]


def test_an_error_of_ours_says_most() -> None:
    ours = NotReady("late")
    assert first_error(BaseExceptionGroup("", [OSError(), ExceptionGroup("", [ValueError(), ours])])) is ours
    other = OSError()
    assert first_error(BaseExceptionGroup("", [other])) is other
