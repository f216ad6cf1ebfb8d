"""Clients work while servers are killed, frozen, cut off, changed and restarted: no promise is broken.

`make history` does this for longer.
"""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from replication.sandbox import Flavor
from tests.history.faults import Faults
from tests.history.run import drawn, flags_of, play
from tests.history.schedule import Kind
from tests.history.site import SCHEMA, Site, history_proxy, history_site
from tests.support.clients import Connection, connect, run
from tests.support.load import reading
from tests.support.oltp import sysbench
from tests.support.proxies import ProxyProcess
from tests.support.waiting import wait_until

SECONDS = 20.0
# A slow machine takes its time to start servers. The clients' own patience is longer.
PATIENT = ("--primary-wait", "90", "--login-timeout", "110")

pytestmark = pytest.mark.timeout(480)


@pytest.fixture(scope="module", params=list(Flavor))
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with history_site(Flavor(request.param)) as made:
        yield made


@pytest.fixture(scope="module")
def seed() -> int:
    return secrets.randbelow(1 << 32)


@pytest.fixture(scope="module")
def proxy(site: Site, seed: int) -> Iterator[ProxyProcess]:
    with history_proxy(site, *PATIENT, *flags_of(seed)) as running:
        yield running


def idle_sessions(site: Site, proxy: ProxyProcess, stack: ExitStack) -> list[Connection]:
    """Sessions with settings of their own: some have done nothing else, some have a transaction behind them."""
    sessions = []
    for number in range(8):
        client = stack.enter_context(connect(site.cluster, proxy, autocommit=number % 2 == 0))
        run(client, "SET sql_mode = 'ANSI_QUOTES'")
        run(client, f"SET @number = {number}")
        if number >= 4:
            run(client, f"UPDATE {SCHEMA}.kept SET v = v + 1 WHERE id = {number}")
            client.commit()
        sessions.append(client)
    return sessions


def test_sessions_outlive_a_restart_of_each_server(site: Site, proxy: ProxyProcess) -> None:
    site.on(
        site.primary,
        f"CREATE TABLE {SCHEMA}.kept (id INT PRIMARY KEY, v INT NOT NULL) ENGINE = InnoDB",
        f"INSERT INTO {SCHEMA}.kept VALUES {', '.join(f'({number}, 0)' for number in range(8))}",
    )

    async def each_replica(faults: Faults) -> None:
        for name in site.replicas:
            await faults.once(Kind.RESTART, name)

    async def the_primary(faults: Faults) -> None:
        await faults.once(Kind.RESTART, site.primary)

    with ExitStack() as stack:
        sessions = idle_sessions(site, proxy, stack)
        operator = stack.enter_context(connect(site.cluster, proxy))
        readers = stack.enter_context(sysbench(proxy, site.login, operator, "oltp_point_select", 40))
        writers = stack.enter_context(sysbench(proxy, site.login, operator, "oltp_read_write", 4))
        with reading(site.cluster, proxy, f"SELECT SUM(id) FROM {SCHEMA}.kept", 28, 4) as load:
            results = [play(site, proxy, 0, each_replica, clients=12)]
            load.wait_for_progress()
        writers.wait_for_progress()
        site.empty()
        # What is in flight on the primary then may get an error: the clients of this one know which.
        with writers.between_transactions(operator):
            results.append(play(site, proxy, 0, the_primary, clients=12))
        writers.wait_for_progress()
        readers.wait_for_progress()
        for number, client in enumerate(sessions):
            run(client, f"UPDATE {SCHEMA}.kept SET v = v + 1 WHERE id = {number}")
            client.commit()
            text = f'SELECT @number, @@sql_mode, "v" FROM {SCHEMA}.kept WHERE id = {number}'
            assert run(client, text) == ((number, "ANSI_QUOTES", 1 + (number >= 4)),)
    for result in results:
        assert result.good, result.details()


def test_a_plain_read_runs_again_that_a_lost_primary_took_with_it(site: Site, proxy: ProxyProcess) -> None:
    tables = ", ".join(f"{SCHEMA}.kept AS t{number}" for number in range(8))
    slow = f"SELECT COUNT(*) FROM {tables} WHERE {' + '.join(f't{number}.v' for number in range(8))} >= 0"

    def at_work() -> bool:
        rows = site.on(site.primary, "SELECT info FROM information_schema.processlist")
        return any(slow in str(row[0]) for row in rows)

    with (
        connect(site.cluster, proxy) as client,
        connect(site.cluster, proxy) as operator,
        ThreadPoolExecutor(1) as threads,
    ):
        for name in site.replicas:
            run(operator, f"PROXY DRAIN SERVER {name}")
        found = threads.submit(run, client, slow)
        try:
            wait_until(at_work, "the primary is at work")
            site.server(site.primary).kill()
        finally:
            for name in site.replicas:
                run(operator, f"PROXY RESUME SERVER {name}")
            site.server(site.primary).start()
        assert found.result(timeout=120) == ((8**8,),)
    site.wait_until_healthy(proxy)


def test_no_promise_is_broken_while_servers_fail(site: Site, proxy: ProxyProcess, seed: int) -> None:
    site.empty()
    result = play(site, proxy, seed, drawn(seed, SECONDS, quiet=0.3))
    print(result)
    assert result.good, result.details()
    assert len(result.history.reads) > 100, result.details()
    assert len(result.history.writes) > 100, result.details()
