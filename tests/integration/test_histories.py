"""Many clients write and read registers while replicas stand still at random: what each level forbids is never seen."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from replication.sandbox import Cluster, LocalServer
from tests.support.clients import Connection, connect, run
from tests.support.lightclient import LightClient
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import DEADLINE, wait_until
from tests.support.wireclient import Login
from topology.consistency import Level

SCHEMA = "histories_test"
SECONDS = 6.0
# So many reads at least that see an old value, or there was nothing to be wrong about.
BEHIND = 10
# A write to one of the first two shows in the other as well.
TABLES = ("written", "shadow", "plain", "alone")
REGISTERS = 4
PAUSE = 0.004
DEFINITIONS = (
    *(f"CREATE TABLE {table} (id INT PRIMARY KEY, v INT NOT NULL)" for table in TABLES),
    *(f"INSERT INTO {table} VALUES {', '.join(f'({n}, 0)' for n in range(REGISTERS))}" for table in TABLES),
    "CREATE TRIGGER shows AFTER UPDATE ON written FOR EACH ROW UPDATE shadow SET v = NEW.v WHERE id = NEW.id",
)
Register = tuple[str, int]


@pytest.fixture
def proxy(shared_cluster: Cluster) -> Iterator[ProxyProcess]:
    with running_proxy(shared_cluster) as proxy, connect(shared_cluster, proxy) as connection:
        run(connection, f"DROP DATABASE IF EXISTS {SCHEMA}")
        run(connection, f"CREATE DATABASE {SCHEMA}")
        run(connection, f"USE {SCHEMA}")
        for text in DEFINITIONS:
            run(connection, text)
        wait_until(lambda: _fresh(connection), "replicas are fresh")
        yield proxy
        run(connection, f"DROP DATABASE {SCHEMA}")


def _fresh(connection: Connection) -> bool:
    return all(row[6] == "yes" for row in run(connection, "SHOW PROXY SERVERS"))


class History:
    """What was acknowledged of each register, through the proxy and past it, and what reads saw against the rules."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.until = time.monotonic() + SECONDS
        self.values: Counter[Register] = Counter()
        self.acknowledged: Counter[Register] = Counter()
        self.past: Counter[Register] = Counter()
        self.reads: Counter[str] = Counter()
        self.stale: list[str] = []
        self.behind = 0

    @property
    def going(self) -> bool:
        now = time.monotonic()
        return now < self.until or (self.behind <= BEHIND and now < self.until + DEADLINE)

    async def pause(self) -> None:
        await asyncio.sleep(self.random.random() * 2 * PAUSE)

    def shows(self, register: Register) -> list[Register]:
        """The registers that have the value of this one once it is written."""
        return [register, ("shadow", register[1])] if register[0] == "written" else [register]

    async def write(self, client: LightClient, register: Register, *, past: bool) -> None:
        """Count one up; nobody else writes it meanwhile."""
        self.values[register] += 1
        value = self.values[register]
        begun = self.random.random() < 0.3
        for text in ("BEGIN",) * begun + (_update(register, value),) + ("COMMIT",) * begun:
            await client.run(text)
        for shown in self.shows(register):
            self.past[shown] = value
            if not past:
                self.acknowledged[shown] = value

    async def writer(self, client: LightClient, registers: list[Register], *, past: bool) -> None:
        """Write, and read the own writes; through the proxy at the level `session`."""
        while self.going:
            register = self.random.choice(registers)
            await self.write(client, register, past=past)
            if not past:
                await self.read(client, self.random.choice(self.shows(register)), Level.SESSION, self.values[register])
            await self.pause()

    async def reader(self, client: LightClient, level: Level) -> None:
        """Read anything."""
        seen: Counter[Register] = Counter()
        while self.going:
            register = self.random.choice(TABLES), self.random.randrange(REGISTERS)
            floor = {
                Level.EVENTUAL: 0,
                Level.MONOTONIC: seen[register],
                Level.GLOBAL: self.acknowledged[register],
                Level.STRICT: self.past[register],
            }[level]
            newest = self.past[register]
            seen[register] = await self.read(client, register, level, floor)
            self.behind += level is Level.EVENTUAL and seen[register] < newest
            await self.pause()

    async def read(self, client: LightClient, register: Register, level: Level, floor: int) -> int:
        """The value of a register, which must not be below `floor`."""
        table, number = register
        text = f"/* manyreads: consistency={level} */ SELECT v FROM {SCHEMA}.{table} WHERE id = {number}"
        ((found,),) = await client.run(text)
        value = int(found or 0)
        self.reads[level] += 1
        if value < floor:
            self.stale.append(f"{level}: {register} was {value}, not {floor}")
        return value

    async def stand_still(self, client: LightClient) -> None:
        """A replica that applies nothing for a while, again and again."""
        while self.going:
            await client.run("FLUSH TABLES WITH READ LOCK")
            await asyncio.sleep(self.random.random() * 0.3)
            await client.run("UNLOCK TABLES")
            await asyncio.sleep(self.random.random() * 0.3)


def _update(register: Register, value: int) -> str:
    return f"UPDATE {SCHEMA}.{register[0]} SET v = {value} WHERE id = {register[1]}"


async def histories(cluster: Cluster, proxy: ProxyProcess, history: History) -> None:
    """All clients at work."""
    primary, *replicas = cluster.servers
    login = Login(primary.user, primary.password)

    async def client(server: LocalServer | ProxyProcess = proxy) -> LightClient:
        found = await LightClient.connect(server.host, server.port, login)
        stack.callback(found.close)
        return found

    own = [(table, number) for table in ("written", "plain") for number in range(REGISTERS)]
    with ExitStack() as stack:
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(history.writer(await client(), own[number::4], past=False))
            group.create_task(
                history.writer(await client(primary), [("alone", number) for number in range(REGISTERS)], past=True)
            )
            for level in (Level.EVENTUAL, Level.MONOTONIC, Level.GLOBAL, Level.STRICT):
                for _ in range(3):
                    group.create_task(history.reader(await client(), level))
            for replica in replicas:
                group.create_task(history.stand_still(await client(replica)))
    # The closing of connections needs a moment of the loop.
    await asyncio.sleep(0.1)


def test_no_level_is_broken_while_replicas_stand_still(shared_cluster: Cluster, proxy: ProxyProcess) -> None:
    seed = random.randrange(1 << 32)
    history = History(seed)
    asyncio.run(histories(shared_cluster, proxy, history))
    assert history.stale == [], f"seed {seed}"
    assert history.behind > BEHIND, "reads at eventual see that replicas are behind"
    assert all(history.reads[level] > 20 for level in Level), history.reads
    with connect(shared_cluster, proxy) as connection:
        counts = {row[0]: row[7] for row in run(connection, "SHOW PROXY SERVERS")}
    assert counts["dbread1"] > 50
    assert counts["dbread2"] > 50
