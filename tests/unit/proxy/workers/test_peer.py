"""The line between a parent and a worker."""

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from proxy.workers.peer import Peer, PeerGone

Work = Callable[[Peer, Peer], Coroutine[Any, Any, None]]


def joined(work: Work, **handlers: Any) -> None:
    """Run `work` with both ends of a line; the second end has the handlers."""

    async def run() -> None:
        one, other = socket.socketpair()
        first, second = Peer({}), Peer(handlers)
        await first.open(one)
        await second.open(other)
        async with asyncio.timeout(30):
            await work(first, second)
        first.close()
        second.close()
        await first.gone.wait()

    asyncio.run(run())


def test_what_is_asked_is_answered() -> None:
    async def slow(value: int) -> int:
        await asyncio.sleep(0.05)
        return value + 1

    async def work(first: Peer, _: Peer) -> None:
        slow, quick = await asyncio.gather(first.ask("slow", 1), first.ask("quick", 1))
        assert (slow, quick) == (2, -1)

    joined(work, slow=slow, quick=lambda value: -value)


def test_what_is_told_comes_in_its_order() -> None:
    heard: list[int] = []

    async def work(first: Peer, _: Peer) -> None:
        for number in range(100):
            first.tell("told", number)
        assert await first.ask("told", 100) is None
        assert heard == list(range(101))

    joined(work, told=heard.append)


def test_what_goes_wrong_there_goes_wrong_here() -> None:
    def fail(_: object) -> None:
        raise ValueError("no")

    async def fail_later(_: object) -> None:
        raise ValueError("never")

    async def work(first: Peer, _: Peer) -> None:
        with pytest.raises(PeerGone, match="no"):
            await first.ask("fail")
        with pytest.raises(PeerGone, match="never"):
            await first.ask("fail_later")

    joined(work, fail=fail, fail_later=fail_later)


def test_who_has_ended_answers_no_more() -> None:
    async def forever(_: object) -> None:
        await asyncio.Event().wait()

    async def work(first: Peer, second: Peer) -> None:
        asked = asyncio.ensure_future(first.ask("forever"))
        await asyncio.sleep(0.05)
        second.close()
        with pytest.raises(PeerGone, match="ended"):
            await asked
        await first.gone.wait()
        with pytest.raises(PeerGone):
            first.tell("told")

    joined(work, forever=forever)


def test_who_does_not_answer_is_not_waited_for() -> None:
    async def forever(_: object) -> None:
        await asyncio.Event().wait()

    async def work(first: Peer, _: Peer) -> None:
        with pytest.raises(PeerGone, match="no answer"):
            await first.ask("forever", patience=0.05)

    joined(work, forever=forever)
