"""Clients that read all the time, and remember every error that one of them got."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import mysql.connector

from replication.sandbox import Cluster
from tests.support.clients import connect, run
from tests.support.proxies import ProxyProcess
from tests.support.waiting import wait_until

Read = Callable[[], Any]


class Load:
    """Threads that each call `read` of their own until `stop`; `counts` are the reads that each has finished."""

    def __init__(self, opened: list[tuple[Read, Callable[[], None]]]) -> None:
        self.errors: list[str] = []
        self.counts = [0] * len(opened)
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(index, read, close), daemon=True)
            for index, (read, close) in enumerate(opened)
        ]
        for thread in self._threads:
            thread.start()

    def _work(self, index: int, read: Read, close: Callable[[], None]) -> None:
        try:
            while not self._stopping.is_set():
                read()
                self.counts[index] += 1
        except Exception as error:
            self.errors.append(f"client {index} after {self.counts[index]} reads: {error!r}")
        finally:
            close()

    def wait_for_progress(self, reads: int = 30) -> None:
        """Wait until every client has finished so many more reads, or one got an error."""
        goals = [count + reads for count in self.counts]

        def reached() -> bool:
            return bool(self.errors) or all(count >= goal for count, goal in zip(self.counts, goals, strict=True))

        wait_until(reached, "all clients read on", lambda: f"{self.counts} of {goals}")
        assert not self.errors, "\n".join(self.errors)

    def stop(self) -> None:
        """End all clients; fails when one got an error."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self._threads), "a client hangs"
        assert not self.errors, "\n".join(self.errors)


@contextmanager
def reading(cluster: Cluster, proxy: ProxyProcess, sql: str, expected: object, clients: int = 8) -> Iterator[Load]:
    """`clients` that read `sql`, half of them as text, half as a prepared statement; each checks the one value."""
    opened = [_text(cluster, proxy, sql, expected) for _ in range(clients // 2)]
    opened += [_prepared(cluster, proxy, sql, expected) for _ in range(clients - clients // 2)]
    load = Load(opened)
    try:
        load.wait_for_progress()
        yield load
    finally:
        load.stop()


def _text(cluster: Cluster, proxy: ProxyProcess, sql: str, expected: object) -> tuple[Read, Callable[[], None]]:
    connection = connect(cluster, proxy)

    def read() -> None:
        assert run(connection, sql) == ((expected,),)

    return read, connection.close


def _prepared(cluster: Cluster, proxy: ProxyProcess, sql: str, expected: object) -> tuple[Read, Callable[[], None]]:
    primary = cluster.servers[0]
    connection = mysql.connector.connect(
        host=proxy.host,
        port=proxy.port,
        user=primary.user,
        password=primary.password,
        autocommit=True,
        use_pure=True,
        ssl_disabled=True,
    )
    cursor = connection.cursor(prepared=True)
    numbers = itertools.count()

    def read() -> None:
        cursor.execute(f"{sql} WHERE %s >= 0", (next(numbers),))
        assert cursor.fetchall() == [(expected,)]

    return read, connection.close
