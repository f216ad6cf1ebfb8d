"""Workers that follow a parent: no interleaving of writes, confirmations and reads makes a stale replica look fresh."""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.workers.board import CAPACITY, Board, new_memory
from proxy.workers.follower import Follower
from proxy.workers.news import Servers, Standing
from proxy.workers.publisher import Publisher
from topology.freshness import Freshness, Table
from topology.servers import Health, Role, Server, ServerState, Snapshot

TABLES: list[Table] = [("s", "a"), ("s", "b")]
PRIMARY = Server("dbwrite", "h", 1, Role.PRIMARY)
REPLICA = Server("dbread1", "h", 2, Role.REPLICA)
WORKERS = 2


class Watching:
    """What the parent's monitor is to the publisher: its probes are the test's."""

    def __init__(self) -> None:
        self.freshness = Freshness()
        self.snapshot = Snapshot(ServerState(PRIMARY, Health.HEALTHY), (ServerState(REPLICA, Health.HEALTHY),))
        self.accepted_writes = True
        self.changed: Callable[[Snapshot], None] = lambda _: None

    def on_change(self, listener: Callable[[Snapshot], None]) -> None:
        self.changed = listener

    def on_silence(self, listener: object) -> None:
        """Never."""

    def same(self, server: Server) -> bool:
        return True

    def written(self, *, defines: bool) -> None:
        """The test decides when to confirm."""


class Crew:
    """A parent and two workers in one process, and what is true: the writes, and what the replica has applied."""

    def __init__(self) -> None:
        self.memory = new_memory(WORKERS)
        self.board = Board(self.memory, WORKERS)
        self.pipe = os.pipe()
        for end in self.pipe:
            os.set_blocking(end, False)
        self.watching = Watching()
        watching: Any = self.watching
        self.lines: list[deque[tuple[str, Any]]] = [deque() for _ in range(WORKERS)]
        self.publisher = Publisher(watching, self.board, self.pipe[0], self._tell)
        self.followers = [Follower(self._servers(), self.board, slot, self.pipe[1]) for slot in range(WORKERS)]
        self.writes: list[Table | None] = []
        self.applied = 0
        self.asked: list[tuple[int, int]] = []

    def _tell(self, name: str, value: Any) -> None:
        for line in self.lines:
            line.append((name, value))

    def _servers(self) -> Servers:
        standings = tuple(Standing(state, 1, 1) for state in self.watching.snapshot.states())
        return Servers(standings, "", "", (), True)

    def write(self, worker: int, table: Table | None) -> None:
        self.writes.append(table)
        self.followers[worker].note_write(None if table is None else frozenset({table}), defines=False)

    def define(self, worker: int) -> None:
        self.followers[worker].begin_definition()
        self.writes.append(None)
        self.followers[worker].end_definition()
        self.followers[worker].note_write(None, defines=True)

    def ask(self) -> None:
        """The parent asks the primary for its position, after all that it knows of."""
        self.asked.append((self.watching.freshness.number, len(self.writes)))

    def confirm(self) -> None:
        """The replica has reached a position that was asked for."""
        if self.asked:
            number, self.applied = self.asked.pop(0)[0], max(self.applied, self.asked_position)
            self.watching.freshness.confirm("dbread1", number)

    def deliver(self, worker: int) -> None:
        if self.lines[worker]:
            name, value = self.lines[worker].popleft()
            getattr(self.followers[worker], name)(value)

    def learn(self) -> None:
        freshness = self.watching.freshness
        freshness.learn(frozenset(TABLES), freshness.definitions)

    def check(self, worker: int, table: Table) -> bool:
        """Whether a read of the table may go to the replica; never if that lacks a write to it."""
        freshness = self.followers[worker].freshness
        freshness.catch_up()
        fresh = freshness.covers("dbread1", frozenset({table}), "s")
        needed = max((at + 1 for at, written in enumerate(self.writes) if written in (table, None)), default=0)
        assert not fresh or self.applied >= needed
        return fresh

    asked_position = 0

    def close(self) -> None:
        self.board.close()
        for end in (*self.pipe, self.memory):
            os.close(end)


def step(crew: Crew, what: str, worker: int, table: Table) -> None:
    if what == "write":
        crew.write(worker, table)
    elif what == "anything":
        crew.write(worker, None)
    elif what == "define":
        crew.define(worker)
    elif what == "read":
        crew.check(worker, table)
    elif what == "deliver":
        crew.deliver(worker)
    elif what == "mark":
        crew.followers[worker].freshness.mark()
    elif what == "confirm" and crew.asked:
        crew.asked_position = crew.asked[0][1]
        crew.confirm()
    elif what == "ask":
        crew.ask()
    elif what == "learn":
        crew.learn()
    elif what == "import":
        crew.publisher.catch_up()


STEPS = "write anything define read deliver mark confirm ask learn import".split()
MOVES = st.tuples(st.sampled_from(STEPS), st.integers(0, WORKERS - 1), st.sampled_from(TABLES))


def within(work: Callable[[Crew], None]) -> None:
    async def run() -> None:
        crew = Crew()
        work(crew)
        crew.close()

    asyncio.run(run())


@settings(max_examples=150, deadline=None)
@given(st.lists(MOVES, max_size=60))
def test_no_replica_that_lacks_a_write_looks_fresh(moves: list[tuple[str, int, Table]]) -> None:
    def work(crew: Crew) -> None:
        for what, worker, table in moves:
            step(crew, what, worker, table)
            for reader in range(WORKERS):
                crew.check(reader, table)

    within(work)


def settle(crew: Crew) -> None:
    """Everything is imported, learnt, confirmed and delivered."""
    for _ in range(4):
        for what in ("import", "learn", "ask", "confirm"):
            step(crew, what, 0, TABLES[0])
        for worker in range(WORKERS):
            while crew.lines[worker]:
                crew.deliver(worker)


def test_in_the_end_all_workers_use_the_replica() -> None:
    def work(crew: Crew) -> None:
        crew.define(0)
        crew.write(1, TABLES[0])
        settle(crew)
        assert all(crew.check(worker, table) for worker in range(WORKERS) for table in TABLES)
        # A write of the one concerns no other table of the other.
        crew.write(0, TABLES[0])
        assert [crew.check(1, table) for table in TABLES] == [False, True]
        assert [crew.check(0, table) for table in TABLES] == [False, True]

    within(work)


def test_a_confirmation_covers_nothing_that_was_written_after_its_position() -> None:
    def work(crew: Crew) -> None:
        settle(crew)
        crew.write(0, TABLES[0])
        for what in ("import", "ask"):
            step(crew, what, 0, TABLES[0])
        crew.write(1, TABLES[1])
        for what in ("import", "confirm"):
            step(crew, what, 0, TABLES[0])
        for worker in range(WORKERS):
            while crew.lines[worker]:
                crew.deliver(worker)
            assert [crew.check(worker, table) for table in TABLES] == [True, False]

    within(work)


def test_what_was_learnt_before_a_definition_is_not_believed_after_it() -> None:
    def work(crew: Crew) -> None:
        settle(crew)
        crew.define(0)
        for what in ("import", "learn"):
            step(crew, what, 0, TABLES[0])
        crew.define(1)
        for worker in range(WORKERS):
            while crew.lines[worker]:
                crew.deliver(worker)
            assert crew.followers[worker].freshness.ordinary is None
        settle(crew)
        assert all(follower.freshness.ordinary is not None for follower in crew.followers)

    within(work)


def test_who_missed_too_much_believes_that_anything_was_written() -> None:
    def work(crew: Crew) -> None:
        settle(crew)
        assert crew.check(1, TABLES[1])
        begin = crew.board.end(0)
        while crew.board.end(0) - begin <= CAPACITY:
            crew.write(0, TABLES[0])
        assert not crew.check(1, TABLES[1])
        settle(crew)
        assert crew.check(1, TABLES[1])

    within(work)


def test_what_a_worker_had_under_way_when_it_died_counts() -> None:
    def work(crew: Crew) -> None:
        settle(crew)
        crew.followers[0].begin_definition()
        assert not crew.check(1, TABLES[1]) or crew.followers[1].freshness.ordinary is None
        crew.writes.append(None)
        crew.publisher.bury(0)
        assert not crew.check(1, TABLES[1])
        settle(crew)
        assert crew.board.defining(0) == 0

    within(work)


def test_a_failure_is_heeded_at_once_and_told() -> None:
    def work(crew: Crew) -> None:
        settle(crew)
        follower = crew.followers[0]
        server = follower.snapshot.replicas[0].server
        follower.report_failure(server, "broken")
        assert follower.snapshot.readers == ()
        assert follower.current(server)
        assert not follower.answers(server)
        assert crew.followers[1].snapshot.readers == (server,)

    within(work)


def test_another_primary_has_all_confirmed_anew() -> None:
    def work(crew: Crew) -> None:
        settle(crew)
        follower, moves = crew.followers[0], list[str]()
        follower.on_move(lambda: moves.append("moved"))
        old = follower.snapshot.primary.server
        assert crew.check(0, TABLES[0])
        news = Servers(
            (
                Standing(ServerState(Server("dbread1", "h", 2, Role.PRIMARY), Health.HEALTHY), 2, 1),
                Standing(ServerState(Server("dbwrite", "h", 1, Role.REPLICA), Health.HEALTHY), 2, 1),
            ),
            *("", "", (), True),
        )
        follower.servers(news)
        assert moves == ["moved"]
        assert not follower.current(old)
        assert follower.answers(old)
        assert not follower.freshness.fresh("dbwrite")

    within(work)
