"""The one probing loop: asks every server again and again, and publishes Snapshots.

A read may be answered by a replica only if it has every write that was acknowledged before the read came: who has, is
kept known by `confirming`, and which reads depend on which writes by `learning`.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from topology import health
from topology.confirming import Confirming
from topology.duty import Duty
from topology.environment import Deployment
from topology.events import happens
from topology.freshness import Freshness, Tables
from topology.lag import LagMeter
from topology.learning import Learning
from topology.primary import LOOKS
from topology.probe import Prober
from topology.seating import Seating
from topology.servers import Health, Observation, Server, ServerState, Snapshot
from topology.shares import Shares

log = logging.getLogger(__name__)
_now = time.monotonic

# Who is primary is looked at so often as long as that is not certain, or the primary cannot be used.
_UNEASY_SECONDS = 0.2
# Looks that are asked for come no faster than this.
_LOOK_PAUSE = 0.02


class Monitor:
    """Watches one deployment. `snapshot` is the latest judgement, replaced whole and never changed.

    `interval` is the pause between two probes in seconds, `limits` is what a replica may be, `shares` what it gets
    of the reads. `tie` is the name of the
    server that is the primary if several want to be; if it is empty, nobody is then.
    """

    def __init__(
        self,
        deployment: Deployment,
        *,
        interval: float,
        within: float,
        limits: health.Limits,
        shares: Shares,
        tie: str = "",
    ) -> None:
        self._deployment = deployment
        self._seating = Seating(deployment.servers, tie)
        self._alarm = asyncio.Event()
        self.interval = interval
        self._within = within
        self.limits = limits
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, list[asyncio.Task[None]]] = {}
        self._tracks = {server.name: health.begin(server) for server in deployment.servers}
        self._lags = LagMeter()
        self._oddities: dict[str, str] = {}
        self.duty = Duty(shares)
        self._listeners: list[Callable[[Snapshot], None]] = []
        self._silence_listeners: list[Callable[[Server], None]] = []
        self._move_listeners: list[Callable[[], None]] = []
        self._first_round = asyncio.Event()
        self._unseen = {server.name for server in deployment.servers}
        self._looked: Counter[str] = Counter()
        self.freshness = Freshness(self.wanted)
        self._confirming = Confirming(self, within)
        self._learning = Learning(lambda: self.primary, self.freshness, within)
        self.snapshot = self._judged()

    def heed(self, interval: float, limits: health.Limits, shares: Shares) -> None:
        """Watch in another way from now on."""
        self.interval, self.limits = interval, limits
        self.duty.heed(shares)

    async def run(self) -> None:
        """Probe until cancelled."""
        # Behind the tasks, which use it: what is left open when the loop is closed ends in a traceback.
        with contextlib.closing(self._confirming):
            await self._run()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as self._group:
            for server in self._deployment.servers:
                self._begin(server)
            self._group.create_task(self._learning.keep())

    def _begin(self, server: Server) -> None:
        if self._group is not None:
            work = (self._watch(server), self._confirming.keep(server.name))
            self._tasks[server.name] = [self._group.create_task(each) for each in work]

    @property
    def deployment(self) -> Deployment:
        """The servers that are watched, with the roles that they were given."""
        return self._deployment

    @property
    def primary(self) -> Server:
        """The server that is the primary now."""
        return self._seating.servers[self._seating.primary]

    def server(self, name: str) -> Server:
        """The server that goes by `name` now."""
        return self._seating.servers[name]

    def usable(self, server: Server) -> bool:
        """Whether `server` still has its role, its address still leads to it, and it is fit for use."""
        track = self._tracks.get(server.name)
        return track is not None and track.state.usable and self.current(server)

    def follow(self, replicas: tuple[Server, ...]) -> None:
        """Watch these replicas from now on. A name that another address had before must not be among theirs."""
        before = self._deployment.replicas
        replicas = (*replicas, *self._needed(before, replicas))
        self._deployment = Deployment(self._deployment.primary, replicas)
        for server in before:
            if server not in replicas:
                self._end(server)
        for server in replicas:
            if server not in before:
                self._seating.add(server)
                self._tracks[server.name] = health.begin(server)
                self._begin(server)
        self._publish(moved=before != replicas)

    def _needed(self, before: tuple[Server, ...], after: tuple[Server, ...]) -> list[Server]:
        """What cannot be missed although it shall be no replica any more: it has become the primary."""
        needed = [each for each in before if each not in after and each.name == self._seating.primary]
        for server in needed:
            log.warning("%s is the primary now: as that it stays, until a restart", server)
        return needed

    def _end(self, server: Server) -> None:
        for task in self._tasks.pop(server.name, ()):
            task.cancel()
        self._seating.remove(server.name)
        del self._tracks[server.name]
        self._oddities.pop(server.name, None)
        self.duty.forget(server.name)
        self._confirming.forget(server.name)
        self._seen(server.name)

    def order(self, name: str, *, drain: bool) -> bool:
        """Give the replica no more reads, or put it back into use; what runs there goes on.

        False if there is no replica of that name.
        """
        if name not in self._tracks or name == self._seating.primary:
            return False
        if self.duty.drain(name) if drain else self.duty.resume(name, _now()):
            log.info("%s: %s by command", self._seating.servers[name], "drained" if drain else "put back into use")
            self._publish()
        return True

    def weigh(self, name: str, weight: int) -> bool:
        """Give the replica so many parts of the reads, as long as the settings have the weights that they have.

        False if there is no replica of that name.
        """
        if name not in self._tracks or name == self._seating.primary:
            return False
        log.info("%s: weight %d by command", self._seating.servers[name], weight)
        self.duty.weigh(name, weight)
        self._publish()
        return True

    async def first_round(self) -> None:
        """Wait until every server was probed once."""
        await self._first_round.wait()

    def on_change(self, listener: Callable[[Snapshot], None]) -> None:
        """Call `listener` with each Snapshot that differs from the one before."""
        self._listeners.append(listener)

    def on_move(self, listener: Callable[[], None]) -> None:
        """Call `listener` when a server has another role, or another server answers at its address."""
        self._move_listeners.append(listener)

    def current(self, server: Server) -> bool:
        """Whether `server` still has this role, and its address still leads to it."""
        return self._seating.servers.get(server.name, server) is server

    @property
    def accepted_writes(self) -> bool:
        """Whether the primary was seen to accept writes."""
        return self._seating.accepted_writes

    def answers(self, server: Server) -> bool:
        """Whether `server`, which may have another role by now, is still there as far as is known."""
        track = self._tracks.get(server.name)
        return track is None or (self._seating.same(server) and track.state.health is not Health.DOWN)

    def on_silence(self, listener: Callable[[Server], None]) -> None:
        """Call `listener` with each server that went down because its probes were not answered."""
        self._silence_listeners.append(listener)

    def begin_definition(self) -> None:
        """A statement that may be DDL is on its way."""
        self.freshness.begin_definition()

    def end_definition(self) -> None:
        """It is over, and is noted next as a write that defines."""
        self.freshness.end_definition()

    def note_write(self, tables: Tables, *, defines: bool) -> None:
        """A write to `tables` (resolved) was acknowledged by the primary; `defines`: it may have been DDL."""
        self.freshness.note_write(tables, defines=defines)
        self.written(defines=defines)

    def written(self, *, defines: bool) -> None:
        """Something new was noted that replicas are to be confirmed up to; `defines` as in `note_write`."""
        self._confirming.written()
        if defines:
            self._learning.defined()

    def wanted(self) -> None:
        """The same, and a read may wait for it."""
        self._confirming.wanted()

    def same(self, server: Server) -> bool:
        """Whether no other server has answered at the address since `server` was published."""
        return self._seating.same(server)

    async def locate(self) -> None:
        """Have a position of the primary that holds all acknowledged writes, unless the primary is silent."""
        await self._confirming.locate()

    def hopeful(self, seconds: float) -> bool:
        """Whether some replica may be confirmed in so many seconds, judging by how long that took and takes."""
        return self._confirming.hopeful(self.snapshot.readers, seconds)

    def report_failure(self, server: Server, reason: str) -> None:
        """The data path could not use `server`: counts at once, without waiting for the next probe."""
        if server.name in self._tracks and self.current(server):
            now = asyncio.get_running_loop().time()
            self._keep(health.fail(self._tracks[server.name], reason, now))
            self._publish()
            self.look()

    def look(self) -> None:
        """Ask all servers at once how they are."""
        self._alarm.set()

    async def look_twice(self) -> None:
        """Know who is primary by now: wait until every server was asked as often as that takes."""
        counts = {name: self._looked[name] + LOOKS for name in self._tracks}
        while any(self._looked[name] < count for name, count in counts.items() if name in self._tracks):
            self.look()
            await asyncio.sleep(_LOOK_PAUSE)

    async def _watch(self, server: Server) -> None:
        prober = Prober(server, self._within)
        with contextlib.closing(prober):
            while True:
                seen = await self._observe(prober)
                self._take(server.name, seen)
                await self._rest(server.name)

    async def _rest(self, name: str) -> None:
        """Pause between two looks at a server."""
        pause = health.pause(self._tracks[name], self.interval)
        uneasy = self.snapshot.doubt or self.snapshot.split or not self.snapshot.primary.usable
        await happens(self._alarm, min(pause, _UNEASY_SECONDS) if uneasy else pause)
        await asyncio.sleep(_LOOK_PAUSE)
        self._alarm.clear()

    async def _observe(self, prober: Prober) -> Observation:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(self._within):
                seen = await prober.observe()
        except TimeoutError:
            prober.close()
            seen = Observation(error=f"{prober.server} did not answer within {self._within:g} s")
        return replace(seen, began=began, ended=clock())

    def _take(self, name: str, seen: Observation) -> None:
        self._looked[name] += 1
        before = self._seating.primary
        moved = self._seating.take(name, seen)
        if name == self._seating.primary and not seen.error:
            self._lags.note(seen)
        for other in sorted({*moved, name}, key=lambda one: one != self._seating.primary):
            self._judge(other, anew=other in moved)
        if moved:
            self._follow(moved, primary=before in moved)
        self._publish(moved=bool(moved))
        if seen.error and self._tracks[name].state.health is Health.DOWN:
            for listener in self._silence_listeners:
                listener(self._seating.servers[name])
        self._seen(name)

    def _seen(self, name: str) -> None:
        self._unseen.discard(name)
        if not self._unseen:
            self._first_round.set()

    def _judge(self, name: str, *, anew: bool) -> None:
        """Judge a server by the last look at it; `anew`: nothing that is known of it holds any more."""
        seen = self._seating.last_look(name)
        track = health.begin(self._seating.servers[name]) if anew else self._tracks[name]
        if seen is not None:
            primary = self._tracks[self._seating.primary].seen
            yardstick = health.Yardstick(primary, self.limits)
            track = health.judge(track, seen, self._lags.lag(primary, seen), yardstick)
        self._keep(track)

    def _follow(self, moved: frozenset[str], *, primary: bool) -> None:
        """Servers are not what they were: the `primary` one of them, or only replicas."""
        for name in moved:
            self._confirming.forget(name)
        if primary:
            self._confirming.restart()
            self._learning.defined()

    def _keep(self, track: health.Track) -> None:
        before = self._tracks[track.state.server.name].state
        self._tracks[track.state.server.name] = track
        if before.health is not track.state.health:
            self._announce(before.health, track)
        elif track.state.usable and not track.bad:
            self._tell_oddity(track.state)

    def _publish(self, *, moved: bool = False) -> None:
        snapshot = self._judged()
        # Of a server that was exchanged, the value is equal.
        if moved or snapshot != self.snapshot:
            self.snapshot = snapshot
            for listener in self._listeners:
                listener(snapshot)
        if moved:
            for move_listener in self._move_listeners:
                move_listener()

    def _announce(self, before: Health, track: health.Track) -> None:
        state = track.state
        if state.usable and before is not Health.UNKNOWN:
            self.duty.returned(state.server.name, _now())
        if not state.usable:
            self.freshness.forget(state.server.name)
        level = logging.INFO if state.usable else logging.WARNING
        log.log(level, "%s: %s -> %s %s", state.server, before, state.health, state.reason)
        self._oddities[state.server.name] = state.reason if state.usable else ""

    def _tell_oddity(self, state: ServerState) -> None:
        if state.reason != self._oddities.get(state.server.name, ""):
            self._oddities[state.server.name] = state.reason
            log.warning("%s: stays healthy, %s", state.server, state.reason or "with nothing odd about it any more")

    def _judged(self) -> Snapshot:
        seating, now = self._seating, _now()
        return Snapshot(
            self._tracks[seating.primary].state,
            tuple(self.duty.state(track.state, now) for name, track in self._tracks.items() if name != seating.primary),
            seating.doubt,
            seating.split,
            seating.rivals,
        )
