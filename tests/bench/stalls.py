"""How long a primary's writer waits: alone, while snapshots are taken, and while a replica is copied.

The writer is a process of its own, so that what it waits for is the server and not this interpreter.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event as StopEvent

import pymysql

from replication.copy.snapshot import snapshot
from replication.sandbox import LocalServer
from topology.servers import Server, Vendor

_PROCESSES = multiprocessing.get_context("spawn")
_SNAPSHOTS = 50


def longest_write(primary: LocalServer, meanwhile: Callable[[], object]) -> float:
    """Seconds that the slowest single-row transaction on `primary` took while `meanwhile` ran."""
    stop = _PROCESSES.Event()
    answer: SimpleQueue[float] = _PROCESSES.SimpleQueue()
    login = (primary.host, primary.port, primary.user, primary.password)
    writer = _PROCESSES.Process(target=_write, args=(login, stop, answer), daemon=True)
    writer.start()
    # The first answer says that it writes.
    answer.get()
    try:
        meanwhile()
    finally:
        stop.set()
    longest = answer.get()
    writer.join()
    return float(longest)


def _write(login: tuple[str, int, str, str], stop: StopEvent, answer: "SimpleQueue[float]") -> None:
    host, port, user, password = login
    longest = 0.0
    with (
        pymysql.connect(host=host, port=port, user=user, password=password, autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("INSERT INTO bench.writes VALUES ()")
        answer.put(longest)
        while not stop.is_set():
            began = time.monotonic()
            cursor.execute("INSERT INTO bench.writes VALUES ()")
            longest = max(longest, time.monotonic() - began)
    answer.put(longest)


def take_snapshots(primary: Server, vendor: Vendor, parallel: int) -> None:
    """As a copy does it, but without copying anything; one after the other."""

    async def take() -> None:
        turn = asyncio.Lock()
        for _ in range(_SNAPSHOTS):
            async with snapshot(primary, vendor, turn, accounts=True, more=parallel):
                pass

    asyncio.run(take())
