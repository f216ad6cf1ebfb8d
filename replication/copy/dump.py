"""The engine that moves rows through the vendor's own dump client, piped into its client on the replica.

A dump has a snapshot of its own, some moment after ours, and does not spell every value out (FLOAT has six digits
there). So what it has brought is compared range by range with our snapshot, as a copy that was broken off is, and the
ranges that differ are written anew. Tables that cannot be compared by ranges are streamed.
"""

import asyncio
import re
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from replication.comparison.rows import primary_keys
from replication.copy.bulk import is_cut, move_locked, move_rest
from replication.copy.catalog import Table
from replication.copy.clients import Clients, option_file
from replication.copy.engine import Placed, Progress, Whole, in_place, leave
from replication.copy.indexes import has_unique_key
from replication.copy.layout import plan_tables
from replication.copy.snapshot import Snapshot
from replication.together import together
from topology.errors import ManyreadsError, ServerError, StatementRefused
from topology.servers import Vendor
from topology.sqlclient import SqlClient

_SLICE = 1 << 20
_ERROR = re.compile(r"ERROR (\d+) ")
_SESSION = "SET SESSION sql_log_bin = 0, foreign_key_checks = 0, sql_mode = 'NO_AUTO_VALUE_ON_ZERO'"
_DUMP = (
    "--single-transaction",
    "--quick",
    "--no-create-info",
    "--no-tablespaces",
    "--skip-triggers",
    "--skip-lock-tables",
    "--skip-add-locks",
    "--skip-disable-keys",
    "--skip-comments",
    "--hex-blob",
    "--complete-insert",
    "--default-character-set=utf8mb4",
)
_OWN: Mapping[Vendor, Sequence[str]] = {
    Vendor.MARIADB: (),
    Vendor.MYSQL: ("--set-gtid-purged=OFF", "--column-statistics=0"),
}


@dataclass(frozen=True, slots=True)
class DumpEngine:
    """One dump for each table, as many at a time as there are sessions on the replica."""

    clients: Clients

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
        tables = [table for table in await _dumpable(snapshot) if place(table).full_name not in kept]
        source, target = snapshot.session.server, targets[0].server
        with option_file(source, vendor) as at_source, option_file(target, vendor) as at_target:
            dumps = _Dumps(self.clients, vendor, at_source, at_target, place, progress)
            await dumps.run(tables, len(targets))
        dumped = frozenset(place(table).full_name for table in tables)
        await move_rest(snapshot, targets, vendor, progress, kept | dumped, place, whole)


async def _dumpable(snapshot: Snapshot) -> list[Table]:
    """The tables that can be compared by ranges, and whose ranges can then be written in any order."""
    tables = snapshot.catalog.tables
    keys = await primary_keys(snapshot.session, tables)
    plans = plan_tables(snapshot.catalog)
    return [
        table
        for table in tables
        if table.has_rows and is_cut(table, keys[table.full_name]) and not has_unique_key(plans[table.full_name].create)
    ]


@dataclass(frozen=True, slots=True)
class _Dumps:
    clients: Clients
    vendor: Vendor
    at_source: Path
    at_target: Path
    place: Placed
    progress: Progress

    async def run(self, tables: Sequence[Table], workers: int) -> None:
        """Move all of them, the largest first."""
        waiting = sorted(tables, key=lambda table: table.rows * table.row_length)

        async def work() -> None:
            while waiting:
                await self._move(waiting.pop())

        async with together() as group:
            for _ in range(workers):
                group.create_task(work())

    async def _move(self, table: Table) -> None:
        async with (
            _program(self.clients.dump, *self._dumping(table)) as dump,
            _program(self.clients.load, *self._loading(table)) as load,
        ):
            errors = [asyncio.create_task(_errors(program)) for program in (dump, load)]
            await self._pump(dump, load)
            said = await asyncio.gather(*errors)
            for program, text in zip((load, dump), reversed(said), strict=True):
                if await program.wait():
                    raise _failed(table, text)

    async def _pump(self, dump: Process, load: Process) -> None:
        assert dump.stdout is not None
        assert load.stdin is not None
        # A client that has met an error reads no more; its own words say what it was.
        with suppress(ConnectionError):
            while piece := await dump.stdout.read(_SLICE):
                load.stdin.write(piece)
                await load.stdin.drain()
                self.progress(0, len(piece))
            load.stdin.write_eof()

    def _dumping(self, table: Table) -> tuple[str, ...]:
        return f"--defaults-file={self.at_source}", *_DUMP, *_OWN[self.vendor], "--", table.schema, table.name

    def _loading(self, table: Table) -> tuple[str, ...]:
        schema = self.place(table).schema
        return f"--defaults-file={self.at_target}", f"--init-command={_SESSION}", "--binary-mode", "--", schema


@asynccontextmanager
async def _program(path: Path, *arguments: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(path, *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=_SLICE)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _errors(process: Process) -> str:
    assert process.stderr is not None
    return (await process.stderr.read()).decode(errors="replace").strip()


def _failed(table: Table, text: str) -> ManyreadsError:
    problem = f"copying {table.full_name} by a dump: {text or 'the client ended without a word'}"
    found = _ERROR.search(text)
    if found is None:
        return ServerError(problem, "use --method stream, which needs no client")
    return StatementRefused(problem, errno=int(found[1]))
