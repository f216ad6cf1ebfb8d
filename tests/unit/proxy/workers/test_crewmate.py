"""What a worker asks of the others, through a parent that is the test."""

import asyncio
from typing import Any, cast

import pytest

from proxy.session.shared.context import Context
from proxy.workers.crewmate import Crewmate
from proxy.workers.peer import Peer, PeerGone


class Parent:
    """Notes what it is asked, and answers always the same; with None as the answer it is gone."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked: list[tuple[str, object]] = []

    async def ask(self, name: str, value: Any = None, patience: float = 10.0) -> object:
        self.asked.append((name, value))
        if self.answer is None:
            raise PeerGone("the parent has ended")
        return self.answer


@pytest.mark.parametrize("answer", ["the session as it was", None])
def test_a_session_of_any_worker_is_closed(answer: Any) -> None:
    parent = Parent(answer)
    crewmate = Crewmate(cast(Peer, parent), 1, cast(Context, None))
    assert asyncio.run(crewmate.end_session(7)) == answer
    assert parent.asked == [("end_session", 7)]
