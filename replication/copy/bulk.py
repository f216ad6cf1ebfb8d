"""The engine: key ranges of all tables, several at a time, as lines from the primary into LOAD DATA on the replica.

LOAD DATA LOCAL skips rows and bends values with a warning where an INSERT fails. So what a range should be is counted,
and a range in which anything is amiss is written anew by strict INSERTs; so are tables whose rows cannot be cut into
ranges or written as lines.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from replication.comparison.chunks import Chunk, condition, delete
from replication.comparison.rows import checksum_of, primary_keys
from replication.copy.catalog import Column, Table
from replication.copy.engine import Placed, Progress, Whole, in_place, leave
from replication.copy.lines import LONGEST_RANGE, is_plain, load_lines, rows_in_a_range, select_lines
from replication.copy.ranges import ranges
from replication.copy.snapshot import Snapshot
from replication.copy.stream import batches, explained, move_table, send
from replication.together import both, together
from topology.errors import ManyreadsError, ServerError, StatementRefused
from topology.servers import Vendor
from topology.sqlclient import SqlClient

_Job = Chunk | Table


def is_cut(table: Table, keys: Sequence[Column]) -> bool:
    """Whether a table is copied by ranges, which can also be compared and written anew one by one."""
    return bool(keys) and table.transactional and not table.versioned and rows_in_a_range(table) > 0


class BulkEngine:
    """Uses one session of the snapshot to find ranges, and each of the others with one session of the replica.

    A session's snapshot is gone with its connection: what it was at work on goes to the others.
    """

    async def move(
        self,
        snapshot: Snapshot,
        targets: Sequence[SqlClient],
        vendor: Vendor,
        progress: Progress,
        kept: frozenset[str] = frozenset(),
        place: Placed = in_place,
        whole: Whole = leave,
    ) -> None:
        await move_locked(snapshot, targets[0], vendor, progress, place)
        await move_rest(snapshot, targets, vendor, progress, kept, place, whole)


async def move_locked(snapshot: Snapshot, target: SqlClient, vendor: Vendor, progress: Progress, place: Placed) -> None:
    """Copy the tables that are locked, and release them: writers wait for them."""
    for session in (snapshot.session, *snapshot.more):
        await session.execute(f"SET SESSION character_set_results = NULL, group_concat_max_len = {LONGEST_RANGE}")
    for table in snapshot.catalog.tables:
        if table.needs_lock:
            await move_table(snapshot.session, target, table, vendor, progress, place)
    await snapshot.release()


async def move_rest(
    snapshot: Snapshot,
    targets: Sequence[SqlClient],
    vendor: Vendor,
    progress: Progress,
    kept: frozenset[str],
    place: Placed,
    whole: Whole,
) -> None:
    """Copy all other tables, of those in `kept` what is not equal."""
    tables = [table for table in snapshot.catalog.tables if table.has_rows and not table.needs_lock]
    pairs = list(zip(snapshot.more, targets, strict=True))
    await _Pool(snapshot.session, pairs, vendor, progress, place, whole, kept).move(tables)


@dataclass(slots=True)
class _Feed:
    """What is left of one table: `jobs`, of which `ahead` is the next, and how many are `under_way`."""

    table: Table
    jobs: AsyncIterator[_Job]
    ahead: _Job | None = None
    under_way: int = 0
    exhausted: bool = False

    async def take(self) -> _Job | None:
        """The next job, which is under way from now on."""
        job = self.ahead or await anext(self.jobs, None)
        self.ahead = await anext(self.jobs, None)
        self.exhausted = self.ahead is None
        self.under_way += job is not None
        return job

    @property
    def done(self) -> bool:
        return self.exhausted and not self.under_way


@dataclass(frozen=True, slots=True)
class _Pool:
    planner: SqlClient
    """A session of the snapshot that finds ranges."""
    pairs: list[tuple[SqlClient, SqlClient]]
    """The other sessions of the snapshot, each with one of the replica; without those that were lost."""
    vendor: Vendor
    progress: Progress
    place: Placed
    whole: Whole
    kept: frozenset[str]
    """Full names, there, of the tables that may hold rows already."""
    escaped: set[str] = field(default_factory=set)
    """Full names of the tables in which a text was met that has to be escaped."""
    feeds: list[_Feed] = field(default_factory=list)
    given_back: list[tuple[_Feed, _Job]] = field(default_factory=list)
    """What lost sessions were at work on."""
    planning: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def move(self, tables: Sequence[Table]) -> None:
        keys = await primary_keys(self.planner, tables)
        # The largest first, so that no worker is left alone with one at the end.
        ordered = sorted(tables, key=lambda table: -table.rows * table.row_length)
        self.feeds.extend(_Feed(table, self._jobs(table, keys[table.full_name])) for table in ordered)
        await self._all_work()
        # Given back when the others had nothing left to do.
        while self.given_back:
            await self._all_work()

    async def _all_work(self) -> None:
        async with together() as group:
            for pair in tuple(self.pairs):
                group.create_task(self._work(*pair))

    async def _jobs(self, table: Table, keys: tuple[Column, ...]) -> AsyncIterator[_Job]:
        if not is_cut(table, keys):
            yield table
            return
        async for chunk in ranges(self.planner, table, keys, rows_in_a_range(table)):
            yield chunk

    async def _next(self) -> tuple[_Feed, _Job, bool] | None:
        """A job of the table that the fewest are at work on, the largest of those; None if there are no more.

        True behind it if it was begun before.

        LOAD DATA into one table with AUTO_INCREMENT goes one statement after the other on MariaDB, however many
        sessions there are; and rows that come in order fill pages better.
        """
        if self.given_back:
            return *self.given_back.pop(), True
        async with self.planning:
            while feed := min(self._open(), key=lambda feed: feed.under_way, default=None):
                async with _reading(self.planner, feed.table):
                    job = await feed.take()
                if job is not None:
                    return feed, job, False
        return None

    def _open(self) -> list[_Feed]:
        return [feed for feed in self.feeds if not feed.exhausted]

    async def _work(self, source: SqlClient, target: SqlClient) -> None:
        while found := await self._next():
            feed, job, begun = found
            try:
                await self._move(source, target, job, begun)
            except ManyreadsError:
                self.pairs.remove((source, target))
                if not self.pairs or _has_history(job) or await _answers(source):
                    raise
                self.given_back.append((feed, job))
                return
            feed.under_way -= 1
            if feed.done and not all(each.done for each in self.feeds):
                await self.whole(target, self.place(feed.table))

    async def _move(self, source: SqlClient, target: SqlClient, job: _Job, begun: bool) -> None:
        if isinstance(job, Table):
            if begun:
                await target.execute(f"DELETE FROM {self.place(job).full_name}")
            await move_table(source, target, job, self.vendor, self.progress, self.place)
        else:
            async with _reading(source, job.table):
                await self._move_range(source, target, job, begun)

    async def _move_range(self, source: SqlClient, target: SqlClient, chunk: Chunk, begun: bool) -> None:
        there = replace(chunk, table=self.place(chunk.table))
        if begun or there.table.full_name in self.kept:
            (rows, ours), (_, theirs) = await both(checksum_of(source, chunk), checksum_of(target, there))
            if ours == theirs:
                self.progress(rows, 0)
                return
            await target.execute(delete(there))
        if await self._load(source, target, chunk):
            return
        await target.execute(delete(there))
        async for batch in batches(source, chunk.table, self.vendor, condition(chunk), self.place):
            await send(target, there.table, batch, self.progress)

    async def _load(self, source: SqlClient, target: SqlClient, chunk: Chunk) -> bool:
        """Whether exactly the rows of the range have arrived."""
        escaped = chunk.table.full_name in self.escaped
        count, nulls, lines = (await source.raw(select_lines(self.vendor, chunk, escaped=escaped)))[0]
        rows = int(count or 0)
        if not rows or lines is None:
            return not rows
        # The answer was cut, or a value was too long for a function.
        if await source.value("SELECT @@warning_count"):
            return False
        if not escaped and not is_plain(lines, rows, int(nulls or 0), len(chunk.table.columns)):
            self.escaped.add(chunk.table.full_name)
            return await self._load(source, target, chunk)
        try:
            loaded = await target.load(load_lines(self.vendor, self.place(chunk.table)), lines, b"\n")
        except StatementRefused:
            # The INSERT that comes now says what is the matter.
            return False
        if loaded.rows != rows or loaded.warnings:
            return False
        self.progress(rows, len(lines))
        return True


def _has_history(job: _Job) -> bool:
    """Whether what has arrived of it cannot be taken back."""
    return isinstance(job, Table) and job.versioned


async def _answers(source: SqlClient) -> bool:
    if source.streaming:
        # It was the other side that failed.
        return True
    try:
        await source.execute("DO 0")
    except ServerError:
        return False
    return True


@asynccontextmanager
async def _reading(source: SqlClient, table: Table) -> AsyncIterator[None]:
    """Give up the metadata lock on the table afterwards, but not the snapshot: who alters it waits for a range."""
    await source.execute("SAVEPOINT table_read")
    try:
        yield
    except StatementRefused as error:
        raise explained(error, table, source) from error
    await source.execute("ROLLBACK TO SAVEPOINT table_read")
