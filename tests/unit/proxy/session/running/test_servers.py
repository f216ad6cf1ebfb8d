"""What a session thinks of its servers while it waits for their connections; the pool and the monitor are the test."""

import asyncio
from typing import cast

import pytest

from proxy.backend.login import Identity
from proxy.backend.places import Holder, Wish
from proxy.errors import ServerRefused
from proxy.routing.balance import RoundRobin
from proxy.session.core.lastran import LastRan
from proxy.session.core.request import Request
from proxy.session.running.servers import Servers
from proxy.session.shared.context import Context
from proxy.wire.replies import Err
from tests.support.machines import PRIMARY, REPLICA, Session, query
from topology.consistency import Level
from topology.freshness import Freshness
from topology.servers import Health, Role, Server, ServerState, Snapshot

WAIT = 10.0
DBWRITE, DBREAD1, DBREAD2 = (
    Server(name, "127.0.0.1", 1, role)
    for name, role in ((PRIMARY, Role.PRIMARY), (REPLICA, Role.REPLICA), ("dbread2", Role.REPLICA))
)


class Monitor:
    """Two replicas, which the test makes fresh and healthy."""

    def __init__(self) -> None:
        self.freshness = Freshness()
        self.healthy(DBREAD1, DBREAD2)

    def healthy(self, *replicas: Server) -> None:
        states = [
            ServerState(server, Health.HEALTHY if server in replicas else Health.DOWN, "")
            for server in (DBREAD1, DBREAD2)
        ]
        self.snapshot = Snapshot(ServerState(DBWRITE, Health.HEALTHY, ""), tuple(states))

    def hopeful(self, seconds: float) -> bool:
        return False


class Settings:
    """What `Servers` wants to know."""

    def __init__(self, level: Level) -> None:
        self.consistency = level
        self.server_connection_wait = WAIT
        self.freshness_wait = 1.0
        self.primary_reads = "fallback"


class Shared:
    """The context of a session; a pool that keeps every wish."""

    def __init__(self, level: Level) -> None:
        self.settings, self.monitor, self.pool = Settings(level), Monitor(), self
        self.balancer = RoundRobin()
        self.wishes: list[Wish] = []
        self.withdraw = lambda link: None

    def get(self, wish: Wish) -> None:
        self.wishes.append(wish)


def servers(level: Level = Level.GLOBAL) -> tuple[Shared, Servers]:
    shared = Shared(level)
    return shared, Servers(cast(Context, shared), cast(Identity, None), Session().state, LastRan(), "test")


def request(text: str) -> Request:
    return Session().request(query(text))


def waiting_for(of: Servers, read: Request) -> Server:
    """Where a request goes, and then waits for its connection."""
    server = of.choose(read)
    assert server is not None
    of.open_for(read, server, cast(Holder, None), lambda outcome: None)
    return server


def test_a_replica_that_was_waited_for_is_used_whatever_was_written_since() -> None:
    async def test() -> None:
        shared, of = servers()
        shared.monitor.freshness.confirm(REPLICA, 0)
        read = request("SELECT 1")
        assert waiting_for(of, read) is DBREAD1
        shared.monitor.freshness.note_write()
        assert of.serves(DBREAD1, read)
        shared.monitor.healthy(DBREAD2)
        assert not of.serves(DBREAD1, read)

    asyncio.run(test())


def test_a_replica_that_has_lost_what_it_had_is_not() -> None:
    async def test() -> None:
        shared, of = servers()
        shared.monitor.freshness.confirm(REPLICA, 0)
        read = request("SELECT 1")
        assert waiting_for(of, read) is DBREAD1
        shared.monitor.freshness.forget(REPLICA)
        assert not of.serves(DBREAD1, read)

    asyncio.run(test())


def test_a_primary_that_was_waited_for_is_used_whichever_replica_is_fresh_by_now() -> None:
    async def test() -> None:
        shared, of = servers()
        shared.monitor.freshness.note_write()
        read = request("SELECT 1")
        assert waiting_for(of, read) is DBWRITE
        shared.monitor.freshness.confirm(REPLICA, 1)
        assert of.serves(DBWRITE, read)

    asyncio.run(test())


def test_monotonic_reads_choose_again() -> None:
    async def test() -> None:
        shared, of = servers(Level.MONOTONIC)
        shared.monitor.freshness.confirm(REPLICA, 10)
        read = request("SELECT 1")
        server = waiting_for(of, read)
        assert server is not DBWRITE
        assert not of.serves(server, read)

    asyncio.run(test())


def test_a_request_waits_once_for_however_many_connections() -> None:
    async def test() -> None:
        shared, of = servers()
        begin = asyncio.get_running_loop().time()
        read = request("SELECT 1")
        waiting_for(of, read)
        await asyncio.sleep(0.01)
        read.avoid = frozenset({PRIMARY})
        waiting_for(of, read)
        first, second = [wish.until for wish in shared.wishes]
        assert first is not None
        assert first == second
        assert begin + WAIT <= first < begin + WAIT + 5

    asyncio.run(test())


@pytest.mark.parametrize(("errno", "unfit"), [(1040, False), (1203, False), (1226, False), (1045, True)])
def test_a_replica_where_all_connections_are_in_use_can_be_had_later(errno: int, unfit: bool) -> None:
    async def test() -> None:
        shared, of = servers()
        of.open(DBREAD1, cast(Holder, None), lambda outcome: None)
        shared.wishes[0].done(ServerRefused(Err(errno, "no")))
        assert (REPLICA in of.unfit) == unfit

    asyncio.run(test())
