"""Several processes that are one proxy: a client does not notice which of them serves it, nor what others do."""

import itertools
import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pymysql
import pytest

from replication.sandbox import Cluster
from tests.support.certificates import client_context
from tests.support.clients import READS, Connection, Counters, connect, direct, run
from tests.support.crew import growing, on_both, samples, total, worker_of, worker_processes
from tests.support.lags import behind
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import DEADLINE, wait_until

SCHEMA = "shared_out"
LOW = "shared_low"
CLIENTS = int(os.environ.get("MANYREADS_TEST_CLIENTS", "16"))
PAIRS = int(os.environ.get("MANYREADS_TEST_PAIRS", "400"))
TABLES = ("t0", "t1", "t2")
NOT_OWNER, INTERRUPTED, LOST = 1095, 1317, (2013, 1317, 1927, 2006)
FLAGS = ("--workers", "2", "--http", "127.0.0.1:0")


@pytest.fixture(scope="module")
def proxy(shared_cluster: Cluster) -> Iterator[ProxyProcess]:
    """A proxy of two workers, and some tables."""
    with (
        direct(shared_cluster, shared_cluster.servers[0]) as client,
        running_proxy(shared_cluster, *FLAGS) as running,
    ):
        run(client, f"DROP DATABASE IF EXISTS {SCHEMA}")
        run(client, f"DROP USER IF EXISTS {LOW}")
        run(client, f"CREATE DATABASE {SCHEMA}")
        with connect(shared_cluster, running) as definer:
            for name in TABLES:
                run(definer, f"CREATE TABLE {SCHEMA}.{name} (id INT PRIMARY KEY, v INT NOT NULL)")
                run(definer, f"INSERT INTO {SCHEMA}.{name} VALUES (1, 0)")
        run(client, f"CREATE USER {LOW} IDENTIFIED BY 'low'")
        yield running
        run(client, f"DROP USER {LOW}")
        run(client, f"DROP DATABASE {SCHEMA}")
        assert running.stop() == 0
        assert "Traceback" not in running.log


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def both(shared_cluster: Cluster, proxy: ProxyProcess, stack: ExitStack) -> list[Connection]:
    """A client of each worker."""
    return on_both(shared_cluster, proxy, stack)


def value(connection: Connection, table: str) -> int:
    found: int = run(connection, f"SELECT v FROM {SCHEMA}.{table} WHERE id = 1")[0][0]
    return found


def test_a_read_sees_what_another_worker_has_acknowledged(shared_cluster: Cluster, both: list[Connection]) -> None:
    counters, chance = Counters(shared_cluster, READS), random.Random(1)
    for number in range(1, PAIRS + 1):
        writer, table = chance.randrange(2), chance.choice(TABLES)
        run(both[writer], f"UPDATE {SCHEMA}.{table} SET v = {number} WHERE id = 1")
        assert value(both[1 - writer], table) == number
    # A replica has the write after a moment, and that is waited for.
    assert sum(counters.difference()[server.name] for server in shared_cluster.servers[1:]) > PAIRS / 4


def test_replicas_that_apply_nothing_serve_no_read_of_what_is_written_elsewhere(
    shared_cluster: Cluster, both: list[Connection]
) -> None:
    with behind(shared_cluster):
        for number in range(20):
            run(both[number % 2], f"UPDATE {SCHEMA}.t0 SET v = {-number} WHERE id = 1")
            assert value(both[1 - number % 2], "t0") == -number


def test_a_write_keeps_no_reads_of_other_tables_from_replicas(shared_cluster: Cluster, both: list[Connection]) -> None:
    numbers = itertools.count(2000)

    def from_replicas() -> int:
        counters = Counters(shared_cluster, READS)
        for _ in range(50):
            value(both[1], "t1")
        return sum(counters.difference()[server.name] for server in shared_cluster.servers[1:])

    def after_a_write_elsewhere() -> bool:
        wait_until(lambda: from_replicas() >= 40, "replicas serve reads")
        with behind(shared_cluster):
            number = next(numbers)
            run(both[0], f"UPDATE {SCHEMA}.t0 SET v = {number} WHERE id = 1")
            found = from_replicas()
            assert value(both[1], "t0") == number
        return found >= 40

    # Which tables there are is asked for after the definitions.
    wait_until(after_a_write_elsewhere, "reads of other tables stay on replicas")


def test_definitions_of_one_worker_count_for_all(both: list[Connection]) -> None:
    first, second = both
    for number in range(20):
        definer, reader = (first, second) if number % 2 else (second, first)
        run(definer, f"CREATE TABLE {SCHEMA}.new AS SELECT 1 AS id, {number} AS v")
        assert value(reader, "new") == number
        run(definer, f"RENAME TABLE {SCHEMA}.new TO {SCHEMA}.old")
        assert value(reader, "old") == number
        run(reader, f"DROP TABLE {SCHEMA}.old")


def status(connection: Connection) -> dict[str, str]:
    return {str(row[0]): str(row[1]) for row in run(connection, "SHOW PROXY STATUS")}


def test_sessions_of_all_workers_are_shown(both: list[Connection]) -> None:
    numbers = {connection.thread_id() for connection in both}
    for connection in both:
        assert numbers <= {int(row[0]) for row in run(connection, "SHOW PROXY SESSIONS")}
    for connection in both:
        run(connection, "SELECT 1 AS shown_everywhere")
    for connection in both:
        (row,) = run(connection, "SHOW PROXY DIGESTS LIKE '%shown_everywhere%'")
        assert int(row[2]) == 2
        assert int(status(connection)["sessions"]) >= 2


def test_counts_are_those_of_all_workers(both: list[Connection]) -> None:
    def reads(connection: Connection) -> int:
        return int(status(connection)["reads"])

    before = reads(both[0])
    for connection in both:
        for _ in range(30):
            value(connection, "t2")
    assert reads(both[0]) - before == reads(both[1]) - before == 60


class Sleeping(threading.Thread):
    """A statement that takes long; `ended` has the error that it ended with."""

    def __init__(self, victim: Connection) -> None:
        super().__init__(daemon=True)
        self.ended: list[int] = []
        self._victim = victim
        self.start()

    def run(self) -> None:
        try:
            run(self._victim, "SELECT SLEEP(60) FROM DUAL")
        except pymysql.MySQLError as error:
            self.ended.append(error.args[0])


def phase(connection: Connection, number: int) -> str:
    return next((str(row[4]) for row in run(connection, "SHOW PROXY SESSIONS") if int(row[0]) == number), "gone")


@pytest.mark.parametrize("kind", ["QUERY", "CONNECTION"])
def test_kill_reaches_the_sessions_of_other_workers(
    shared_cluster: Cluster, proxy: ProxyProcess, both: list[Connection], stack: ExitStack, kind: str
) -> None:
    killer, victim = both
    number = victim.thread_id()
    thread = Sleeping(victim)
    wait_until(lambda: phase(killer, number) == "working", "the victim is at work")
    low = on_worker(shared_cluster, proxy, stack, 0)
    with pytest.raises(pymysql.MySQLError) as refused:
        run(low, f"KILL {kind} {number}")
    assert refused.value.args[0] == NOT_OWNER
    assert str(number) in refused.value.args[1]
    run(killer, f"KILL {kind} {number}")
    thread.join(DEADLINE)
    assert not thread.is_alive()
    if kind == "QUERY":
        assert value(victim, "t0") is not None
    else:
        wait_until(lambda: phase(killer, number) == "gone", "the session has ended")


def on_worker(cluster: Cluster, proxy: ProxyProcess, stack: ExitStack, worker: int) -> Connection:
    """A client without any rights, served by that worker."""
    while True:
        connection = stack.enter_context(connect(cluster, proxy, user=LOW, password="low"))
        if worker_of(connection) == worker:
            return connection


def test_an_idle_session_of_another_worker_is_killed(both: list[Connection]) -> None:
    killer, victim = both
    value(victim, "t0")
    run(killer, f"KILL {victim.thread_id()}")
    with pytest.raises(pymysql.MySQLError) as lost:
        value(victim, "t0")
    assert lost.value.args[0] in LOST
    with pytest.raises(pymysql.MySQLError):
        run(killer, f"KILL {victim.thread_id()}")


def test_orders_hold_for_all_workers(shared_cluster: Cluster, both: list[Connection]) -> None:
    name = shared_cluster.servers[1].name
    first, second = both

    def state(connection: Connection) -> str:
        (row,) = run(connection, f"SHOW PROXY SERVERS LIKE '{name}'")
        return str(row[3])

    run(first, f"PROXY DRAIN SERVER {name}")
    wait_until(lambda: state(second) == "draining", "the other worker knows")
    run(second, f"PROXY RESUME SERVER {name}")
    wait_until(lambda: state(first) == "healthy", "it is in use again")
    wait_until(lambda: state(second) == "healthy", "it is in use again")


def test_held_writes_are_held_everywhere(both: list[Connection]) -> None:
    first, second = both
    run(first, "PROXY PAUSE WRITES FOR 60 SECONDS")
    done = threading.Event()

    def write() -> None:
        run(second, f"UPDATE {SCHEMA}.t2 SET v = 5 WHERE id = 1")
        done.set()

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    assert not done.wait(0.5)
    run(first, "PROXY RESUME WRITES")
    assert done.wait(DEADLINE)
    assert value(first, "t2") == 5


def test_metrics_are_the_sums_of_what_clients_counted(shared_cluster: Cluster, proxy: ProxyProcess) -> None:
    clients, each = 16, 40
    before = samples(proxy)
    seen = [growing(before)]

    def work() -> None:
        with connect(shared_cluster, proxy) as connection:
            for number in range(each):
                run(connection, f"SELECT v + {number} FROM {SCHEMA}.t1 WHERE id = 1")
                run(connection, f"UPDATE {SCHEMA}.t2 SET v = v + 1 WHERE id = 1")

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        seen.append(growing(samples(proxy)))
    for thread in threads:
        thread.join()
    after = samples(proxy)
    seen.append(growing(after))
    for earlier, later in itertools.pairwise(seen):
        assert all(later[key] >= count for key, count in earlier.items())
    reads = {key: count for key, count in after.items() if dict(key[1]).get("kind") == "read"}
    name = "manyreads_server_statements_total"
    assert total(reads, name) - sum(before.get(key, 0) for key in reads) == clients * each
    assert (
        total(after, "manyreads_writes_acknowledged_total") - total(before, "manyreads_writes_acknowledged_total")
        == clients * each
    )
    assert total(after, "manyreads_workers") == 2


def test_a_worker_that_dies_is_replaced_and_only_its_sessions_are_lost(
    shared_cluster: Cluster, proxy: ProxyProcess, both: list[Connection], stack: ExitStack
) -> None:
    doomed, safe = both
    run(safe, "BEGIN")
    run(safe, f"UPDATE {SCHEMA}.t0 SET v = 1001 WHERE id = 1")
    run(doomed, f"UPDATE {SCHEMA}.t1 SET v = 1002 WHERE id = 1")
    before = growing(samples(proxy))
    workers = worker_processes(proxy)
    with behind(shared_cluster):
        # What it has acknowledged stays known.
        run(doomed, f"UPDATE {SCHEMA}.t2 SET v = 1003 WHERE id = 1")
        os.kill(workers[0], signal.SIGKILL)
        with pytest.raises(pymysql.MySQLError):
            value(doomed, "t1")
        assert (value(safe, "t1"), value(safe, "t2")) == (1002, 1003)
        # One comes to the worker that was there, and one to the new one.
        proxy.wait_for_log("worker 0 serves clients", 2)
        for connection in on_both(shared_cluster, proxy, stack):
            assert (value(connection, "t1"), value(connection, "t2")) == (1002, 1003)
    run(safe, "COMMIT")
    assert value(safe, "t0") == 1001
    after = samples(proxy)
    assert all(growing(after)[key] >= count for key, count in before.items() if not key[0].startswith("process_"))
    restarts = "manyreads_worker_restarts_total"
    assert total(after, restarts) == total(before, restarts) + 1
    assert worker_processes(proxy)[1] == workers[1]


@dataclass
class Writer:
    """A client that writes, one transaction at a time, and comes again when it has lost its connection."""

    cluster: Cluster
    proxy: ProxyProcess
    who: int
    stopped: threading.Event
    acknowledged: int = 0
    losses: int = 0
    worker: int = -1

    def work(self) -> None:
        connection = connect(self.cluster, self.proxy)
        self.worker = worker_of(connection)
        while not self.stopped.is_set():
            try:
                run(connection, "BEGIN")
                run(connection, f"INSERT INTO {SCHEMA}.written (who) VALUES ({self.who})")
                run(connection, "COMMIT")
                self.acknowledged += 1
                counted = run(connection, f"SELECT COUNT(*) FROM {SCHEMA}.written WHERE who = {self.who}")[0][0]
                # What was not acknowledged may have happened all the same.
                assert self.acknowledged <= counted <= self.acknowledged + self.losses
            except pymysql.MySQLError:
                self.losses += 1
                connection = self._connect_again()
        connection.close()

    def _connect_again(self) -> Connection:
        """What a killed process has open is closed one by one: a new connection can still get into its queue, and be
        closed with that."""
        while True:
            try:
                return connect(self.cluster, self.proxy)
            except pymysql.MySQLError:
                if self.stopped.wait(0.01):
                    raise


def test_a_worker_that_is_killed_under_load_costs_each_of_its_clients_one_connection(
    shared_cluster: Cluster, proxy: ProxyProcess, both: list[Connection]
) -> None:
    run(both[0], f"CREATE TABLE {SCHEMA}.written (id INT AUTO_INCREMENT PRIMARY KEY, who INT, KEY (who))")
    stopped = threading.Event()
    writers = [Writer(shared_cluster, proxy, who, stopped) for who in range(CLIENTS)]
    threads = [threading.Thread(target=writer.work, daemon=True) for writer in writers]
    for thread in threads:
        thread.start()
    wait_until(lambda: all(writer.acknowledged > 5 for writer in writers), "all write")
    before = [writer.acknowledged for writer in writers]
    os.kill(worker_processes(proxy)[0], signal.SIGKILL)
    goals = [count + 20 for count in before]
    wait_until(lambda: all(w.acknowledged > goal for w, goal in zip(writers, goals, strict=True)), "all write on")
    stopped.set()
    for thread in threads:
        thread.join(DEADLINE)
    lost = {writer.worker for writer in writers if writer.losses}
    assert len(lost) == 1
    assert all(writer.losses == (writer.worker in lost) for writer in writers)
    rows = run(both[0] if 0 not in lost else both[1], f"SELECT who, COUNT(*) FROM {SCHEMA}.written GROUP BY who")
    counts = {int(who): int(count) for who, count in rows}
    assert all(w.acknowledged <= counts[w.who] <= w.acknowledged + w.losses for w in writers)


def test_workers_show_one_certificate_where_none_can_be_kept(shared_cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    flags = (*FLAGS, "--state-directory", str(tmp_path / "file"))
    shown: dict[int, bytes] = {}
    with running_proxy(shared_cluster, *flags) as proxy, ExitStack() as stack:
        while len(shown) < 2:
            client = stack.enter_context(connect(shared_cluster, proxy, ssl=client_context()))
            shown[worker_of(client)] = cast(Any, client)._sock.getpeercert(binary_form=True)
        assert proxy.log.count("made for this run only") == 1
    assert shown[0] == shown[1] != b""


def test_workers_do_not_outlive_their_parent(shared_cluster: Cluster) -> None:
    with running_proxy(shared_cluster, *FLAGS, "--drain-timeout", "1") as proxy, ExitStack() as stack:
        on_both(shared_cluster, proxy, stack)
        workers = worker_processes(proxy)
        assert len(workers) == 2
        proxy.process.kill()
        proxy.process.wait()
        wait_until(lambda: not any(map(alive, workers)), "the workers end, too", lambda: proxy.log)


def alive(process: int) -> bool:
    # Whose parent is gone is known to the system until somebody asks.
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
