"""A worker: serves the clients that its parent hands over, and knows of the servers what that tells."""

import asyncio
import contextlib
import inspect
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable
from typing import Any, Final

import uvloop

from proxy.admin.figures import Parts
from proxy.building import Own, context_of, last_spans, spans_of
from proxy.declared import Declared
from proxy.http.metrics import Metrics
from proxy.http.summing import counted
from proxy.listener import Listener
from proxy.logs import set_up as set_up_logs
from proxy.reload import certificate_for, heed
from proxy.session.shared.alone import end_session
from proxy.session.shared.colleagues import Held
from proxy.session.shared.configured import rules_of
from proxy.session.shared.context import Context
from proxy.session.shared.holding import hold_here
from proxy.session.shared.numbers import numbers
from proxy.session.shared.overview import figures
from proxy.tls.selfmade import OfThisRun
from proxy.wire.rsakey import RsaKey
from proxy.workers.board import Board
from proxy.workers.crewmate import Crewmate
from proxy.workers.follower import Follower
from proxy.workers.peer import Handler, Peer, PeerGone
from proxy.workers.victims import Victims
from proxy.workers.words import Beginning
from topology.config import Settings
from topology.errors import ConfigError
from topology.servers import Snapshot

log = logging.getLogger(__name__)

# So often the parent is told what was counted, in seconds: what a worker counts after that is lost when it is killed.
_COUNTED: Final = 1.0
_MOST_AT_ONCE: Final = 64


class Worker:
    """`clients` is the socket on which the parent sends clients' sockets."""

    def __init__(self, control: socket.socket, clients: socket.socket, memory: int, wakes: int) -> None:
        self._control = control
        self._clients = clients
        self._memory = memory
        self._wakes = wakes
        self._stop = asyncio.Event()
        self._peer = Peer({name: self._once_built(handler) for name, handler in self._handlers().items()})
        self._built = False
        self._early: list[tuple[Handler, Any]] = []
        self._heeding = asyncio.Lock()
        self._context: Context
        self._follower: Follower
        self._victims: Victims

    def _handlers(self) -> dict[str, Any]:
        """What the parent may tell and ask."""
        return {
            "servers": lambda told: self._follower.servers(told),
            "confirmed": lambda told: self._follower.confirmed(told),
            "located": lambda told: self._follower.located(told),
            "learnt": lambda told: self._follower.learnt(told),
            "silent": lambda name: self._follower.silent(name),
            "settings": lambda told: self._heed(*told),
            "drain": lambda _: self._stop.set(),
            "figures": lambda parts: figures(self._context, parts),
            "metrics": lambda _: Metrics(self._context).families(),
            "hold": self._hold,
            "resume": lambda _: self._context.gate.resume(),
            "find": lambda value: self._victims.find(*value),
            "hit": lambda hit: self._victims.hit(hit),
            "forsaken": lambda slot: self._victims.forsaken(slot),
            "end_session": lambda number: end_session(self._context, number),
            "from_address": lambda address: self._context.addresses[address],
            "secret": lambda value: self._context.directory.adopt(*value),
            "login": lambda login: self._note_login(*login),
        }

    def _once_built(self, handler: Handler) -> Handler:
        """What is told before there is somebody to hear it is heard then. Nothing is asked before."""

        def handle(value: Any) -> Any:
            if self._built:
                return handler(value)
            self._early.append((handler, value))
            return None

        return handle

    async def run(self) -> None:
        """Serve until the parent says stop, or is gone."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave)
        loop.add_signal_handler(signal.SIGHUP, lambda: None)
        await self._peer.open(self._control)
        async with asyncio.TaskGroup() as tasks:
            beginning: Beginning = await self._peer.ask("begin")
            await self._build(beginning, tasks)
            context = self._context
            running = [context.tick(), self._tell_counts(), self._until_gone()]
            if context.pool is not None:
                running.append(context.pool.keep())
            if context.settings.trust_sql_data_access:
                running.append(Declared(context).keep())
            watching = [tasks.create_task(work) for work in running]
            await context.directory.refresh_quietly()
            for key, secret in beginning.secrets.items():
                context.directory.adopt(key, secret)
            listener = Listener(context)
            await listener.serve()
            welcome = _Welcome(self._clients, listener, context, self._board, beginning.slot)
            welcome.start()
            self._peer.tell("ready")
            await self._stop.wait()
            await welcome.stop()
            await listener.drain(context.settings.drain_timeout)
            await last_spans(context)
            with contextlib.suppress(PeerGone):
                self._peer.tell("counted", self._counts())
            for task in watching:
                task.cancel()
        self._peer.close()

    async def _build(self, beginning: Beginning, tasks: asyncio.TaskGroup) -> None:
        settings = beginning.settings
        set_up_logs(settings.log_level, settings.log_format, audit=settings.audit_log)
        self._board = Board(self._memory, beginning.slots)
        (_, first), *news = beginning.news
        self._follower = Follower(first, self._board, beginning.slot, self._wakes)
        self._follower.connect(self._peer)
        for name, told in news:
            getattr(self._follower, name)(told)
        self._context = context = await context_of(
            settings,
            self._follower,
            tasks,
            rules_of(settings.rules),
            spans_of(settings),
            Own(RsaKey(beginning.key), OfThisRun(beginning.certificate)),
        )
        self._victims = Victims(context, beginning.slot)
        context.share(beginning.slots)
        context.connection_ids = numbers(beginning.slot, beginning.slots, beginning.life)
        context.others = lambda: self._board.all_clients() - self._board.clients(beginning.slot)
        context.counted = lambda count: self._board.count_clients(beginning.slot, count)
        context.directory.learnt = lambda key, secret: self._tell("secret", (key, secret))
        context.failures.told = lambda *login: self._tell("login", login)
        context.colleagues = Crewmate(self._peer, beginning.slot, context)
        self._follower.on_change(_Retiring(context).look)
        self._built = True
        for handler, told in self._early:
            if inspect.isawaitable(work := handler(told)):
                context.spawn(_awaited(work))

    def _tell(self, name: str, value: Any = None) -> None:
        with contextlib.suppress(PeerGone):
            self._peer.tell(name, value)

    def _leave(self) -> None:
        """Somebody wants this process to end, and perhaps not only this one."""
        self._tell("leaving")
        self._stop.set()

    async def _until_gone(self) -> None:
        await self._peer.gone.wait()
        if not self._stop.is_set():
            log.error("the parent has ended: so does this worker, when its sessions can be spared")
            self._stop.set()

    async def _tell_counts(self) -> None:
        while not self._peer.gone.is_set():
            self._tell("counted", self._counts())
            await asyncio.sleep(_COUNTED)

    def _counts(self) -> tuple[Any, Any]:
        return figures(self._context, Parts()).kept(), counted(Metrics(self._context).families())

    async def _heed(self, settings: Settings, certificate_of_run: bytes) -> None:
        async with self._heeding:
            self._context.of_this_run.pem = certificate_of_run
            try:
                certificate = certificate_for(self._context, settings)
            except ConfigError as error:
                log.error("the settings cannot be used here, so nothing changes: %s", error)
                return
            await heed(self._context, settings, rules_of(settings.rules), certificate)

    def _note_login(self, address: str, user: str, right: bool) -> None:
        self._context.failures.note(address, user, right, asyncio.get_running_loop().time())

    async def _hold(self, seconds: float) -> Held:
        return await hold_here(self._context, seconds, self._peer.gone.is_set)


class _Welcome:
    """Takes clients' sockets from the parent, and counts them in a slot of the board."""

    def __init__(self, source: socket.socket, listener: Listener, context: Context, board: Board, slot: int) -> None:
        self._source = source
        self._listener = listener
        self._context = context
        self._board = board
        self._slot = slot
        self._count = 0

    def start(self) -> None:
        """Take them as they come."""
        self._source.setblocking(False)
        asyncio.get_running_loop().add_reader(self._source, self._take)

    async def stop(self) -> None:
        """Take those that were sent already, and no more."""
        asyncio.get_running_loop().remove_reader(self._source)
        self._take()
        self._source.close()

    def _take(self) -> None:
        for _ in range(_MOST_AT_ONCE):
            try:
                said, numbers, _, _ = socket.recv_fds(self._source, 1, 1)
            except BlockingIOError:
                return
            except OSError as error:
                log.error("cannot take a client from the parent: %s", error)
                return
            if not said:
                asyncio.get_running_loop().remove_reader(self._source)
                return
            self._count += 1
            for number in numbers:
                self._context.spawn(self._serve(socket.socket(fileno=number)))
            self._board.count_welcomed(self._slot, self._count)

    async def _serve(self, client: socket.socket) -> None:
        client.setblocking(False)
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(self._listener.welcome, client)


class _Retiring:
    """Ends the connections to servers that are used no more."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known = {state.server.name: state.server for state in context.monitor.snapshot.states()}

    def look(self, snapshot: Snapshot) -> None:
        """The servers are not what they were."""
        now = {state.server.name: state.server for state in snapshot.states()}
        if self._context.pool is not None:
            for name in self._known.keys() - now.keys():
                self._context.pool.retire(self._known[name])
        self._known = now


async def _awaited(work: Awaitable[Any]) -> None:
    await work


def main() -> None:
    """Serve with what the parent has passed: descriptors of two sockets, of shared memory, and of a pipe."""
    control, clients, memory, wakes = map(int, sys.argv[1:])
    for descriptor in (control, clients, memory, wakes):
        os.set_inheritable(descriptor, False)

    async def run() -> None:
        await Worker(socket.socket(fileno=control), socket.socket(fileno=clients), memory, wakes).run()

    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(run())
