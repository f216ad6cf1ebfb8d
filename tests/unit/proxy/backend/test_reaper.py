"""Which connections are killed for clients that are gone, and for how long they stay open."""

import asyncio
from collections.abc import Coroutine
from typing import Self, cast

import pytest

from proxy.backend import reaper as module
from proxy.backend.connection import BackendConnection, Owner, Sink
from proxy.backend.greetings import Greetings
from proxy.backend.login import Identity
from proxy.backend.origin import Origin
from proxy.backend.reaper import Reaper
from proxy.errors import ServerLost
from proxy.wire.capabilities import Layout
from proxy.wire.clientlogin import Safety
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.replies import Err
from proxy.wire.secret import secret_of
from topology.servers import Role, Server

SERVER = Server("dbwrite", "127.0.0.1", 1, Role.PRIMARY)
SAFETY = Safety(private=True)
IDENTITY = Identity("u", secret_of(b"p"), 0, 0, 45, "app", b"", Origin(("10.1.2.3", 1), ("10.9.9.9", 2)))


class Link(BackendConnection):
    """A connection whose server is the test."""

    def __init__(self, thread: int) -> None:
        super().__init__(SERVER, thread, 0, SAFETY, 2, cast(Owner, None))
        self.log: list[str] = []

    def redirect(self, sink: Sink) -> None:
        self.sink = sink

    def send(self, packet: bytes, exchange: Exchange, sink: Sink) -> None:
        self.log.append(packet[5:].decode())
        self.sink = sink

    def close(self) -> None:
        self.log.append("closed")

    def answer(self) -> None:
        exchange = Exchange(Reply.RESULT, Layout())
        exchange.feed(b"\7\0\0\1\0\0\0\2\0\0\0")
        self.sink.reply_chunk(self, exchange, b"")


class Bench:
    """A reaper, the connections that it opens, and a switch that lets them open."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tasks: list[asyncio.Task[None]] = []
        self.killers: list[Link] = []
        self.identities: list[Identity] = []
        self.may_open = asyncio.Event()
        self.failure: Exception | None = None
        monkeypatch.setattr(module, "open_connection", self._open)
        self.reaper = Reaper(self._spawn, 5.0, cast(Greetings, None))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    async def _open(
        self, server: Server, identity: Identity, owner: Owner, within: float, greetings: Greetings
    ) -> BackendConnection:
        self.killers.append(Link(900 + len(self.killers)))
        self.identities.append(identity)
        await self.may_open.wait()
        if self.failure is not None:
            raise self.failure
        return self.killers[-1]

    def take(self, thread: int) -> Link:
        link = Link(thread)
        self.reaper.take(link, IDENTITY)
        return link

    async def settle(self) -> Self:
        for _ in range(10):
            await asyncio.sleep(0)
        return self


def test_a_running_statement_is_killed_and_its_connection_is_open_until_then(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        bench = Bench(monkeypatch)
        link = bench.take(17)
        bench.may_open.set()
        await bench.settle()
        (killer,) = bench.killers
        assert (killer.log, link.log) == (["KILL 17"], [])
        # It may have no schema any more.
        assert bench.identities[0].database == ""
        killer.answer()
        await bench.settle()
        assert (killer.log, link.log) == (["KILL 17", "closed"], ["closed"])

    asyncio.run(scene())


@pytest.mark.parametrize("how", ["answered", "broken"])
def test_a_statement_that_ends_by_itself_is_not_killed(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    async def scene() -> None:
        bench = Bench(monkeypatch)
        link = bench.take(17)
        await bench.settle()
        if how == "answered":
            link.answer()
        else:
            link.sink.connection_broken(link, "gone")
        bench.may_open.set()
        await bench.settle()
        (killer,) = bench.killers
        assert (killer.log, link.log) == (["closed"], ["closed"])

    asyncio.run(scene())


def test_a_server_that_takes_no_connection_leaves_the_statement_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        bench = Bench(monkeypatch)
        bench.failure = ServerLost(Err(1040, "Too many connections"))
        link = bench.take(17)
        bench.may_open.set()
        await bench.settle()
        assert link.log == ["closed"]
        assert all(task.done() and task.exception() is None for task in bench.tasks)

    asyncio.run(scene())


def test_many_clients_that_go_at_once_are_dealt_with_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        bench = Bench(monkeypatch)
        links = [bench.take(number) for number in range(20)]
        await bench.settle()
        assert len(bench.killers) == 8
        bench.may_open.set()
        while not all(link.log for link in links):
            await bench.settle()
            for killer in bench.killers:
                if killer.log == [f"KILL {links[bench.killers.index(killer)].thread}"]:
                    killer.answer()
        assert len(bench.killers) == 20

    asyncio.run(scene())


def test_there_is_a_limit_to_those_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        bench = Bench(monkeypatch)
        for number in range(1000):
            bench.take(number)
        await bench.settle()
        assert bench.take(1000).log == ["closed"]
        for task in bench.tasks:
            task.cancel()

    asyncio.run(scene())
