"""For how long statements may run, and what servers are told of it."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import cast

import pytest

from proxy.backend.connection import BackendConnection, Owner, Sink
from proxy.backend.login import Identity
from proxy.backend.origin import Origin
from proxy.errors import ServerLost, ServerRefused
from proxy.session.core.sentence import Sentence
from proxy.session.running import deadline as module
from proxy.session.running.deadline import Deadline
from proxy.session.running.turn import Turn
from proxy.session.shared.context import Context
from proxy.wire.clientlogin import Safety
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.replies import Err
from proxy.wire.secret import secret_of
from tests.support.machines import Session, query
from topology.config import Settings
from topology.servers import Health, Observation, Role, Server, ServerState, Snapshot, Vendor

DBWRITE = Server("dbwrite", "127.0.0.1", 1, Role.PRIMARY)
IDENTITY = Identity("app", secret_of(b"p"), 0, 0, 45, "app", b"", Origin(("10.1.2.3", 1), ("10.9.9.9", 2)))


class Monitor:
    """Knows the primary."""

    def __init__(self, vendor: Vendor | None) -> None:
        seen = None if vendor is None else Observation(vendor=vendor)
        self.snapshot = Snapshot(ServerState(DBWRITE, Health.HEALTHY, observation=seen), ())


class Shared:
    """What a session's deadline wants of its context."""

    def __init__(self, settings: Settings, vendor: Vendor | None) -> None:
        self.settings, self.monitor = settings, Monitor(vendor)
        self.greetings = None
        self.timed_out = 0
        self._tasks: list[asyncio.Task[None]] = []

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))


def deadline(vendor: Vendor | None, **settings: object) -> Deadline:
    shared = cast(Context, Shared(Settings.model_validate(settings), vendor))
    return Deadline(shared, IDENTITY, Turn(), Sentence(), lambda link: None)


@pytest.mark.parametrize(
    ("vendor", "settings", "told"),
    [
        (Vendor.MARIADB, {}, None),
        (Vendor.MARIADB, {"statement_timeout": 2.5}, ("max_statement_time", "2.500000")),
        (Vendor.MYSQL, {"statement_timeout": 2.5}, ("max_execution_time", "2500")),
        (Vendor.MYSQL, {"statement_timeout": 0.0001}, ("max_execution_time", "1")),
        (Vendor.MYSQL, {"statement_timeout": 2, "user_statement_timeouts": ["app=0"]}, None),
        (Vendor.MYSQL, {"user_statement_timeouts": ["other=1", "app=3.5"]}, ("max_execution_time", "3500")),
        (None, {"statement_timeout": 2.5}, None),
    ],
)
def test_what_servers_are_told(
    vendor: Vendor | None, settings: dict[str, object], told: tuple[str, str] | None
) -> None:
    setting = deadline(vendor, **settings).setting
    assert (None if setting is None else (setting.name, setting.value)) == told


@pytest.mark.parametrize(("seconds", "rule", "limit"), [(0, 0, 0), (2, 0, 2), (0, 3, 3), (2, 3, 2), (4, 3, 3)])
def test_the_shorter_time_counts(seconds: float, rule: float, limit: float) -> None:
    request = Session().request(query("SELECT 1"))
    request.limit = rule
    assert deadline(Vendor.MYSQL, statement_timeout=seconds).limit_of(request) == limit


class Link(BackendConnection):
    """A connection whose server is the test: what it is sent, and how it ends."""

    def __init__(self, thread: int) -> None:
        super().__init__(DBWRITE, thread, 0, Safety(private=True), 2, cast(Owner, None))
        self.log: list[str] = []
        self.resting = False

    @property
    def at_rest(self) -> bool:
        return self.resting

    def send(self, packet: bytes, exchange: Exchange, sink: Sink) -> None:
        self.log.append(packet[5:].decode())
        self.sink = sink

    def close(self) -> None:
        self.log.append("closed")

    def abort(self, reason: str) -> None:
        self.log.append(f"aborted: {reason}")
        self.resting = True

    def answer(self) -> None:
        exchange = Exchange(Reply.RESULT, self.layout)
        exchange.feed(b"\7\0\0\1\0\0\0\2\0\0\0")
        self.sink.reply_chunk(self, exchange, b"")


class Scene:
    """A statement that has run for too long, and what comes of the attempts to open a connection for its KILL."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *failures: Exception) -> None:
        monkeypatch.setattr(module, "open_connection", self._open)
        monkeypatch.setattr(module, "_AGAIN", 0.01)
        self._failures = list(failures)
        self.may_open = asyncio.Event()
        self.killers: list[Link] = []
        self.over: list[BackendConnection] = []
        self.link, self.turn, self.sentence = Link(7), Turn(), Sentence()
        self.shared = Shared(Settings.model_validate({}), Vendor.MYSQL)
        self.deadline = Deadline(cast(Context, self.shared), IDENTITY, self.turn, self.sentence, self.over.append)

    async def _open(self, *_: object) -> BackendConnection:
        await self.may_open.wait()
        if self._failures:
            raise self._failures.pop(0)
        self.killers.append(killer := Link(8))
        return killer

    async def run(self) -> None:
        request = Session().request(query("SELECT 1"))
        request.limit = 0.001
        self.turn.begin(request)
        self.turn.sent(self.link, Exchange(Reply.RESULT, self.link.layout))
        self.deadline.begin(request)
        await self.until(lambda: self.deadline.under_way)

    def asked(self, number: int) -> bool:
        """Whether a server was asked so many times."""
        return len(self.killers) == number and bool(self.killers[-1].log)

    @staticmethod
    async def until(condition: Callable[[], bool]) -> None:
        for _ in range(30_000):
            if condition():
                return
            await asyncio.sleep(0.001)
        raise AssertionError("waited in vain")


def test_nothing_else_runs_there_until_the_kill_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        scene = Scene(monkeypatch)
        await scene.run()
        assert scene.sentence.any
        scene.may_open.set()
        await scene.until(lambda: bool(scene.killers))
        # The statement ends, of itself or not, before the KILL is answered.
        scene.link.resting = True
        scene.turn.over()
        await asyncio.sleep(0.01)
        assert (scene.killers[0].log, scene.deadline.under_way, scene.over) == (["KILL QUERY 7"], True, [])
        scene.killers[0].answer()
        await scene.until(lambda: bool(scene.over))
        assert (scene.over, scene.sentence.any, scene.deadline.under_way) == ([scene.link], False, False)
        assert (scene.killers[0].log[-1], scene.shared.timed_out) == ("closed", 1)

    asyncio.run(test())


def test_a_statement_that_has_ended_is_not_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        scene = Scene(monkeypatch)
        await scene.run()
        scene.link.resting = True
        scene.turn.over()
        scene.may_open.set()
        await scene.until(lambda: bool(scene.over))
        assert (scene.killers[0].log, scene.shared.timed_out, scene.link.log) == (["closed"], 0, [])

    asyncio.run(test())


def test_one_that_is_not_hit_is_killed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        scene = Scene(monkeypatch, ServerRefused(Err(1040, "Too many connections")))
        await scene.run()
        scene.may_open.set()
        for number in (1, 2):
            await scene.until(functools.partial(scene.asked, number))
            scene.killers[-1].answer()
        scene.deadline.end()
        assert scene.link.log == []

    asyncio.run(test())


def test_a_server_that_takes_no_kill_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        scene = Scene(monkeypatch, ServerLost(Err(2013, "no answer")))
        await scene.run()
        scene.may_open.set()
        await scene.until(lambda: bool(scene.over))
        assert scene.link.log == ["aborted: it ran for longer than it may, and the server does not answer a KILL"]
        assert (scene.killers, scene.deadline.under_way) == ([], False)

    asyncio.run(test())
