"""A worker's side of it: what the parent publishes, and what other workers write, as `topology.watch.Watch` has it."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from dataclasses import replace

from proxy.workers.board import Board, Reading
from proxy.workers.news import Confirmed, Failure, Learnt, Located, Servers, Standing
from proxy.workers.numbering import Numbering, Vector, within
from proxy.workers.peer import Peer, PeerGone
from proxy.workers.publisher import WAITING, WRITTEN
from proxy.workers.records import Kind, Record, record_of_write
from topology.environment import Deployment
from topology.freshness import Freshness, Tables
from topology.health import Limits
from topology.servers import Health, Server, Snapshot
from topology.shares import Shares


class _Seat:
    """One server as the sessions know it: `past` are the objects for it since no other server answered there."""

    def __init__(self, standing: Standing) -> None:
        self.server = standing.state.server
        self.incarnation = standing.incarnation
        self.tenure = standing.tenure
        self.past = [self.server]

    def move(self, standing: Standing) -> bool:
        """Whether it is not what it was."""
        if standing.incarnation == self.incarnation:
            return False
        if standing.tenure != self.tenure:
            self.past.clear()
        self.server, self.incarnation, self.tenure = standing.state.server, standing.incarnation, standing.tenure
        self.past.append(self.server)
        return True


class Follower:
    """Watches the servers with the parent's eyes. `slot` is the worker's on the board, `wakes` the end of the pipe that
    wakes the parent."""

    def __init__(self, first: Servers, board: Board, slot: int, wakes: int) -> None:
        self._board = board
        self.slot = slot
        self._wakes = wakes
        self._peer: Peer | None = None
        self._reading = Reading(board, slot)
        self._numbering = Numbering()
        self._defining = 0
        self._defined: Vector = self._vector
        self._since: dict[str, float] = {}
        self._pace: dict[str, float] = {}
        self._seats = {each.state.server.name: _Seat(each) for each in first.standings}
        self._listeners: list[Callable[[Snapshot], None]] = []
        self._move_listeners: list[Callable[[], None]] = []
        self._silence_listeners: list[Callable[[Server], None]] = []
        self.freshness = Freshness(self._want, self.catch_up)
        self.freshness.note_elsewhere(None, defines=True)
        self._numbering.note(self.freshness.number, self._vector)
        self._accepted_writes = first.accepted_writes
        self.snapshot = self._snapshot(first)

    def connect(self, peer: Peer) -> None:
        """The line to the parent is there."""
        self._peer = peer

    @property
    def _vector(self) -> Vector:
        return tuple(self._reading.vector)

    # --- writes, own and others' -------------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Take note of what other workers have had acknowledged."""
        if self._reading.behind:
            for records in self._reading.news():
                if records is None:
                    self._tell("relearn")
                for record in [Record(Kind.DEFINES)] if records is None else records:
                    self._note(record)
                self._numbering.note(self.freshness.number, self._vector)
            self._note_behind()

    def _note(self, record: Record) -> None:
        freshness = self.freshness
        if record.kind is Kind.BEGINS:
            freshness.begin_definition()
            freshness.end_definition()
        elif record.kind is not Kind.MARK:
            freshness.note_elsewhere(record.tables, defines=record.kind is Kind.DEFINES)
        if record.kind in (Kind.BEGINS, Kind.DEFINES):
            self._defined = self._vector

    def _append(self, record: Record, wake: bytes = WRITTEN) -> None:
        # What others had acknowledged before must not get a later number than this.
        self.catch_up()
        self._reading.vector[self.slot] = self._board.append(self.slot, record)
        self._wake(wake)

    def _wake(self, how: bytes) -> None:
        # A full pipe wakes, too; a parent that is gone is noticed elsewhere.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._wakes, how)

    def note_write(self, tables: Tables, *, defines: bool) -> None:
        """A write was acknowledged: all workers know it before its client does."""
        self._append(record_of_write(tables, defines=defines))
        self.freshness.note_write(tables, defines=defines)
        self._noted(defines=defines)

    def begin_definition(self) -> None:
        """A statement that may be DDL is on its way."""
        self._defining += 1
        self._board.define(self.slot, self._defining)
        self._append(Record(Kind.BEGINS))
        self.freshness.begin_definition()
        self._noted(defines=True)

    def end_definition(self) -> None:
        """It is over, and may show in any table."""
        self._append(Record(Kind.DEFINES))
        self.freshness.note_elsewhere(None, defines=True)
        self.freshness.end_definition()
        self._noted(defines=True)
        # Not before: who finds none under way finds the record.
        self._defining -= 1
        self._board.define(self.slot, self._defining)

    def _noted(self, *, defines: bool) -> None:
        if defines:
            self._defined = self._vector
        self._numbering.note(self.freshness.number, self._vector)
        self._note_behind()

    def _want(self) -> None:
        """A mark was made, or a read waits."""
        waiting = WAITING if self.freshness.waiters else WRITTEN
        if self.freshness.number > self._numbering.last:
            self._append(Record(Kind.MARK), waiting)
            self._numbering.note(self.freshness.number, self._vector)
        else:
            self._wake(waiting)

    async def locate(self) -> None:
        """Have a position of the primary that holds all acknowledged writes, unless the primary is silent."""
        self.catch_up()
        await self._ask("locate")

    # --- what the parent has found -----------------------------------------------------------------------------------

    def confirmed(self, told: Confirmed) -> None:
        """A replica has applied more."""
        self.catch_up()
        state = next((each for each in self.snapshot.replicas if each.server.name == told.replica), None)
        if state is None or not state.usable:
            return
        self.freshness.confirm(told.replica, self._numbering.covered(told.vector))
        now = _now()
        self._pace[told.replica] = now - self._since.pop(told.replica, now)
        self._note_behind()

    def located(self, told: Located) -> None:
        """The primary has told its position."""
        self.catch_up()
        self.freshness.locate(self._numbering.covered(told.vector), told.position)

    def learnt(self, told: Learnt) -> None:
        """The ordinary tables are known, unless they may be others already."""
        if any(self._board.defining(slot) for slot in range(self._board.slots)):
            return
        self.catch_up()
        if within(self._defined, told.vector):
            self.freshness.learn(told.ordinary, self.freshness.definitions)
        else:
            self._tell("relearn")

    def silent(self, name: str) -> None:
        """A server does not answer its probes."""
        if (seat := self._seats.get(name)) is not None:
            for listener in self._silence_listeners:
                listener(seat.server)

    def servers(self, told: Servers) -> None:
        """The servers are not what they were."""
        primary = self.snapshot.primary.server.name
        moved = self._seat(told)
        self._accepted_writes = told.accepted_writes
        snapshot = self._snapshot(told)
        for state in snapshot.states():
            if not state.usable or state.server.name in moved:
                self._forget(state.server.name)
        if primary in moved or primary != snapshot.primary.server.name:
            # What is learnt from now on was asked of the new one.
            self.freshness.restart()
        self.snapshot = snapshot
        for listener in self._listeners:
            listener(snapshot)
        if moved:
            for move_listener in self._move_listeners:
                move_listener()

    def _seat(self, told: Servers) -> set[str]:
        """The names of the servers that are not what they were."""
        names = {each.state.server.name for each in told.standings}
        moved = self._seats.keys() - names
        for name in moved:
            del self._seats[name]
        for each in told.standings:
            name = each.state.server.name
            if name not in self._seats:
                self._seats[name] = _Seat(each)
                moved.add(name)
            elif self._seats[name].move(each):
                moved.add(name)
        return moved

    def _forget(self, name: str) -> None:
        self.freshness.forget(name)
        self._since.pop(name, None)
        self._pace.pop(name, None)

    def _snapshot(self, told: Servers) -> Snapshot:
        states = [replace(each.state, server=self._seats[each.state.server.name].server) for each in told.standings]
        return Snapshot(states[0], tuple(states[1:]), told.doubt, told.split, told.rivals)

    # --- what sessions ask -------------------------------------------------------------------------------------------

    @property
    def deployment(self) -> Deployment:
        """The servers that are watched."""
        return Deployment(self.snapshot.primary.server, tuple(state.server for state in self.snapshot.replicas))

    @property
    def accepted_writes(self) -> bool:
        """Whether the primary was seen to accept writes."""
        return self._accepted_writes

    def heed(self, interval: float, limits: Limits, shares: Shares) -> None:
        """The parent does."""

    def current(self, server: Server) -> bool:
        """Whether `server` still has this role, and its address still leads to it."""
        seat = self._seats.get(server.name)
        return seat is None or seat.server is server

    def answers(self, server: Server) -> bool:
        """Whether `server`, which may have another role by now, is still there as far as is known."""
        seat = self._seats.get(server.name)
        if seat is None:
            return True
        down = any(state.health is Health.DOWN for state in self.snapshot.states() if state.server is seat.server)
        return any(server is one for one in seat.past) and not down

    def hopeful(self, seconds: float) -> bool:
        """Whether some replica may be confirmed in so many seconds, judging by how long that took and takes."""
        now = _now()
        return any(
            self._pace.get(server.name, 0.0) < seconds and now - self._since.get(server.name, now) < seconds
            for server in self.snapshot.readers
        )

    def _note_behind(self) -> None:
        now, number = _now(), self.freshness.number
        for server in self.snapshot.readers:
            if not self.freshness.has(server.name, number):
                self._since.setdefault(server.name, now)

    def report_failure(self, server: Server, reason: str) -> None:
        """It is out of use here at once, and soon everywhere."""
        seat = self._seats.get(server.name)
        if seat is None or seat.server is not server:
            return
        self.freshness.forget(server.name)
        states = (
            replace(state, health=Health.DOWN, reason=reason) if state.server is server else state
            for state in self.snapshot.states()
        )
        primary, *replicas = states
        self.snapshot = replace(self.snapshot, primary=primary, replicas=tuple(replicas))
        self._tell("failed", Failure(server.name, seat.incarnation, reason))

    def look(self) -> None:
        """Ask all servers at once how they are."""
        self._tell("look")

    async def look_twice(self) -> None:
        """Know who is primary by now."""
        await self._ask("look_twice")

    def on_change(self, listener: Callable[[Snapshot], None]) -> None:
        """Call `listener` with each Snapshot that differs from the one before."""
        self._listeners.append(listener)

    def on_move(self, listener: Callable[[], None]) -> None:
        """Call `listener` when a server has another role, or another server answers at its address."""
        self._move_listeners.append(listener)

    def on_silence(self, listener: Callable[[Server], None]) -> None:
        """Call `listener` with each server that went down because its probes were not answered."""
        self._silence_listeners.append(listener)

    def _tell(self, name: str, value: object = None) -> None:
        # Without a parent this worker ends soon.
        with contextlib.suppress(PeerGone):
            if self._peer is not None:
                self._peer.tell(name, value)

    async def _ask(self, name: str) -> None:
        with contextlib.suppress(PeerGone):
            if self._peer is not None:
                await self._peer.ask(name)


def _now() -> float:
    return asyncio.get_running_loop().time()
