"""The one probing loop: asks every server again and again, publishes Snapshots, and tells who is fresh.

A read may be answered by a replica only if it has every write that was acknowledged before the read came. After each
write the monitor asks the primary for its GTID position, waits on each replica until that is applied, and confirms it.
It also keeps known which tables are such that a write to one shows in no other.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from topology import health
from topology.duty import Duty
from topology.environment import Deployment
from topology.errors import ServerError
from topology.freshness import Freshness, Table, Tables
from topology.lag import LagMeter
from topology.primary import LOOKS
from topology.probe import Prober
from topology.seating import Seating
from topology.servers import Health, Observation, Server, ServerState, Snapshot
from topology.shares import Shares

log = logging.getLogger(__name__)
_now = time.monotonic

# So long at once a replica is waited for.
_WAIT_SECONDS = 1.0
# Tables may be defined past the proxy.
_DEFINITIONS_SECONDS = 30.0
# Of its time, asking for definitions takes a twentieth at most, and it pauses so long at least.
_DEFINITIONS_SHARE = 20
_DEFINITIONS_PAUSE = 0.05
# Who is primary is looked at so often as long as that is not certain, or the primary cannot be used.
_UNEASY_SECONDS = 0.2
# Looks that are asked for come no faster than this.
_LOOK_PAUSE = 0.02
# Under a steady write load one confirmation covers all writes of such a time; it bounds what the asking costs.
_PAUSE_SECONDS = 0.005
# The same while a read waits for it.
_SHORT_PAUSE_SECONDS = 0.001


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
        if self._group is not None:
            work = (self._watch(server), self._confirm(server.name))
            self._tasks[server.name] = [self._group.create_task(each) for each in work]

    @property
    def deployment(self) -> Deployment:
        """The servers that are watched, with the roles that they were given."""
        return self._deployment

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
        self._since.pop(server.name, None)
        self._pace.pop(server.name, None)
        self.freshness.forget(server.name)
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

    def note_write(self, tables: Tables, *, defines: bool) -> None:
        """A write to `tables` (resolved) was acknowledged by the primary; `defines`: it may have been DDL."""
        self.freshness.note_write(tables, defines=defines)
        self._written.set()
        if defines:
            self._defined.set()

    def report_failure(self, server: Server, reason: str) -> None:
        """The data path could not use `server`: counts at once, without waiting for the next probe."""
        if server.name in self._tracks and self.current(server):
            self._keep(health.fail(self._tracks[server.name], reason))
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
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._alarm.wait(), min(pause, _UNEASY_SECONDS) if uneasy else pause)
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
            self.freshness.forget(name)
            self._since.pop(name, None)
            self._pace.pop(name, None)
        if primary:
            self._primary_asked.close()
            self._primary_asked = Prober(self._seating.servers[self._seating.primary], self._within)
            self.freshness.restart()
            self._defined.set()

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

    async def _confirm(self, name: str) -> None:
        """Keep a server, as long as it is a replica, confirmed up to the last write."""
        clock = asyncio.get_running_loop().time
        with contextlib.closing(_Follower(self._seating.servers[name], self._within)) as follower:
            while True:
                await self._until_behind(name)
                server = self._seating.servers[name]
                prober = follower.of(server)
                began = self._since.setdefault(name, clock())
                if await self._confirm_once(server, prober):
                    self._since.pop(name, None)
                    self._pace[name] = clock() - began
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
            log.debug("cannot ask %s for its position: %s", self.snapshot.primary.server, error)

    def hopeful(self, seconds: float) -> bool:
        """Whether some replica may be confirmed in so many seconds, judging by how long that took and takes."""
        now = asyncio.get_running_loop().time()
        return any(
            self._pace.get(server.name, 0.0) < seconds and now - self._since.get(server.name, now) < seconds
            for server in self.snapshot.readers
        )

    async def _until_behind(self, name: str) -> None:
        while name == self._seating.primary or self.freshness.has(name, self.freshness.number):
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
        if self._tracks[server.name].state.usable and self.current(server):
            self.freshness.confirm(server.name, number)
        return True

    async def _reaches(self, server: Server, prober: Prober, position: str) -> bool:
        """Whether `server` applies `position` before it would lag too much.

        It is waited for again: under a steady load a newer one is no nearer.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + self.limits.max_lag + _WAIT_SECONDS
        while self._tracks[server.name].state.usable and self.current(server) and clock() < until:
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
                asked = self._primary_asked
                position = await asked.position()
                if asked is not self._primary_asked:
                    raise ServerError(f"{asked.server} is not the primary any more")
                self.freshness.locate(asked_after, position)
                self._warn_without_position(position)
            return position

    def _warn_without_position(self, position: str) -> None:
        if not position and not self._warned:
            self._warned = True
            log.warning(
                "%s reports no GTID position, so no replica can be known to be up to date and all reads go to it; "
                "switch on log_bin (MariaDB) or gtid_mode (MySQL)",
                self._primary_asked.server,
            )

    async def _learn_definitions(self) -> None:
        """Keep known which tables are ordinary: asked for after each DDL, and regularly."""
        clock = asyncio.get_running_loop().time
        with contextlib.closing(_Follower(self._deployment.primary, self._within)) as follower:
            while True:
                prober = follower.of(self._seating.servers[self._seating.primary])
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


class _Follower:
    """Keeps a prober for whichever server it has to ask now."""

    def __init__(self, server: Server, within: float) -> None:
        self._within = within
        self._prober = Prober(server, within)

    def of(self, server: Server) -> Prober:
        """That for `server`; the one for another server is closed."""
        if self._prober.server is not server:
            self._prober.close()
            self._prober = Prober(server, self._within)
        return self._prober

    def close(self) -> None:
        """Drop its connection."""
        self._prober.close()
