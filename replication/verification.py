"""Whether each replica's data is equal to the primary's: the entry point for the command line and tests."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from replication.comparison.alignment import Aligned, aligned
from replication.comparison.chunks import Chunk
from replication.comparison.definitions import comparable_tables, differing
from replication.comparison.findings import ChunkDifference, DefinitionDifference
from replication.comparison.repair import (
    BATCH_ROWS,
    REWRITING,
    batched,
    check_repairable,
    check_unchanged,
    repairing_session,
    rewrite,
)
from replication.comparison.rows import Pace, Pair, compare_table, narrowed, primary_keys
from replication.copy.catalog import Catalog, Column, Table
from replication.copy.definitions import read_catalog
from replication.defaults import MAX_PAUSE
from replication.errors import ExitCode, HeldTooLong, Refused, ReplicationBroken, SchemaChanged, exit_code
from replication.report import Reporter, SilentReporter
from replication.setup import take_turn
from replication.statements import dialect
from replication.survey import channels
from replication.waiting import wait_for_all
from topology.environment import Deployment
from topology.errors import ConfigError, ManyreadsError
from topology.servers import Server, Vendor
from topology.sqlclient import SqlClient, connected

_TRIES = 3
# How many rows are written while the replica is held once; fewer, where that has taken too long.
_ROWS_AT_ONCE = (BATCH_ROWS, BATCH_ROWS // 4, 1, 1)


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator can choose. `wait` and `max_pause` are in seconds, `throttle` in rows a second, 0 for no limit.

    `names` are the replicas that are looked at, all if empty. With `repair` the ranges that differ are written anew.
    """

    names: frozenset[str] = frozenset()
    wait: float = 60.0
    max_pause: float = MAX_PAUSE
    throttle: float = 0.0
    dry_run: bool = False
    repair: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found on one replica as of `gtid`.

    `paused` and `seconds` are how long it was held at most, and all took. `narrow` are the ranges of a few hundred rows
    that a repair has to write, looked for only then; `repaired` those that it wrote: then all others are those of the
    comparison after that.
    """

    server: Server
    error: ManyreadsError | None = None
    gtid: str = ""
    tables: int = 0
    rows: int = 0
    paused: float = 0.0
    seconds: float = 0.0
    definitions: tuple[DefinitionDifference, ...] = ()
    chunks: tuple[ChunkDifference, ...] = ()
    narrow: tuple[ChunkDifference, ...] = ()
    repaired: tuple[ChunkDifference, ...] = ()

    @property
    def equal(self) -> bool:
        return self.error is None and not self.definitions and not self.chunks

    @property
    def summary(self) -> str:
        """What was found, in a line without any value of a row."""
        if self.error is not None:
            return f"could not be compared: {self.error.problem}"
        scope = f"{self.tables} tables, {self.rows:,} rows as of GTID {self.gtid}"
        if self.equal:
            return f"is equal to the primary: {scope}"
        return f"differs from the primary ({scope}): {'; '.join(self.differences)}"

    @property
    def differences(self) -> tuple[str, ...]:
        """What differs, without any value of a row: keys may be personal."""
        return (*map(str, self.definitions), *(f"{each.table}: {each.counts}" for each in self.chunks))

    @property
    def exit_code(self) -> ExitCode:
        if self.error is not None:
            return exit_code(self.error)
        return ExitCode.OK if self.equal else ExitCode.DIVERGED


@dataclass(frozen=True, slots=True)
class Verified:
    """How a run ended, replica by replica."""

    primary: Server
    replicas: tuple[Comparison, ...]

    @property
    def exit_code(self) -> ExitCode:
        """DIVERGED if any replica is different, else the code of the first one that could not be compared."""
        codes = [each.exit_code for each in self.replicas]
        return ExitCode.DIVERGED if ExitCode.DIVERGED in codes else next(filter(None, codes), ExitCode.OK)


@dataclass(frozen=True, slots=True)
class _Run:
    options: Options
    reporter: Reporter
    primary: Server
    vendor: Vendor
    turn: asyncio.Lock


async def verify(deployment: Deployment, options: Options, reporter: Reporter | None = None) -> Verified:
    """Compare the replicas with their primary, one after the other. Nothing is ever written on the primary.

    One replica's failure is in its result; whatever keeps the primary from being used is raised as a ManyreadsError.
    """
    reporter = reporter or SilentReporter()
    chosen = _chosen(deployment, options)
    primary, replicas = await wait_for_all(chosen, options.wait, reporter)
    async with connected(primary) as client:
        vendor = await vendor_of(client)
        await take_turn(client)
        run = _Run(options, reporter, primary, vendor, asyncio.Lock())
        return Verified(
            primary, tuple([await _guarded(run, server, replicas[server.name]) for server in chosen.replicas])
        )


async def vendor_of(client: SqlClient) -> Vendor:
    """The vendor of the server at the other end."""
    version = str(await client.value("SELECT @@version"))
    return Vendor.MARIADB if "mariadb" in version.lower() else Vendor.MYSQL


def _chosen(deployment: Deployment, options: Options) -> Deployment:
    known = {server.name for server in deployment.replicas}
    if unknown := sorted(options.names - known):
        raise ConfigError(f"{', '.join(unknown)} is no replica here", f"name one of: {', '.join(sorted(known))}")
    wanted = options.names or known
    return Deployment(deployment.primary, tuple(each for each in deployment.replicas if each.name in wanted))


async def _guarded(run: _Run, named: Server, server: Server | ManyreadsError) -> Comparison:
    if isinstance(server, ManyreadsError):
        return Comparison(named, server)
    started = monotonic()
    try:
        await _check_follows(run, server)
        found = _shown(run, server) if run.options.dry_run else await _look_and_repair(run, server)
    except ManyreadsError as error:
        found = Comparison(server, error)
    return replace(found, seconds=round(monotonic() - started, 1))


async def _check_follows(run: _Run, server: Server) -> None:
    async with connected(server) as client:
        if await vendor_of(client) is not run.vendor:
            raise Refused(f"{server} and {run.primary} are of different vendors", "compare servers of one vendor")
        found = await channels(client, run.vendor)
    if len(found) != 1 or found[0].name:
        raise Refused(f"{server} does not follow exactly one primary", "run startsync, which makes a replica of it")
    if not found[0].running:
        raise ReplicationBroken(
            f"{server} does not replicate: {found[0].error or 'it is stopped'}",
            "mend that first: status names what helps",
        )


def _shown(run: _Run, server: Server) -> Comparison:
    words = dialect(run.vendor)
    steps = [*words.hold(), *words.run_until("<GTID of the snapshot>"), *words.go_on()]
    for step in steps:
        run.reporter.say(server.name, f"  {step};")
    if run.options.repair:
        run.reporter.say(server.name, "if rows differ, the same again, and before it goes on, in a transaction:")
        for sql in REWRITING:
            run.reporter.say(server.name, f"  {sql};")
    return Comparison(server)


async def _look_and_repair(run: _Run, server: Server) -> Comparison:
    found = await _compare_patiently(run, server)
    if not run.options.repair or not found.chunks:
        return found
    paused = await _repair(run, server, found.narrow)
    proved = await _compare_patiently(run, server)
    return replace(proved, repaired=found.narrow, paused=max(paused, proved.paused, found.paused))


async def _repair(run: _Run, server: Server, different: Sequence[ChunkDifference]) -> float:
    """Write what differs anew, a few ranges at a time; returns for how many seconds the replica was held at most."""
    run.reporter.say(server.name, f"writing anew {len(different)} ranges that differ")
    left, held = list(different), 0.0
    for rows in _ROWS_AT_ONCE[:-1]:
        try:
            return max(held, await _write_all(run, server, left, rows))
        except HeldTooLong as error:
            run.reporter.warn(server.name, f"{error.problem}; trying again with fewer rows at a time")
            held = run.options.max_pause
    return max(held, await _write_all(run, server, left, _ROWS_AT_ONCE[-1]))


async def _write_all(run: _Run, server: Server, left: list[ChunkDifference], rows: int) -> float:
    """Write these ranges, about `rows` rows at a time, and take from the list what is done; the longest pause."""
    paused = 0.0
    async with repairing_session(server) as session:
        await check_repairable(session, [each.chunk.table for each in left])
        for batch in batched(left, rows):
            paused = max(paused, await _write_anew(run, server, session, [each.chunk for each in batch]))
            del left[: len(batch)]
    return paused


async def _write_anew(run: _Run, server: Server, session: SqlClient, chunks: Sequence[Chunk]) -> float:
    """Hold the replica once for these ranges; returns for how many seconds."""
    tables = [each.table for each in chunks]
    async with aligned(run.primary, server, run.vendor, run.turn, run.options.max_pause) as both:
        check_unchanged(both.primary, tables)
        if not any(table.needs_lock for table in tables):
            await both.primary.release()
        rows = await rewrite(both.primary.session, session, run.vendor, chunks)
        await both.hold.let_go()
    run.reporter.say(server.name, f"wrote {rows:,} rows as of GTID {both.primary.gtid}")
    return round(both.hold.paused, 3)


async def _compare_patiently(run: _Run, server: Server) -> Comparison:
    for _ in range(_TRIES - 1):
        try:
            return await _compare(run, server)
        except (SchemaChanged, HeldTooLong) as error:
            run.reporter.warn(server.name, f"{error.problem}; starting again")
    return await _compare(run, server)


async def _compare(run: _Run, server: Server) -> Comparison:
    async with aligned(run.primary, server, run.vendor, run.turn, run.options.max_pause) as both:
        run.reporter.say(server.name, f"comparing as of GTID {both.primary.gtid}")
        work = _Work(run, server, both)
        # A snapshot does not hold these still: they are compared while nobody writes to them on either side.
        locked = {table.full_name for table in both.primary.locked}
        if not locked:
            await both.hold.let_go()
        await work.look_at_definitions()
        await work.compare([table for table in work.tables if table.full_name in locked])
        await both.primary.release()
        await both.hold.let_go()
        await work.compare([table for table in work.tables if table.full_name not in locked])
        return work.result()


class _Work:
    """One comparison as it goes on."""

    def __init__(self, run: _Run, server: Server, both: Aligned) -> None:
        self.tables: list[Table] = []
        self._run = run
        self._server = server
        self._both = both
        self._pace = Pace(run.options.throttle)
        self._keys: Mapping[str, tuple[Column, ...]] = {}
        self._definitions: tuple[DefinitionDifference, ...] = ()
        self._chunks: list[ChunkDifference] = []
        self._narrow: list[ChunkDifference] = []
        self._rows = 0

    async def look_at_definitions(self) -> None:
        """Compare all definitions, and find the tables whose rows can be compared."""
        wanted = self._both.primary.catalog
        client = self._both.hold.client
        found = await read_catalog(client, self._run.vendor, accounts=False)
        self._definitions = differing(wanted, found)
        if self._definitions:
            await self._check_unaltered(wanted)
        self.tables = comparable_tables(wanted, found)
        self._keys = await primary_keys(client, self.tables)

    async def _check_unaltered(self, wanted: Catalog) -> None:
        # The replica's definitions are those of some moment after the snapshot's.
        async with connected(self._run.primary) as client:
            if await read_catalog(client, self._run.vendor, accounts=False) != wanted:
                raise SchemaChanged(
                    f"the definitions on {self._run.primary} changed while they were compared",
                    "run this again when no tables, views or routines are being changed",
                )

    async def compare(self, tables: Sequence[Table]) -> None:
        """Compare the rows of these tables."""
        for table in tables:
            pair = Pair(self._both.primary.session, self._both.replica)
            found = await compare_table(pair, table, self._keys[table.full_name], self._pace, self._progress)
            self._chunks += found
            if self._run.options.repair:
                self._narrow += [part for each in found for part in await narrowed(pair, each)]

    def _progress(self, rows: int) -> None:
        self._rows += rows
        self._run.reporter.compared(self._server.name, self._rows, self._both.primary.catalog.rows)

    def result(self) -> Comparison:
        """What was found."""
        return Comparison(
            self._server,
            gtid=self._both.primary.gtid,
            tables=len(self.tables),
            rows=self._rows,
            paused=round(self._both.hold.paused, 3),
            definitions=self._definitions,
            chunks=tuple(self._chunks),
            narrow=tuple(self._narrow),
        )
