"""Clients that write and read registers and lists through the proxy, and keep what they did and saw."""

import asyncio
import itertools
import random
import time
from collections import deque

from tests.history.record import Failure, History, Outcome, Read, Write
from tests.history.site import LISTS, REGISTERS, SCHEMA
from tests.support.lightclient import LightClient
from tests.support.wireclient import Login, Refused
from topology.consistency import Level

LEVELS = (Level.GLOBAL, Level.SESSION, Level.MONOTONIC, Level.GLOBAL, Level.EVENTUAL, Level.STRICT)
# So many appends go to a list before the next one takes its turn; so many lists take turns at a time.
_APPENDS = 60
_ACTIVE = 8
# A statement that takes longer will never end.
HANG = 120.0
# CR_SERVER_LOST: the statement may have run.
_LOST = 2013
_BROKEN = (OSError, asyncio.IncompleteReadError, TimeoutError)
_now = time.monotonic


class Workload:
    """`going` until `stop`. Each client has one register of its own, and keeps to one level.

    `values` and `groups` are given once each; `recent` are the keys that were written last, `appends` how
    many there were.
    """

    def __init__(self, host: str, port: int, login: Login, seed: int, pause: float) -> None:
        self.history = History(registers=frozenset(f"register {number}" for number in range(REGISTERS)))
        self._address = host, port
        self._login = login
        self.chance = random.Random(f"{seed} clients")
        self._pause = pause
        self._sessions, self.values, self.groups = itertools.count(1), itertools.count(1), itertools.count(1)
        self.appends = 0
        self.recent: deque[str] = deque(["register 0"], maxlen=30)
        self.going = True

    def stop(self) -> None:
        """Let every client end what it does."""
        self.going = False

    async def run(self, clients: int) -> None:
        """All clients, until they are stopped."""
        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(self._client(number))
        # The closing of connections needs a moment of the loop.
        await asyncio.sleep(0.1)

    async def _client(self, number: int) -> None:
        while self.going:
            session = next(self._sessions)
            began = _now()
            try:
                async with asyncio.timeout(HANG):
                    client = await LightClient.connect(*self._address, self._login)
            except (Refused, *_BROKEN) as error:
                self.failed(session, "login", error, began)
                await self.rest()
                continue
            try:
                await _Session(self, client, session, number).work()
            finally:
                client.close()

    async def rest(self) -> None:
        """Between two steps of a client."""
        await asyncio.sleep(self.chance.random() * 2 * self._pause)

    def failed(self, session: int, what: str, error: BaseException, began: float, client: str = "") -> None:
        """Keep an error."""
        self.history.failures.append(Failure(session, what, str(error) or repr(error), began, _now(), client))

    def any_list(self) -> int:
        """One of the lists whose turn it is."""
        return (self.appends // _APPENDS + self.chance.randrange(_ACTIVE)) % LISTS


class _Session:
    """One connection, until it has an error or the workload is stopped."""

    def __init__(self, workload: Workload, client: LightClient, session: int, number: int) -> None:
        self._of = workload
        self._client = client
        self._session = session
        self._number = number
        self._level = LEVELS[number % len(LEVELS)]
        self._chance = workload.chance
        self._register = f"register {number}"

    async def work(self) -> None:
        """Until something goes wrong."""
        steps = (self._set, self._append, self._append_two, self._read)
        while self._of.going:
            (step,) = self._chance.choices(steps, (20, 15, 5, 60))
            if not await step():
                return
            self._of.history.progress.setdefault(self._number, []).append(_now())
            await self._of.rest()

    async def _set(self) -> bool:
        value = next(self._of.values)
        number = self._number
        # A late one of before, of which the outcome was unknown, changes nothing any more.
        text = f"UPDATE {SCHEMA}.registers SET v = {value} WHERE id = {number} AND v < {value}"
        return await self._write([(self._register, value, text)], begun=self._chance.random() < 0.3)

    async def _append(self) -> bool:
        return await self._write([self._appended(self._of.any_list())], begun=self._chance.random() < 0.3)

    async def _append_two(self) -> bool:
        numbers = sorted({self._of.any_list(), self._of.any_list()})
        return await self._write([self._appended(number) for number in numbers], begun=True)

    def _appended(self, number: int) -> tuple[str, int, str]:
        value = next(self._of.values)
        self._of.appends += 1
        return (
            f"list {number}",
            value,
            f"UPDATE {SCHEMA}.lists SET items = CONCAT(items, ' ', {value}) WHERE id = {number}",
        )

    async def _write(self, parts: list[tuple[str, int, str]], *, begun: bool) -> bool:
        texts = ["BEGIN"] * begun + [text for _, _, text in parts] + ["COMMIT"] * begun
        began, outcome = _now(), Outcome.ACKNOWLEDGED
        for text in texts:
            if (error := await self._run(text, began)) is not None:
                # Only the last statement can have made anything last.
                outcome = Outcome.UNKNOWN if text is texts[-1] and _may_have_run(error) else Outcome.FAILED
                break
        ended, group = _now(), next(self._of.groups)
        if outcome is Outcome.UNKNOWN:
            ended = float("inf")
        for key, value, _ in parts:
            self._of.history.writes.append(Write(self._session, key, value, began, ended, outcome, group))
            self._of.recent.append(key)
        return outcome is Outcome.ACKNOWLEDGED

    async def _read(self) -> bool:
        # An own register as often as others' at the level where only that counts.
        recent = [*self._of.recent, self._register, self._register]
        key = self._chance.choice(recent) if self._chance.random() < 0.8 else f"list {self._of.any_list()}"
        table, _, number = key.partition(" ")
        column = "v" if table == "register" else "items"
        text = f"/* manyreads: consistency={self._level} */ SELECT {column} FROM {SCHEMA}.{table}s WHERE id = {number}"
        began = _now()
        if await self._run(text, began) is not None:
            return False
        ((found,),) = self._rows
        values = tuple(map(int, (found or "").split()))
        values = () if table == "register" and values == (0,) else values
        self._of.history.reads.append(Read(self._session, self._level, key, values, began, _now()))
        return True

    async def _run(self, text: str, began: float) -> Exception | None:
        """The error, if there is one."""
        try:
            async with asyncio.timeout(HANG):
                self._rows = await self._client.run(text)
        except (Refused, *_BROKEN) as error:
            self._of.failed(self._session, text, error, began, self._client.name)
            return error
        return None


def _may_have_run(error: Exception) -> bool:
    return not isinstance(error, Refused) or error.err.errno == _LOST
