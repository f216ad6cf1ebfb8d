"""How long a primary's writer waits: alone, while snapshots are taken, and while a replica is copied.

The writer is a process of its own, so that what it waits for is the server and not this interpreter.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event as StopEvent
from statistics import median

import pymysql

from replication.copy.snapshot import snapshot
from replication.sandbox import LocalServer
from topology.servers import Server, Vendor

_PROCESSES = multiprocessing.get_context("spawn")
_SNAPSHOTS = 50


@dataclass(frozen=True, slots=True)
class Writes:
    """Seconds that single-row transactions of one client took."""

    median: float
    longest: float

    def __str__(self) -> str:
        return f"{self.longest * 1000:.0f} ms (median {self.median * 1000:.2f} ms)"


def writes_while(primary: LocalServer, meanwhile: Callable[[], object]) -> Writes:
    """What a client that writes on `primary` all the time waits for while `meanwhile` runs."""
    stop = _PROCESSES.Event()
    answer: SimpleQueue[Writes | None] = _PROCESSES.SimpleQueue()
    login = (primary.host, primary.port, primary.user, primary.password)
    writer = _PROCESSES.Process(target=_write, args=(login, stop, answer), daemon=True)
    writer.start()
    # The first answer says that it writes.
    answer.get()
    try:
        meanwhile()
    finally:
        stop.set()
    found = answer.get()
    writer.join()
    assert found is not None
    return found


def _write(login: tuple[str, int, str, str], stop: StopEvent, answer: "SimpleQueue[Writes | None]") -> None:
    host, port, user, password = login
    took: list[float] = []
    with (
        pymysql.connect(host=host, port=port, user=user, password=password, autocommit=True) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("INSERT INTO bench.writes VALUES ()")
        answer.put(None)
        while not stop.is_set():
            began = time.monotonic()
            cursor.execute("INSERT INTO bench.writes VALUES ()")
            took.append(time.monotonic() - began)
    answer.put(Writes(median(took), max(took)))


def take_snapshots(primary: Server, vendor: Vendor, parallel: int) -> None:
    """As a copy does it, but without copying anything; one after the other."""

    async def take() -> None:
        turn = asyncio.Lock()
        for _ in range(_SNAPSHOTS):
            async with snapshot(primary, vendor, turn, accounts=True, more=parallel):
                pass

    asyncio.run(take())
