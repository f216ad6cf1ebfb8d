"""Holding writes until nothing is under way that had begun before."""

import asyncio
from types import SimpleNamespace
from typing import Any

from proxy.session.shared.alone import Alone
from proxy.session.shared.gate import Gate
from proxy.session.shared.holding import hold
from proxy.sql.own import Writes
from proxy.wire.replies import Err

ADDRESS = "10.0.0.1"


class Around:
    """What the rest of the process is to it: sessions that are in the middle of something or not, and accounts."""

    def __init__(self, *engaged: bool, superuser: bool = True) -> None:
        self.sessions = [SimpleNamespace(engaged=one) for one in engaged]
        self.gate = Gate(60.0)
        self.settings = SimpleNamespace(admin_users=("operator",))
        account = SimpleNamespace(superuser=superuser)
        self.directory = SimpleNamespace(find=lambda user, address: account if user == "known" else None)
        self.looks = 0
        own: Any = self
        self.colleagues = Alone(own, own)
        self.monitor = SimpleNamespace(
            look_twice=self._look, snapshot=SimpleNamespace(primary=SimpleNamespace(server="dbwrite"))
        )

    async def _look(self) -> None:
        self.looks += 1

    async def hold(self, seconds: float, user: str = "known", *, gone: bool = False) -> Err | None:
        context: Any = self
        return await hold(context, Writes(seconds), user, ADDRESS, lambda: gone)


def message(err: Err | None) -> str:
    return "" if err is None else err.message


def test_nothing_is_under_way() -> None:
    async def run() -> None:
        around = Around(False, False)
        assert await around.hold(60) is None
        assert around.gate.paused
        assert await around.hold(0) is None
        assert (around.gate.paused, around.looks) == (False, 1)

    asyncio.run(run())


def test_what_is_under_way_is_waited_for() -> None:
    async def run() -> None:
        around = Around(True, False)
        held = asyncio.create_task(around.hold(60))
        await asyncio.sleep(0.1)
        assert around.gate.paused
        assert not held.done()
        around.sessions[0].engaged = False
        async with asyncio.timeout(30):
            assert await held is None

    asyncio.run(run())


def test_what_does_not_end_is_not_waited_for_longer() -> None:
    async def run() -> None:
        around = Around(True, True)
        assert "2 sessions were still in a transaction" in message(await around.hold(0.1))
        assert not around.gate.paused

    asyncio.run(run())


def test_nobody_waits_for_the_answer_any_more() -> None:
    async def run() -> None:
        around = Around(True)
        async with asyncio.timeout(30):
            assert await around.hold(600, gone=True) is not None
        assert not around.gate.paused

    asyncio.run(run())


def test_who_may() -> None:
    async def run() -> None:
        assert await Around(superuser=True).hold(60, "known") is None
        assert await Around(superuser=False).hold(60, "operator") is None
        for around, user in ((Around(superuser=False), "known"), (Around(), "stranger")):
            assert "SUPER" in message(await around.hold(60, user))
            assert not around.gate.paused

    asyncio.run(run())
