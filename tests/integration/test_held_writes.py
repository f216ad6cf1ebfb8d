"""Writes held at an operator's wish, and a planned change of the primary meanwhile that no client notices."""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace

import pymysql
import pytest

from replication.errors import NotReady
from replication.handover import HandedOver, Options, hand_over
from replication.sandbox import Cluster, Flavor
from tests.support.clients import Connection, connect, direct, run
from tests.support.clusters import replicating_cluster
from tests.support.lightclient import LightClient
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until
from tests.support.wireclient import Login
from topology.environment import Deployment, deployment, read_environment
from topology.servers import Role, Server

CLIENTS = 24
PAUSE = 0.01


@pytest.fixture(scope="module", params=list(Flavor))
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with replicating_cluster(Flavor(request.param)) as made:
        with direct(made, made.servers[0]) as connection:
            run(connection, "CREATE DATABASE app")
            run(connection, "CREATE TABLE app.counts (id INT PRIMARY KEY, v INT NOT NULL) ENGINE = InnoDB")
            run(connection, "CREATE TABLE app.lists (id INT, n INT, PRIMARY KEY (id, n)) ENGINE = InnoDB")
            rows = ", ".join(f"({number}, 0)" for number in range(CLIENTS))
            run(connection, f"INSERT INTO app.counts VALUES {rows}")
            run(connection, "CREATE USER app@'%' IDENTIFIED BY 'App-1234'")
            run(connection, "GRANT ALL ON app.* TO app@'%'")
        yield made


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[ProxyProcess]:
    with running_proxy(cluster) as proxy:
        yield proxy


def as_server(cluster: Cluster, proxy: ProxyProcess) -> Server:
    primary = cluster.servers[0]
    return Server("proxy1", proxy.host, proxy.port, Role.PRIMARY, primary.user, primary.password)


def servers_with(cluster: Cluster, primary: str) -> Deployment:
    found = {server.name: server for server in deployment(read_environment({}, cluster.environment_file)).servers}
    first = replace(found.pop(primary), role=Role.PRIMARY)
    return Deployment(first, tuple(replace(server, role=Role.REPLICA) for server in found.values()))


class Load:
    """Clients that count up and append to lists, alone and in transactions, and read what was acknowledged."""

    def __init__(self) -> None:
        self.random = random.Random(random.randrange(1 << 32))
        self.going = True
        self.counts: Counter[int] = Counter()
        self.errors: list[str] = []
        self.stale: list[str] = []
        self.longest = 0.0

    async def timed(self, client: LightClient, text: str) -> list[tuple[str | None, ...]]:
        begun = time.monotonic()
        rows = await client.run(text)
        self.longest = max(self.longest, time.monotonic() - begun)
        return rows

    async def write(self, client: LightClient, number: int) -> None:
        """One more in a row and in a list, all or nothing."""
        done = self.counts[number] + 1
        for text in (
            "BEGIN",
            f"UPDATE app.counts SET v = v + 1 WHERE id = {number}",
            f"INSERT INTO app.lists VALUES ({number}, {done})",
            "COMMIT",
        ):
            await self.timed(client, text)
        self.counts[number] = done

    async def add(self, client: LightClient, number: int) -> None:
        """The same of a row that has no list, without a transaction."""
        await self.timed(client, f"UPDATE app.counts SET v = v + 1 WHERE id = {number}")
        self.counts[number] += 1

    async def work(self, client: LightClient, number: int) -> None:
        one = self.write if number % 2 else self.add
        while self.going:
            await one(client, number)
            other = self.random.randrange(CLIENTS)
            floor = self.counts[other]
            ((found,),) = await self.timed(client, f"SELECT v FROM app.counts WHERE id = {other}")
            if int(found or 0) < floor:
                self.stale.append(f"{other} was {found}, not {floor}")
            await asyncio.sleep(self.random.random() * 2 * PAUSE)

    async def guarded(self, client: LightClient, number: int) -> None:
        try:
            await self.work(client, number)
        except Exception as error:
            self.errors.append(f"{number}: {error!r}")

    def check(self, connection: Connection) -> None:
        """Nothing is lost, and nothing was done twice."""
        assert dict(run(connection, "SELECT id, v FROM app.counts")) == {n: self.counts[n] for n in range(CLIENTS)}
        lists = run(connection, "SELECT id, COUNT(*), MAX(n) FROM app.lists GROUP BY id")
        assert lists == tuple((n, self.counts[n], self.counts[n]) for n in range(CLIENTS) if n % 2)


async def switched(cluster: Cluster, proxy: ProxyProcess, load: Load) -> list[HandedOver]:
    """There and back under load."""
    primary = cluster.servers[0]
    results = []
    with ExitStack() as stack:
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                client = await LightClient.connect(proxy.host, proxy.port, Login(primary.user, primary.password))
                stack.callback(client.close)
                group.create_task(load.guarded(client, number))
            for old, new in (("dbwrite", "dbread1"), ("dbread1", "dbwrite")):
                await asyncio.sleep(2.0)
                options = Options(to=new, proxies=(as_server(cluster, proxy),))
                results.append(await hand_over(servers_with(cluster, old), options))
            await asyncio.sleep(1.0)
            load.going = False
    await asyncio.sleep(0.1)
    return results


def test_a_change_that_is_announced_is_an_error_for_nobody(cluster: Cluster, proxy: ProxyProcess) -> None:
    load = Load()
    results = asyncio.run(switched(cluster, proxy, load))
    print(f"clients waited {load.longest:.2f} s at most; {[result.paused for result in results]} s closed")
    assert load.errors == [], proxy.log
    assert load.stale == []
    assert [result.new.name for result in results] == ["dbread1", "dbwrite"]
    assert [result.ended for result in results] == [0, 0]
    with connect(cluster, proxy) as client:
        load.check(client)
        assert [row[0] for row in run(client, "SHOW PROXY SERVERS") if row[2] == "primary"] == ["dbwrite"]


def test_a_transaction_that_does_not_end_keeps_writes_from_being_held(cluster: Cluster, proxy: ProxyProcess) -> None:
    with connect(cluster, proxy) as within, connect(cluster, proxy) as other, connect(cluster, proxy) as operator:
        run(within, "BEGIN")
        run(within, "UPDATE app.counts SET v = v WHERE id = 0")
        with pytest.raises(pymysql.MySQLError, match="1 sessions were still in a transaction"):
            run(operator, "PROXY PAUSE WRITES FOR 0.3 SECONDS")
        run(other, "UPDATE app.counts SET v = v WHERE id = 1")
        with pytest.raises(NotReady, match="transactions under way"):
            asyncio.run(
                hand_over(
                    servers_with(cluster, "dbwrite"),
                    Options(to="dbread1", drain=0.5, proxies=(as_server(cluster, proxy),)),
                )
            )
        # They go on at once, not only when the time is up.
        begun = time.monotonic()
        run(other, "UPDATE app.counts SET v = v WHERE id = 1")
        assert time.monotonic() - begun < 3
        run(within, "COMMIT")


def test_what_is_held_and_for_how_long(cluster: Cluster, proxy: ProxyProcess) -> None:
    with connect(cluster, proxy) as operator, connect(cluster, proxy) as other:
        run(operator, "PROXY PAUSE WRITES FOR 60 SECONDS")
        assert len(run(other, "SELECT * FROM app.counts")) == CLIENTS
        done = threading.Event()

        def write() -> None:
            run(other, "UPDATE app.counts SET v = v WHERE id = 1")
            done.set()

        thread = threading.Thread(target=write)
        thread.start()
        assert not done.wait(0.5)
        run(operator, "PROXY RESUME WRITES")
        assert done.wait(30)
        thread.join()
        run(operator, "PROXY PAUSE WRITES FOR 0.5 SECONDS")
        run(other, "UPDATE app.counts SET v = v WHERE id = 1")


def test_questions_about_the_statement_before(cluster: Cluster) -> None:
    """They do not wait; what writes by the answer does, and what it asks about goes to another session meanwhile."""
    with (
        running_proxy(cluster, "--server-connections", "1") as proxy,
        connect(cluster, proxy) as operator,
        connect(cluster, proxy) as client,
        ThreadPoolExecutor() as others,
    ):
        run(client, "UPDATE app.counts SET v = v + 1 WHERE id < 3")
        run(operator, "PROXY PAUSE WRITES FOR 60 SECONDS")
        assert run(client, "SELECT ROW_COUNT()") == ((3,),)
        assert run(client, "SELECT ROW_COUNT()") == ((-1,),)
        run(operator, "PROXY RESUME WRITES")
        run(client, "UPDATE app.counts SET v = v - 1 WHERE id < 3")
        run(operator, "PROXY PAUSE WRITES FOR 60 SECONDS")
        write = others.submit(run, client, "INSERT INTO app.lists VALUES (100, ROW_COUNT())")
        # Long enough to have reached the proxy; if it has not, this shows less.
        assert not wait([write], 0.5).done
        for _ in range(3):
            with connect(cluster, proxy) as reader:
                assert run(reader, "SELECT /* manyreads: primary */ COUNT(*) FROM app.counts") == ((CLIENTS,),)
        run(operator, "PROXY RESUME WRITES")
        assert write.result(30) == ()
        assert run(operator, "SELECT n FROM app.lists WHERE id = 100") == ((3,),)
        run(operator, "DELETE FROM app.lists WHERE id = 100")


def test_only_who_may_holds_writes(cluster: Cluster, proxy: ProxyProcess) -> None:
    def known() -> bool:
        with connect(cluster, proxy, user="app", password="App-1234"):
            return True

    wait_until(known, "the account is known")
    with (
        connect(cluster, proxy, user="app", password="App-1234") as client,
        pytest.raises(pymysql.MySQLError, match="SUPER"),
    ):
        run(client, "PROXY PAUSE WRITES")
