"""Thousands of clients, most of them idle, on a few server connections: each finds what it has set."""

import asyncio
import resource
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace

import pytest

from replication.sandbox import Cluster
from tests.support.clients import connect, run
from tests.support.lightclient import LightClient
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.wireclient import CAPABILITIES, Login

# Other tests beside it make it longer than most.
pytestmark = pytest.mark.timeout(600)
CLIENTS = 2000
SERVER_CONNECTIONS = 20
# Clients at work at the same time: 5%.
AT_WORK = CLIENTS // 20
# One in so many sets something anew, and looks at it in the end.
GO_ON = 5
SCHEMAS = 7
# None that MySQL warns of: a session's warnings keep its connection for a while.
MODES = ("ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT", "IGNORE_SPACE")
NAMES = ("utf8mb4", "latin1", "latin2")
SHOWN = (
    "SELECT DATABASE(), @mine, @@time_zone, @@sql_mode, @@character_set_results, @@sql_select_limit, LAST_INSERT_ID()"
)


@pytest.fixture(scope="module", autouse=True)
def files() -> Iterator[None]:
    """Room for two ends of each connection: the proxy inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def proxy(shared_cluster: Cluster) -> Iterator[ProxyProcess]:
    """A proxy with few server connections, whose clients wait for them as long as it takes; and their schemas."""
    limits = ("--connection-sharing", "shared", "--server-connections", str(SERVER_CONNECTIONS))
    patience = ("--server-connection-wait", "600", "--login-timeout", "600")
    with running_proxy(shared_cluster, *limits, *patience) as running, connect(shared_cluster, running) as client:
        for number in range(SCHEMAS):
            run(client, f"CREATE DATABASE many_{number}")
            run(client, f"CREATE TABLE many_{number}.noted (id INT PRIMARY KEY AUTO_INCREMENT, client INT)")
        yield running
        for number in range(SCHEMAS):
            run(client, f"DROP DATABASE many_{number}")


class Session:
    """One client with values that are no other's, or only of few others."""

    def __init__(self, number: int, client: LightClient) -> None:
        self._number = number
        self._client = client
        self._round = 0

    async def begin(self) -> None:
        """Set everything for the first time."""
        await self._client.run(f"SET NAMES {NAMES[self._number % len(NAMES)]}")
        await self._client.run(f"INSERT INTO noted (client) VALUES ({self._number})")
        await self._set()

    async def look(self) -> None:
        """Everything is as it was left."""
        assert await self._client.run(SHOWN) == [self._wanted()]

    async def go_on(self) -> None:
        """Some of it is set anew."""
        self._round += 1
        await self._set()

    def close(self) -> None:
        """The client goes."""
        self._client.close()

    async def _set(self) -> None:
        await self._client.run(
            f"SET @mine = {self._mine}, time_zone = '{self._zone}', sql_mode = '{self._mode}', "
            f"sql_select_limit = {self._limit}"
        )

    def _wanted(self) -> tuple[str, ...]:
        schema, names = f"many_{self._number % SCHEMAS}", NAMES[self._number % len(NAMES)]
        shown = (str(self._mine), self._zone, self._mode, names, str(self._limit), str(self._client.insert_id))
        return schema, *shown

    @property
    def _mine(self) -> int:
        return self._number * 1000 + self._round

    @property
    def _zone(self) -> str:
        # Whole hours: MariaDB 10.11 takes some offsets for others.
        return f"+{(self._number + self._round) % 13:02}:00"

    @property
    def _mode(self) -> str:
        return MODES[(self._number + self._round) % len(MODES)]

    @property
    def _limit(self) -> int:
        return 10 + (self._number + self._round) % 1000


async def work(proxy: ProxyProcess, login: Login) -> None:
    """All clients connect and look in turns, so many at a time, and some go on."""
    turn = asyncio.Semaphore(AT_WORK)

    async def opened(number: int) -> Session:
        async with turn:
            own = replace(login, database=f"many_{number % SCHEMAS}")
            session = Session(number, await LightClient.connect(proxy.host, proxy.port, own))
            await session.begin()
            return session

    async def in_turn(step: Callable[[], Coroutine[None, None, None]]) -> None:
        async with turn:
            await step()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(opened(number)) for number in range(CLIENTS)]
    sessions = [task.result() for task in tasks]
    some = sessions[::GO_ON]
    for steps in ([each.look for each in sessions], [each.go_on for each in some], [each.look for each in some]):
        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(in_turn(step))
    for session in sessions:
        session.close()


def test_values_stay_with_their_clients(shared_cluster: Cluster, proxy: ProxyProcess) -> None:
    primary = shared_cluster.servers[0]
    login = Login(primary.user, primary.password, "", CAPABILITIES)
    asyncio.run(work(proxy, login))
    assert "Traceback" not in proxy.log
