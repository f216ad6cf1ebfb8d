"""One error out of several tasks."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from replication.errors import NotReady
from replication.together import both, finishing, first_error, together


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


def test_the_other_one_is_awaited_when_one_fails() -> None:
    ended: list[str] = []

    async def fails() -> str:
        raise NotReady("late")

    async def takes_longer() -> str:
        await asyncio.sleep(0)
        ended.append("done")
        return "done"

    for pair in ((fails, takes_longer), (takes_longer, fails)):
        with pytest.raises(NotReady, match="late"):
            asyncio.run(_run(*pair))
    assert ended == ["done", "done"]
    assert asyncio.run(_run(takes_longer, takes_longer)) == ("done", "done")


async def _run(first: Callable[[], Awaitable[str]], second: Callable[[], Awaitable[str]]) -> tuple[str, str]:
    return await both(first(), second())


def test_what_was_begun_is_finished_though_the_block_fails() -> None:
    ended: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0.01)
        ended.append("finished")

    async def run() -> None:
        async with finishing() as begin:
            begin(work())
            raise NotReady("late")

    with pytest.raises(NotReady, match="late"):
        asyncio.run(run())
    assert ended == ["finished"]
