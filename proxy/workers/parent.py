"""The parent of the workers: accepts clients and hands them over, keeps as many workers as there shall be, and is the
one through which they know of each other."""

import asyncio
import logging
import os
import socket
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from proxy.accounts.directory import SecretKey
from proxy.admin.figures import Figures, Parts, added
from proxy.admin.views import SessionView
from proxy.http.metrics import Metrics, text_of
from proxy.http.summing import of_parent, summed
from proxy.session.shared.colleagues import Gone, Held
from proxy.session.shared.context import Context
from proxy.session.shared.kills import Target
from proxy.session.shared.orders import carried_out
from proxy.session.shared.overview import figures
from proxy.sockets import listened
from proxy.sql.own import Order
from proxy.wire.secret import Secret
from proxy.workers.board import Board, new_memory
from proxy.workers.member import OTHER_RELEASE, Member
from proxy.workers.messages import RELEASE
from proxy.workers.peer import PeerGone
from proxy.workers.publisher import Publisher
from proxy.workers.words import Beginning, Found, Hit
from topology.config import Settings
from topology.events import happens
from topology.monitor import Monitor

log = logging.getLogger(__name__)

# Seconds until a worker that has ended is replaced, at first and at most; one that lived so long starts again at first.
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 30.0
_LONG_LIFE: Final = 60.0
# So many seconds all workers are waited for at the start.
_START: Final = 30.0
# Workers that are told to stop may take so many seconds more than their sessions.
_GRACE: Final = 5.0
# When there are no more descriptors, or no worker takes clients, it is tried again after so many seconds.
_RETRY: Final = 0.01
_MOST_SECRETS: Final = 10_000
_OTHER_RELEASE: Final = (
    "worker %d cannot start: this process is manyreads %s, and another release is installed by now; remedy: restart "
    "the proxy, or start the new release beside it with the same --takeover"
)


class Parent:
    """The parent's own `context` has no sessions. It is the entrance for clients, and the colleagues of its context."""

    def __init__(self, context: Context, monitor: Monitor) -> None:
        self._context = context
        self._monitor = monitor
        self._slots = context.settings.processes
        self._memory = new_memory(self._slots)
        self._board = Board(self._memory, self._slots)
        reads, self._wakes = os.pipe()
        for end in (reads, self._wakes):
            os.set_blocking(end, False)
        self._publisher = Publisher(monitor, self._board, reads, self._tell_all)
        self._members: dict[int, Member] = {}
        self._lives = [0] * self._slots
        self._restarts = 0
        self._buried = Figures()
        self._buried_metrics: list[Metric] = []
        self._metrics = Metrics(context)
        self._secrets: dict[SecretKey, Secret] = {}
        self._held_until = 0.0
        self._sockets: list[socket.socket] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._ready = asyncio.Event()
        self._stopping = False
        context.colleagues = self
        context.others = self._board.all_clients

    # --- the entrance ------------------------------------------------------------------------------------------------

    @property
    def sockets(self) -> list[socket.socket]:
        """What is listened on."""
        return self._sockets

    async def open(self, host: str, port: int, inherited: list[socket.socket]) -> tuple[str, int]:
        """Take the port, or else use what was `inherited`; returns the address in use. Raises ConfigError."""
        self._sockets = inherited or await listened(host, port)
        for each in self._sockets:
            each.setblocking(False)
        name = self._sockets[0].getsockname()
        return name[0], name[1]

    async def serve(self) -> None:
        """Start the workers, and accept clients once all of them are there."""
        self._publisher.start()
        self._tasks = [self._context.tasks.create_task(self._keep(slot)) for slot in range(self._slots)]
        try:
            async with asyncio.timeout(_START):
                await self._all_able()
        except TimeoutError:
            log.error("of %d workers only %d have started within %g s", self._slots, len(self._able()), _START)
        self._tasks += [self._context.tasks.create_task(self._accept(each)) for each in self._sockets]
        self._context.accepting = True

    async def _all_able(self) -> None:
        while len(self._able()) < self._slots:
            self._ready.clear()
            await self._ready.wait()

    async def drain(self, patience: float) -> None:
        """Accept nobody any more, and have the workers let their clients go within `patience` seconds."""
        self._context.accepting, self._context.draining, self._stopping = False, True, True
        for task in self._tasks[self._slots :]:
            task.cancel()
        for each in self._sockets:
            each.close()
        self._tell_all("drain")
        keeping = self._tasks[: self._slots]
        for task in keeping:
            if not self._members.get(keeping.index(task)):
                task.cancel()
        _, left = await asyncio.wait(keeping, timeout=patience + _GRACE) if keeping else ((), ())
        for member in list(self._members.values()) if left else ():
            log.warning("worker %d does not stop and is killed", member.slot)
            member.kill()
        self._publisher.stop()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError as error:
                log.error("cannot accept a client: %s", error)
                await asyncio.sleep(_RETRY)
                continue
            with client:
                await self._give(client)

    async def _give(self, client: socket.socket) -> None:
        """Hand a client over, as soon as a worker takes it."""
        while not any(member.give(client) for member in self._able()):
            self._ready.clear()
            await happens(self._ready, _RETRY)

    def _able(self) -> list[Member]:
        """The workers that take clients, the one with the fewest first."""
        able = [member for member in self._members.values() if member.able]
        return sorted(able, key=lambda member: member.load)

    # --- the workers -------------------------------------------------------------------------------------------------

    async def _keep(self, slot: int) -> None:
        """Have a worker in a slot, and another one when it has ended."""
        clock, pause = asyncio.get_running_loop().time, _FIRST_PAUSE
        while not self._stopping:
            began = clock()
            self._lives[slot] += 1
            member = Member(slot, self._board, self._handlers)
            self._members[slot] = member
            try:
                code = await member.run(self._memory, self._wakes)
            except OSError as error:
                code = error.errno or 1
                log.error("cannot start worker %d: %s", slot, error)
            finally:
                member.kill()
                del self._members[slot]
                self._bury(member)
            if self._stops():
                return
            self._restarts += 1
            pause = _FIRST_PAUSE if clock() - began >= _LONG_LIFE else pause
            if code == OTHER_RELEASE:
                log.error(_OTHER_RELEASE, slot, RELEASE)
            elif code:
                log.error("worker %d has ended (%d): its sessions are lost", slot, code)
            log.info("another worker %d starts in %g s", slot, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _stops(self) -> bool:
        return self._stopping

    def _bury(self, member: Member) -> None:
        self._publisher.bury(member.slot)
        self._buried = added((self._buried, member.figures))
        self._buried_metrics = summed(self._buried_metrics, (member.metrics,))
        self._tell_all("forsaken", member.slot)

    def _tell_all(self, name: str, value: Any = None, but: int | None = None) -> None:
        for member in self._members.values():
            if member.slot != but:
                member.tell(name, value)

    async def _ask_all(self, name: str, value: Any, but: int | None = None, patience: float = 10.0) -> list[Any]:
        """The answers of those that answer."""
        members = [member for member in self._members.values() if member.ready and member.slot != but]
        answers = await asyncio.gather(
            *(member.peer.ask(name, value, patience) for member in members), return_exceptions=True
        )
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, PeerGone):
                raise answer
        return [answer for answer in answers if not isinstance(answer, BaseException)]

    def _handlers(self, member: Member) -> dict[str, Any]:
        """What a worker may tell and ask."""
        publisher, monitor, slot = self._publisher, self._monitor, member.slot
        return {
            "begin": lambda _: self._beginning(member),
            "ready": lambda _: self._is_ready(member),
            "leaving": lambda _: member.leave(),
            "counted": lambda value: member.keep(*value),
            "failed": publisher.failed,
            "relearn": lambda _: publisher.relearn(),
            "locate": lambda _: publisher.locate(),
            "look": lambda _: monitor.look(),
            "look_twice": lambda _: monitor.look_twice(),
            "figures": self.figures,
            "order": self.order,
            "hold": lambda seconds: self.hold(seconds, lambda: False),
            "resume": lambda _: self.resume(),
            "find": lambda value: self._found(slot, *value),
            "hit": self._hit,
            "end_session": self.end_session,
            "from_address": lambda address: self._count_address(address, slot),
            "secret": lambda value: self._learn(slot, *value),
            "login": lambda value: self._tell_all("login", value, but=slot),
        }

    def _beginning(self, member: Member) -> Beginning:
        member.begun = True
        # Everything that is told from now on comes behind this.
        self._publisher.catch_up()
        news = self._publisher.so_far()
        context, life = self._context, self._lives[member.slot] - 1
        key, certificate = context.key.private_pem, context.of_this_run.pem
        return Beginning(context.settings, member.slot, self._slots, life, news, key, certificate, self._secrets)

    def _is_ready(self, member: Member) -> None:
        if (held := self._held_until - asyncio.get_running_loop().time()) > 0:
            member.tell("hold", held)
        if self._stopping:
            member.tell("drain", None)
        member.ready = member.able = True
        log.info("worker %d serves clients (process %d)", member.slot, member.process)
        self._ready.set()

    def _learn(self, slot: int, key: SecretKey, secret: Secret) -> None:
        self._secrets[key] = secret
        if len(self._secrets) > _MOST_SECRETS:
            del self._secrets[next(iter(self._secrets))]
        self._tell_all("secret", (key, secret), but=slot)

    def heed(self, settings: Settings) -> None:
        """Have all go by other settings, with the certificate of this run, if one was made."""
        self._tell_all("settings", (settings, self._context.of_this_run.pem))

    # --- colleagues --------------------------------------------------------------------------------------------------

    async def figures(self, parts: Parts) -> Figures:
        """What all have counted, also those that have ended."""
        answers = await self._ask_all("figures", parts)
        own = figures(self._context, parts)
        own.levels["waiting"] = 0
        return added((self._buried, own, *answers))

    async def order(self, order: Order) -> bool:
        """Drain a replica, put it back into use, or give it a weight."""
        return carried_out(self._monitor, order)

    async def hold(self, seconds: float, gone: Gone) -> Held:
        """Hold writes in all workers."""
        self._held_until = asyncio.get_running_loop().time() + seconds
        answers: list[Held] = await self._ask_all("hold", seconds, patience=seconds + _GRACE)
        held = Held(sum(each.left for each in answers), all(each.held for each in answers))
        if not held.held:
            await self.resume()
        return held

    async def resume(self) -> None:
        """Hold them no longer."""
        self._held_until = 0.0
        self._tell_all("resume")

    async def find(self, number: int, *, connection: bool) -> Target | None:
        """The parent has nobody who kills."""
        return None

    async def _found(self, killer: int, number: int, connection: bool) -> Found | None:
        answers = await self._ask_all("find", (killer, number, connection), but=killer)
        return next((answer for answer in answers if answer is not None), None)

    async def _hit(self, hit: Hit) -> Any:
        member = self._members.get(hit.slot)
        if member is None:
            raise PeerGone("the session's worker has ended")
        return await member.peer.ask("hit", hit)

    async def end_session(self, number: int) -> SessionView | None:
        """Close the session with that number."""
        answers: list[SessionView | None] = await self._ask_all("end_session", number)
        return next((answer for answer in answers if answer is not None), None)

    async def from_address(self, address: str) -> int:
        """How many connections from a client's address the workers have."""
        return await self._count_address(address, None)

    async def _count_address(self, address: str, but: int | None) -> int:
        return sum(await self._ask_all("from_address", address, but))

    async def exposition(self) -> bytes:
        """The metrics of all, as those of one process."""
        await asyncio.gather(*(member.look() for member in self._members.values() if member.ready))
        families = summed(
            [*of_parent(self._metrics.families()), *self._own()],
            [self._buried_metrics, *(member.metrics + member.levels for member in self._members.values())],
        )
        return text_of(families)

    def _own(self) -> list[Metric]:
        able = GaugeMetricFamily("manyreads_workers", "Processes that serve clients", value=len(self._able()))
        ended = CounterMetricFamily("manyreads_worker_restarts", "Workers that ended and were replaced")
        ended.add_metric((), self._restarts)
        clients = GaugeMetricFamily("manyreads_worker_clients", "Clients that each worker has", labels=("worker",))
        for slot in range(self._slots):
            clients.add_metric((str(slot),), self._board.clients(slot))
        return [able, ended, clients]
