"""The one probing loop: asks every server again and again, publishes Snapshots, and tells who is fresh.

A read may be answered by a replica only if it has every write that was acknowledged before the read came. After each
write the monitor asks the primary for its GTID position, waits on each replica until that is applied, and confirms it.
It also keeps known which tables are such that a write to one shows in no other.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from topology import health
from topology.environment import Deployment
from topology.errors import ServerError
from topology.freshness import Freshness, Table, Tables
from topology.probe import Prober
from topology.servers import Health, Observation, Server, Snapshot

log = logging.getLogger(__name__)

# So long at once a replica is waited for.
_WAIT_SECONDS = 1.0
# Tables may be defined past the proxy.
_DEFINITIONS_SECONDS = 30.0
# Of its time, asking for definitions takes a twentieth at most, and it pauses so long at least.
_DEFINITIONS_SHARE = 20
_DEFINITIONS_PAUSE = 0.05
# Under a steady write load one confirmation covers all writes of such a time; it bounds what the asking costs.
_PAUSE_SECONDS = 0.005
# The same while a read waits for it.
_SHORT_PAUSE_SECONDS = 0.001


class Monitor:
    """Watches one deployment. `snapshot` is the latest judgement, replaced whole and never changed.

    `interval` is the pause between two probes, `max_lag` what a replica may be behind; both in seconds.
    """

    def __init__(self, deployment: Deployment, *, interval: float, within: float, max_lag: float) -> None:
        self._deployment = deployment
        self.interval = interval
        self._within = within
        self.max_lag = max_lag
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}
        self._tracks = {server.name: health.begin(server) for server in deployment.servers}
        self._listeners: list[Callable[[Snapshot], None]] = []
        self._silence_listeners: list[Callable[[Server], None]] = []
        self._first_round = asyncio.Event()
        self._unseen = {server.name for server in deployment.servers}
        self._written = asyncio.Event()
        self._defined = asyncio.Event()
        self._position_lock = asyncio.Lock()
        self._primary_asked = Prober(deployment.primary, within)
        self._warned = False
        self._warned_of_tables = False
        self._hurry = asyncio.Event()
        self._since: dict[str, float] = {}
        self._pace: dict[str, float] = {}
        self.freshness = Freshness(self._want)
        self.snapshot = self._judged()

    async def run(self) -> None:
        """Probe until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            for server in self._deployment.servers:
                self._begin(server)
            self._group.create_task(self._learn_definitions())

    def _begin(self, server: Server) -> None:
        if self._group is None:
            return
        work = [self._watch(server)]
        if server is not self._deployment.primary:
            work.append(self._confirm(server))
        self._tasks[server.name] = [self._group.create_task(each) for each in work]

    @property
    def deployment(self) -> Deployment:
        """The servers that are watched."""
        return self._deployment

    def follow(self, replicas: tuple[Server, ...]) -> None:
        """Watch these replicas from now on. A name that another address had before must not be among theirs."""
        before = self._deployment.replicas
        self._deployment = Deployment(self._deployment.primary, replicas)
        for server in before:
            if server not in replicas:
                self._end(server)
        for server in replicas:
            if server not in before:
                self._tracks[server.name] = health.begin(server)
                self._begin(server)
        self._publish()

    def _end(self, server: Server) -> None:
        for task in self._tasks.pop(server.name, ()):
            task.cancel()
        del self._tracks[server.name]
        self._since.pop(server.name, None)
        self._pace.pop(server.name, None)
        self.freshness.forget(server.name)
        self._seen(server)

    async def first_round(self) -> None:
        """Wait until every server was probed once."""
        await self._first_round.wait()

    def on_change(self, listener: Callable[[Snapshot], None]) -> None:
        """Call `listener` with each Snapshot that differs from the one before."""
        self._listeners.append(listener)

    def on_silence(self, listener: Callable[[Server], None]) -> None:
        """Call `listener` with each server that went down because its probes were not answered."""
        self._silence_listeners.append(listener)

    def note_write(self, tables: Tables, *, defines: bool) -> None:
        """A write to `tables` (resolved) was acknowledged by the primary; `defines`: it may have been DDL."""
        self.freshness.note_write(tables, defines=defines)
        self._written.set()
        if defines:
            self._defined.set()

    def report_failure(self, server: Server, reason: str) -> None:
        """The data path could not use `server`: counts at once, without waiting for the next probe."""
        if (track := self._tracks.get(server.name)) is not None:
            self._update(health.fail(track, reason))

    async def _watch(self, server: Server) -> None:
        prober = Prober(server, self._within)
        with contextlib.closing(prober):
            while True:
                seen = await self._observe(prober)
                self._take(server, seen)
                await asyncio.sleep(self.interval)

    async def _observe(self, prober: Prober) -> Observation:
        try:
            async with asyncio.timeout(self._within):
                return await prober.observe()
        except TimeoutError:
            prober.close()
            return Observation(error=f"{prober.server} did not answer within {self._within:g} s")

    def _take(self, server: Server, seen: Observation) -> None:
        primary = self._tracks[self._deployment.primary.name].state.observation
        self._update(health.judge(self._tracks[server.name], seen, primary, self.max_lag))
        if seen.error and self._tracks[server.name].state.health is Health.DOWN:
            for listener in self._silence_listeners:
                listener(server)
        self._seen(server)

    def _seen(self, server: Server) -> None:
        self._unseen.discard(server.name)
        if not self._unseen:
            self._first_round.set()

    def _update(self, track: health.Track) -> None:
        before = self._tracks[track.state.server.name].state
        self._tracks[track.state.server.name] = track
        if before == track.state:
            return
        if before.health is not track.state.health:
            self._announce(before.health, track)
        self._publish()

    def _publish(self) -> None:
        self.snapshot = self._judged()
        for listener in self._listeners:
            listener(self.snapshot)

    def _announce(self, before: Health, track: health.Track) -> None:
        state = track.state
        if not state.usable:
            self.freshness.forget(state.server.name)
        level = logging.INFO if state.usable else logging.WARNING
        log.log(level, "%s: %s -> %s %s", state.server, before, state.health, state.reason)

    def _judged(self) -> Snapshot:
        return Snapshot(
            self._tracks[self._deployment.primary.name].state,
            tuple(self._tracks[server.name].state for server in self._deployment.replicas),
        )

    async def _confirm(self, server: Server) -> None:
        """Keep `server` confirmed up to the last write."""
        prober = Prober(server, self._within)
        clock = asyncio.get_running_loop().time
        with contextlib.closing(prober):
            while True:
                await self._until_behind(server)
                began = self._since.setdefault(server.name, clock())
                if await self._confirm_once(server, prober):
                    del self._since[server.name]
                    self._pace[server.name] = clock() - began
                else:
                    await asyncio.sleep(self.interval / 4)
                await self._pause()

    async def _pause(self) -> None:
        await asyncio.sleep(_SHORT_PAUSE_SECONDS)
        if not self.freshness.waiters:
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), _PAUSE_SECONDS - _SHORT_PAUSE_SECONDS)

    def _want(self) -> None:
        self._written.set()
        if self.freshness.waiters:
            self._hurry.set()

    async def locate(self) -> None:
        """Have a position of the primary that holds all acknowledged writes, unless the primary is silent."""
        try:
            async with asyncio.timeout(self._within):
                await self._primary_position(self.freshness.written)
        except (ServerError, TimeoutError) as error:
            log.debug("cannot ask %s for its position: %s", self._deployment.primary, error)

    def hopeful(self, seconds: float) -> bool:
        """Whether some replica may be confirmed in so many seconds, judging by how long that took and takes."""
        now = asyncio.get_running_loop().time()
        return any(
            self._pace.get(server.name, 0.0) < seconds and now - self._since.get(server.name, now) < seconds
            for server in self.snapshot.readers
        )

    async def _until_behind(self, server: Server) -> None:
        while self.freshness.has(server.name, self.freshness.number):
            self._written.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._written.wait(), self.interval)

    async def _confirm_once(self, server: Server, prober: Prober) -> bool:
        if not self._tracks[server.name].state.usable:
            return False
        number = self.freshness.number
        try:
            async with asyncio.timeout(self._within):
                position = await self._primary_position(number)
            if not position or not await self._reaches(server, prober, position):
                return False
        except (ServerError, TimeoutError) as error:
            log.debug("cannot confirm %s: %s", server, error)
            return False
        if self._tracks[server.name].state.usable:
            self.freshness.confirm(server.name, number)
        return True

    async def _reaches(self, server: Server, prober: Prober, position: str) -> bool:
        """Whether `server` applies `position` before it would lag too much.

        It is waited for again: under a steady load a newer one is no nearer.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + self.max_lag + _WAIT_SECONDS
        while self._tracks[server.name].state.usable and clock() < until:
            async with asyncio.timeout(self._within + _WAIT_SECONDS):
                if await prober.wait_for(position, _WAIT_SECONDS):
                    return True
            await asyncio.sleep(_PAUSE_SECONDS)
        return False

    async def _primary_position(self, number: int) -> str:
        """A position of the primary that covers write number `number`, asked once for all replicas."""
        async with self._position_lock:
            position = self.freshness.position_after(number)
            if position is None:
                asked_after = self.freshness.number
                position = await self._primary_asked.position()
                self.freshness.locate(asked_after, position)
                self._warn_without_position(position)
            return position

    def _warn_without_position(self, position: str) -> None:
        if not position and not self._warned:
            self._warned = True
            log.warning(
                "%s reports no GTID position, so no replica can be known to be up to date and all reads go to it; "
                "switch on log_bin (MariaDB) or gtid_mode (MySQL)",
                self._deployment.primary,
            )

    async def _learn_definitions(self) -> None:
        """Keep known which tables are ordinary: asked for after each DDL, and regularly."""
        prober = Prober(self._deployment.primary, self._within)
        clock = asyncio.get_running_loop().time
        with contextlib.closing(prober):
            while True:
                self._defined.clear()
                began = clock()
                definitions = self.freshness.definitions
                self.freshness.learn(await self._ordinary_tables(prober), definitions)
                await asyncio.sleep(max(_DEFINITIONS_PAUSE, _DEFINITIONS_SHARE * (clock() - began)))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._defined.wait(), _DEFINITIONS_SECONDS)

    async def _ordinary_tables(self, prober: Prober) -> frozenset[Table] | None:
        try:
            async with asyncio.timeout(_DEFINITIONS_SECONDS):
                found = await prober.ordinary_tables()
        except (ServerError, TimeoutError) as error:
            log.debug("cannot ask %s for its tables: %s", prober.server, error)
            return None
        if found is None and not self._warned_of_tables:
            self._warned_of_tables = True
            log.warning(
                "%s: the account %r has no global TRIGGER privilege, or there are too many tables; "
                "so each write counts for all tables",
                prober.server,
                prober.server.user,
            )
        return found
