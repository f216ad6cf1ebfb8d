"""The pool, with connections whose server is the test."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import cast

import pytest

from proxy.admin.views import PoolFigure
from proxy.backend.connection import BackendConnection, Owner, Sink
from proxy.backend.login import Identity
from proxy.backend.origin import Origin
from proxy.backend.places import Given, PoolLimits, Wish
from proxy.backend.pool import Pool
from proxy.errors import ServerLost, ServerRefused
from proxy.routing.forms import Form
from proxy.routing.told import Fit, Told
from proxy.wire.clientlogin import Safety
from proxy.wire.constants import CLIENT_FOUND_ROWS
from proxy.wire.exchange import Exchange
from proxy.wire.replies import Err
from proxy.wire.secret import secret_of
from topology.servers import Role, Server

SERVER = Server("dbwrite", "127.0.0.1", 1, Role.PRIMARY)
APP = Identity("app", secret_of(b"p"), 0, 0, 45, "app", b"", Origin(("10.1.2.3", 1), ("10.9.9.9", 2)))
OTHER = replace(APP, user="other")
WITH_FOUND_ROWS = replace(APP, capabilities=CLIENT_FOUND_ROWS)


# What a connection has behind the login of such a session.
FRESH = Told((("use", b"app"),))


class Link(BackendConnection):
    """A connection that only notes what happens to it."""

    def __init__(self) -> None:
        super().__init__(SERVER, 7, 0, Safety(private=True), 2, cast(Owner, None))
        self.log: list[bytes] = []

    @property
    def alive(self) -> bool:
        return b"closed" not in self.log

    def send(self, packet: bytes, exchange: Exchange, sink: Sink) -> None:
        self.log.append(packet[4:])

    def write(self, data: bytes) -> None:
        self.log.append(data)

    def close(self) -> None:
        self.log.append(b"closed")
        self._gone()


class Session:
    """A session that has at most one connection. `busy` keeps it, `warned` keeps it for a moment."""

    def __init__(self) -> None:
        self.link: BackendConnection | None = None
        self.told: Told | None = None
        self.error: ServerLost | ServerRefused | None = None
        self.busy = False
        self.warned = False
        self.has = Told()
        self.parts: Callable[[], None] | None = None

    def done(self, outcome: Given | ServerLost | ServerRefused) -> None:
        if isinstance(outcome, Given):
            self.link, self.told = outcome.link, outcome.told
        else:
            self.error = outcome

    def may_part(self, link: BackendConnection) -> bool:
        return not self.busy

    def owes(self, link: BackendConnection) -> bool:
        return self.warned

    def part(self, link: BackendConnection, done: Callable[[Told | None], None]) -> None:
        def finish() -> None:
            self.link = None
            done(self.has)

        if self.parts is not None:
            self.parts = finish
        else:
            finish()

    def reply_chunk(self, connection: BackendConnection, exchange: Exchange, chunk: bytes) -> None:
        raise NotImplementedError

    def connection_broken(self, connection: BackendConnection, reason: str) -> None:
        self.link = None

    def pause_client(self) -> None:
        raise NotImplementedError

    def resume_client(self) -> None:
        raise NotImplementedError


class Bench:
    """A pool, and the outcomes that its attempts to open a connection have."""

    def __init__(self, limits: PoolLimits, allowed: int = 100) -> None:
        self.failures: list[ServerRefused | ServerLost] = []
        self.opened: list[Link] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.pool = Pool(limits, self._open, self._spawn, lambda _: allowed, lambda _: 30.0)

    def _spawn(self, work: Coroutine[None, None, None]) -> object:
        self._tasks.append(task := asyncio.get_running_loop().create_task(work))
        return task

    async def _open(self, server: Server, identity: Identity, owner: Owner) -> BackendConnection:
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        self.opened.append(link := Link())
        return link

    async def get(self, session: Session, identity: Identity = APP, fit: Fit = Fit.SAME) -> Wish:
        wish = Wish(SERVER, identity, session, lambda _: fit, session.done, account=b"rights", fresh=FRESH)
        self.pool.get(wish)
        await self.settle()
        return wish

    async def settle(self) -> None:
        while self._tasks:
            await self._tasks.pop(0)

    async def tick(self, times: int = 1) -> None:
        """Let the pool's clock go on, faster than time does."""
        keeping = asyncio.get_running_loop().create_task(self.pool.keep(0.001))
        await asyncio.sleep(0.001 * times + 0.01)
        keeping.cancel()
        await self.settle()


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(test())


def test_each_gets_its_own_as_long_as_there_is_room() -> None:
    async def test() -> None:
        bench, one, two = Bench(PoolLimits()), Session(), Session()
        await bench.get(one)
        await bench.get(two)
        assert (one.link, two.link) == tuple(bench.opened)
        assert (one.told, two.told) == (None, None)

    run(test)


def test_what_a_session_leaves_behind_is_used_with_what_it_has() -> None:
    async def test() -> None:
        bench, one, two = Bench(PoolLimits()), Session(), Session()
        await bench.get(one)
        assert one.link is not None
        bench.pool.release(one.link, Told(insert_id=5), primary=False)
        await bench.get(two)
        assert (two.link, two.told) == (bench.opened[0], Told(insert_id=5))

    run(test)


def test_ended_sessions_leave_few_connections_behind_on_the_primary() -> None:
    async def test() -> None:
        bench, sessions = Bench(PoolLimits()), [Session() for _ in range(4)]
        for session in sessions:
            await bench.get(session)
        for session in sessions:
            assert session.link is not None
            bench.pool.release(session.link, Told(), primary=True)
        assert [link.log for link in bench.opened] == [[], [], [b"closed"], [b"closed"]]

    run(test)


def test_without_room_it_is_taken_from_a_session_at_rest_and_in_turn() -> None:
    async def test() -> None:
        bench, sessions = Bench(PoolLimits(most=2)), [Session() for _ in range(4)]
        for session in sessions:
            await bench.get(session)
        assert [session.link for session in sessions] == [None, None, *bench.opened]
        sessions[2].busy = True
        await bench.get(sessions[0])
        assert (sessions[0].link, sessions[3].link) == (bench.opened[1], None)

    run(test)


def test_who_waits_is_served_in_order_when_a_command_is_over() -> None:
    async def test() -> None:
        bench, busy, first, second = Bench(PoolLimits(most=1)), Session(), Session(), Session()
        await bench.get(busy)
        busy.busy = True
        for session in (first, second):
            await bench.get(session)
        assert (bench.pool.waiting, first.link, second.link) == (2, None, None)
        busy.busy, first.busy = False, True
        bench.pool.offer(SERVER)
        assert (bench.pool.waiting, busy.link, first.link, second.link) == (1, None, bench.opened[0], None)

    run(test)


def test_a_session_that_gives_up_is_passed_over() -> None:
    async def test() -> None:
        bench, busy, gone, last = Bench(PoolLimits(most=1)), Session(), Session(), Session()
        await bench.get(busy)
        busy.busy = True
        wish = await bench.get(gone)
        await bench.get(last)
        wish.end()
        busy.busy = False
        bench.pool.offer(SERVER)
        assert (gone.link, last.link) == (None, bench.opened[0])

    run(test)


def test_waiting_ends_with_an_error_that_says_what_to_change() -> None:
    async def test() -> None:
        bench, busy, late = Bench(PoolLimits(most=1, wait=0.01)), Session(), Session()
        await bench.get(busy)
        busy.busy = True
        await bench.get(late)
        await asyncio.sleep(0.05)
        assert isinstance(late.error, ServerRefused)
        assert (late.error.err.errno, late.error.err.sqlstate) == (1040, "08004")
        assert "all 1 server connections to dbwrite" in late.error.err.message
        assert "server_connection_wait" in late.error.err.message

    run(test)


def test_waiting_ends_in_time_however_often_it_begins_anew() -> None:
    class Undecided(Session):
        """It says that others can have its connection, and keeps it when they want it."""

        asked = 0

        def part(self, link: BackendConnection, done: Callable[[Told | None], None]) -> None:
            self.asked += 1
            self.busy = True
            done(None)

    async def test() -> None:
        bench, one, late = Bench(PoolLimits(most=1)), Undecided(), Session()
        await bench.get(one)
        begin = asyncio.get_running_loop().time()
        bench.pool.get(Wish(SERVER, APP, late, lambda _: Fit.SAME, late.done, until=begin + 0.05))
        while late.error is None:
            one.busy = False
            bench.pool.offer(SERVER)
            await asyncio.sleep(0.001)
            assert asyncio.get_running_loop().time() < begin + 5
        assert one.asked > 1
        assert late.error.err.errno == 1040

    run(test)


def test_another_kind_makes_room() -> None:
    async def test() -> None:
        bench, one, two, three = Bench(PoolLimits(most=1)), Session(), Session(), Session()
        await bench.get(one)
        await bench.get(two, OTHER)
        assert (one.link, two.link, bench.opened[0].log) == (None, bench.opened[1], [b"closed"])
        await bench.get(three, WITH_FOUND_ROWS)
        assert (two.link, three.link) == (None, bench.opened[2])

    run(test)


def test_one_that_is_not_fit_is_replaced() -> None:
    async def test() -> None:
        bench, one, two = Bench(PoolLimits(most=1)), Session(), Session()
        await bench.get(one)
        await bench.get(two, fit=Fit.UNFIT)
        assert (one.link, two.link, bench.opened[0].log) == (None, bench.opened[1], [b"closed"])

    run(test)


def test_what_is_being_taken_goes_to_others_if_the_taker_is_gone() -> None:
    async def test() -> None:
        bench, one, gone, two = Bench(PoolLimits(most=1)), Session(), Session(), Session()
        await bench.get(one)
        one.parts = lambda: None
        wish = await bench.get(gone)
        await bench.get(two)
        wish.end()
        one.parts()
        assert (one.link, gone.link, two.link) == (None, None, bench.opened[0])

    run(test)


def test_a_connection_that_cannot_be_had_after_all() -> None:
    class Keeper(Session):
        def part(self, link: BackendConnection, done: Callable[[Told | None], None]) -> None:
            self.busy = True
            done(None)

    async def test() -> None:
        bench, keeper, two = Bench(PoolLimits(most=1)), Keeper(), Session()
        await bench.get(keeper)
        await bench.get(two)
        assert (keeper.link, two.link, bench.pool.waiting) == (bench.opened[0], None, 1)

    run(test)


def test_a_lost_connection_makes_room() -> None:
    async def test() -> None:
        bench, busy, late = Bench(PoolLimits(most=1)), Session(), Session()
        await bench.get(busy)
        busy.busy = True
        await bench.get(late)
        bench.opened[0].abort("gone")
        await bench.settle()
        assert late.link is bench.opened[1]

    run(test)


def test_a_server_that_takes_no_more_is_believed() -> None:
    async def test() -> None:
        bench, one, two = Bench(PoolLimits()), Session(), Session()
        await bench.get(one)
        one.busy = True
        bench.failures.append(ServerRefused(Err(1040, "Too many connections", "08004")))
        await bench.get(two)
        assert (two.error, bench.pool.waiting, bench.pool.most(SERVER)) == (None, 1, 1)
        one.busy = False
        bench.pool.offer(SERVER)
        assert two.link is bench.opened[0]

    run(test)


def test_other_errors_are_the_sessions() -> None:
    async def test() -> None:
        bench, one = Bench(PoolLimits()), Session()
        bench.failures.append(error := ServerRefused(Err(1045, "Access denied", "28000")))
        await bench.get(one)
        assert one.error is error

    run(test)


def test_a_user_has_a_limit_of_its_own() -> None:
    async def test() -> None:
        bench, one, two, other = Bench(PoolLimits(per_user=1)), Session(), Session(), Session()
        await bench.get(one)
        await bench.get(other, OTHER)
        one.busy = True
        await bench.get(two)
        assert (two.link, bench.pool.waiting) == (None, 1)

    run(test)


def test_warnings_are_left_if_another_connection_will_do() -> None:
    async def test() -> None:
        bench, one, two, three = Bench(PoolLimits(most=2)), Session(), Session(), Session()
        await bench.get(one)
        await bench.get(two)
        one.warned = True
        await bench.get(three)
        assert (one.link, two.link, three.link) == (bench.opened[0], None, bench.opened[1])
        three.busy = True
        await bench.get(two)
        assert (one.link, two.link) == (None, bench.opened[0])

    run(test)


def test_free_connections_end_but_for_the_spare_ones() -> None:
    async def test() -> None:
        bench, sessions = Bench(PoolLimits(spare=1, idle=0.003)), [Session() for _ in range(3)]
        for session in sessions:
            await bench.get(session)
        for session in sessions[:2]:
            assert session.link is not None
            bench.pool.release(session.link, Told(), primary=False)
        await bench.tick(20)
        assert [link.log for link in bench.opened] == [[], [b"closed"], []]

    run(test)


def test_connections_are_opened_ahead_of_demand() -> None:
    async def test() -> None:
        bench, one, two = Bench(PoolLimits(spare=2)), Session(), Session()
        await bench.get(one)
        await bench.tick(20)
        assert len(bench.opened) == 3
        one.busy = True
        await bench.get(two)
        assert (two.link, two.told) == (bench.opened[1], FRESH)
        await bench.tick(20)
        assert len(bench.opened) == 4
        for session in (one, two):
            assert session.link is not None
            bench.pool.release(session.link, Told(), primary=False)
        bench.opened[3].close()
        bench.opened[2].close()
        bench.opened[1].close()
        await bench.tick(20)
        assert len(bench.opened) == 4

    run(test)


def test_none_is_opened_ahead_where_there_is_no_room() -> None:
    async def test() -> None:
        for limits in (PoolLimits(spare=2, most=1), PoolLimits(spare=2, per_user=1)):
            bench = Bench(limits)
            await bench.get(Session())
            await bench.tick(20)
            assert len(bench.opened) == 1

    run(test)


def test_what_cannot_be_opened_ahead_is_not_tried_again_by_itself() -> None:
    async def test() -> None:
        bench, one, two = Bench(PoolLimits(spare=1)), Session(), Session()
        one.busy = True
        await bench.get(one)
        bench.failures = [ServerRefused(Err(1045, "Access denied")), ServerLost(Err(2003, "gone"))]
        await bench.tick(20)
        assert len(bench.failures) == 1
        bench.failures.clear()
        await bench.get(two)
        assert two.told is None
        await bench.tick(20)
        assert len(bench.opened) == 3

    run(test)


def test_none_is_opened_ahead_for_a_session_that_is_the_only_one_of_its_kind() -> None:
    async def test() -> None:
        bench, one = Bench(PoolLimits(spare=1)), Session()
        wish = Wish(SERVER, APP, one, lambda _: Fit.SAME, one.done, account=object())
        bench.pool.get(wish)
        await bench.settle()
        await bench.tick(20)
        assert len(bench.opened) == 1
        assert one.link is not None
        bench.pool.reveal(one.link, APP, b"rights")
        await bench.tick(20)
        assert len(bench.opened) == 2

    run(test)


def test_old_connections_end_when_their_session_can_do_without() -> None:
    async def test() -> None:
        bench, idle, busy = Bench(PoolLimits(lifetime=0.001)), Session(), Session()
        for session in (idle, busy):
            await bench.get(session)
        busy.busy = True
        await bench.tick(20)
        assert [link.log for link in bench.opened] == [[b"closed"], []]
        assert (idle.link, busy.link) == (None, bench.opened[1])

    run(test)


def test_what_free_connections_have_prepared_is_closed_on_demand() -> None:
    async def test() -> None:
        bench, one = Bench(PoolLimits()), Session()
        await bench.get(one)
        assert one.link is not None
        one.link.seen.statements = {Form(): 3, Form(): 4}
        assert not bench.pool.relieve(SERVER)
        bench.pool.release(one.link, Told(), primary=False)
        assert bench.pool.relieve(SERVER)
        assert bench.opened[0].log == [b"\5\0\0\0\x19\3\0\0\0\5\0\0\0\x19\4\0\0\0"]
        assert not bench.pool.relieve(SERVER)

    run(test)


def test_figures() -> None:
    async def test() -> None:
        bench, sessions = Bench(PoolLimits(most=3)), [Session() for _ in range(4)]
        for session in sessions[:3]:
            await bench.get(session)
        sessions[0].busy = True
        assert sessions[2].link is not None
        bench.pool.release(sessions[2].link, Told(), primary=False)
        await bench.get(sessions[3], OTHER)
        assert list(bench.pool.figures()) == [
            PoolFigure("dbwrite", "app", 2, 1, 1, 0, 0, 3),
            PoolFigure("dbwrite", "other", 1, 0, 1, 0, 0, 3),
        ]

    run(test)


def test_no_more_wait_than_may() -> None:
    async def test() -> None:
        bench, busy = Bench(PoolLimits(most=1, queue=2, wait=60.0)), Session()
        await bench.get(busy)
        busy.busy = True
        sessions = [Session() for _ in range(4)]
        wishes = [await bench.get(session) for session in sessions]
        refused = [session for session in sessions if session.error is not None]
        assert refused == sessions[2:]
        assert refused[0].error is not None
        assert refused[0].error.err.message == (
            "Too many connections: 2 sessions wait for a connection to dbwrite (127.0.0.1:1) already "
            "(server_connection_queue)"
        )
        assert (bench.pool.shed.counts["dbwrite", "queue"], bench.pool.waiting) == (2, 2)
        # Who does not wait any more leaves room for another one.
        wishes[0].end()
        last = Session()
        await bench.get(last)
        assert (last.error, bench.pool.waiting) == (None, 2)

    asyncio.run(test())


def test_what_is_shed_is_told_once_a_tick(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        bench, busy = Bench(PoolLimits(most=1, queue=1, wait=60.0)), Session()
        await bench.get(busy)
        busy.busy = True
        for _ in range(4):
            await bench.get(Session())
        await bench.tick(3)

    asyncio.run(test())
    assert [record.message for record in caplog.records if "got no connection" in record.message] == [
        "dbwrite (127.0.0.1:1): 3 statements or logins got no connection: too many want one "
        "(server_connections, server_connection_wait, server_connection_queue)"
    ]
