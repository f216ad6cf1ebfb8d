"""The parent's side of what its workers know: tells them what the monitor finds, and the monitor what they write."""

import asyncio
import os
from collections.abc import Callable
from typing import Any, Final

from proxy.workers.board import Board, Reading
from proxy.workers.news import Confirmed, Failure, Learnt, Located, Servers, Standing
from proxy.workers.numbering import Numbering, Vector
from proxy.workers.records import Kind, Record
from topology.freshness import Table
from topology.monitor import Monitor
from topology.servers import Server, ServerState, Snapshot

Tell = Callable[[str, Any], None]
# Written into the pipe by workers: something was written, and a read waits for it.
WRITTEN: Final = b"w"
WAITING: Final = b"r"
# What the workers write in such a time, in seconds, wakes the parent once.
_PAUSE: Final = 0.001
_MOST_WAKES: Final = 4096


class _Identity:
    """Counts how often a server was another."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.incarnation = 1
        self.tenure = 1

    def look(self, server: Server, monitor: Monitor) -> None:
        if server is not self.server:
            self.incarnation += 1
            self.tenure += not monitor.same(self.server)
            self.server = server


class Publisher:
    """`tell` reaches all workers. `wakes` is the end of the pipe that they write to."""

    def __init__(self, monitor: Monitor, board: Board, wakes: int, tell: Tell) -> None:
        self._monitor = monitor
        self._board = board
        self._wakes = wakes
        self._tell = tell
        self._reading = Reading(board, None)
        self._numbering = Numbering()
        self._numbering.note(monitor.freshness.number, self._vector)
        self._defined = (monitor.freshness.definitions, self._vector)
        self._identities: dict[str, _Identity] = {}
        self._confirmed: dict[str, Confirmed] = {}
        self._located: Located | None = None
        self._learnt: Learnt | None = None
        self._primary = ("", 0)
        self._listening = False
        monitor.freshness.audience = self
        monitor.on_change(self._changed)
        monitor.on_silence(lambda server: tell("silent", server.name))

    @property
    def _vector(self) -> Vector:
        return tuple(self._reading.vector)

    def start(self) -> None:
        """Listen to the workers."""
        self._listening = True
        self._listen()

    def _listen(self) -> None:
        if self._listening:
            asyncio.get_running_loop().add_reader(self._wakes, self._woken)

    def stop(self) -> None:
        """Listen no more."""
        self._listening = False
        asyncio.get_running_loop().remove_reader(self._wakes)

    def _woken(self) -> None:
        loop = asyncio.get_running_loop()
        woken = os.read(self._wakes, _MOST_WAKES)
        self.catch_up()
        if WAITING in woken:
            # Counts as a read that waits here.
            self._monitor.freshness.wait(self._monitor.freshness.number, self._nothing)
        loop.remove_reader(self._wakes)
        loop.call_later(_PAUSE, self._listen)

    def _nothing(self) -> None:
        """The replica that was waited for is confirmed; the workers are told by `confirmed`."""

    def catch_up(self) -> None:
        """Take note of what the workers have written."""
        for records in self._reading.news():
            for record in [Record(Kind.DEFINES)] if records is None else records:
                self._note(record)
            self._numbering.note(self._monitor.freshness.number, self._vector)

    def _note(self, record: Record) -> None:
        freshness = self._monitor.freshness
        if record.kind is Kind.BEGINS:
            freshness.begin_definition()
            freshness.end_definition()
        elif record.kind is Kind.MARK:
            freshness.mark()
        else:
            freshness.note_elsewhere(record.tables, defines=record.kind is Kind.DEFINES)
        self._monitor.written(defines=record.kind in (Kind.BEGINS, Kind.DEFINES))
        self._note_definitions()

    def _note_definitions(self) -> None:
        definitions = self._monitor.freshness.definitions
        if definitions != self._defined[0]:
            self._defined = (definitions, self._vector)

    # --- what was found ----------------------------------------------------------------------------------------------

    def confirmed(self, replica: str, number: int) -> None:
        """Called by the freshness: `replica` has everything up to `number`."""
        if (vector := self._numbering.vector(number)) is not None:
            self._confirmed[replica] = told = Confirmed(replica, vector)
            self._tell("confirmed", told)

    def located(self, number: int, position: str) -> None:
        """Called by the freshness: the primary was at `position` after `number` was given."""
        if (vector := self._numbering.vector(number)) is not None:
            self._located = Located(position, vector)
            self._tell("located", self._located)

    def learnt(self, ordinary: frozenset[Table] | None, definitions: int) -> None:
        """Called by the freshness: these are the ordinary tables."""
        # Others may have been defined without a worker: the primary is another one.
        self._note_definitions()
        self._learnt = Learnt(ordinary, self._defined[1])
        self._tell("learnt", self._learnt)

    def relearn(self) -> None:
        """A worker does not know whether tables have been defined meanwhile."""
        self.catch_up()
        self._note(Record(Kind.BEGINS))

    def _changed(self, snapshot: Snapshot) -> None:
        primary = self._standing(snapshot.primary)
        seat = (primary.state.server.name, primary.incarnation)
        if seat != self._primary:
            # Its positions are others, and no replica is known to have what it has.
            self._primary, self._located = seat, None
            self._confirmed.clear()
        for state in snapshot.replicas:
            if not state.usable:
                self._confirmed.pop(state.server.name, None)
        self._tell("servers", self.servers())

    def servers(self) -> Servers:
        """How the servers are."""
        snapshot = self._monitor.snapshot
        return Servers(
            tuple(self._standing(state) for state in snapshot.states()),
            snapshot.doubt,
            snapshot.split,
            snapshot.rivals,
            self._monitor.accepted_writes,
        )

    def _standing(self, state: ServerState) -> Standing:
        identity = self._identities.setdefault(state.server.name, _Identity(state.server))
        identity.look(state.server, self._monitor)
        return Standing(state, identity.incarnation, identity.tenure)

    def so_far(self) -> list[tuple[str, Any]]:
        """What a worker that begins has to be told."""
        found: list[tuple[str, Any]] = [("servers", self.servers())]
        if self._located is not None:
            found.append(("located", self._located))
        found += [("confirmed", each) for each in self._confirmed.values()]
        if self._learnt is not None and self._monitor.freshness.ordinary is not None:
            found.append(("learnt", self._learnt))
        return found

    # --- what workers tell and ask -----------------------------------------------------------------------------------

    def failed(self, failure: Failure) -> None:
        """A worker could not use a server."""
        identity = self._identities.get(failure.server)
        if identity is not None and identity.incarnation == failure.incarnation:
            self._monitor.report_failure(identity.server, failure.reason)

    async def locate(self) -> None:
        """Have, and tell, a position that holds all that was written."""
        self.catch_up()
        await self._monitor.locate()

    def bury(self, slot: int) -> None:
        """A worker has died: what it had under way may have been carried out, and counts as such."""
        if self._board.defining(slot):
            self._board.append(slot, Record(Kind.DEFINES))
            self._board.define(slot, 0)
        self._board.count_clients(slot, 0)
        self._board.count_welcomed(slot, 0)
        self.catch_up()
