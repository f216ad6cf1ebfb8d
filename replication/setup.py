"""Setting up replicas from beginning to end: the entry point for the command line, the demo and tests."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import monotonic

from replication.actions import Action, Method, ReplicaPlan, Users, Wanted
from replication.attach import wait_until_caught_up
from replication.copy.bulk import BulkEngine
from replication.copy.engine import Engine
from replication.copy.job import Copied, CopyJob
from replication.copy.methods import COPYING, engine_for, way_of
from replication.copy.replica import finish
from replication.defaults import PARALLEL, REPLICATION_USER
from replication.detour import go_around
from replication.dryrun import describe
from replication.errors import ExitCode, Refused, SchemaChanged, exit_code
from replication.facts import Marker, Phase, ServerFacts
from replication.interlocks import check_primary
from replication.look import SETUP_LOCK
from replication.perform import perform
from replication.plan import decide_all
from replication.replicator import ensure_replicator
from replication.report import Reporter, SilentReporter
from replication.statements import Source, dialect
from replication.survey import logged_gtid, survey
from replication.together import Begin, finishing
from replication.waiting import wait_for_all
from topology.environment import Deployment
from topology.errors import ConfigError, ManyreadsError
from topology.servers import Server, Vendor
from topology.sqlclient import SqlClient, connected

_TURN_SECONDS = 3
_COPY_TRIES = 3
_LOGGING_IN = (*COPYING, Action.ATTACH, Action.REPOINT, Action.DETOUR)


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator can choose. `wait` is in seconds and bounds each wait: for servers, and for catching up.

    `parallel` is how many ranges of rows are copied to each replica at a time. `primary_address` is host and port under
    which the replicas reach the primary, when that is not ours. `recopy`, `by`, `taken`, `least` and `most` are
    those of `plan.Wanted`. `lenders` are other replicas, to which nothing is done: their binary logs may be used.
    """

    wait: float = 600.0
    users: Users = Users.COPY
    force: frozenset[str] = frozenset()
    dry_run: bool = False
    replication_user: str = REPLICATION_USER
    primary_address: tuple[str, int] | None = None
    recopy: frozenset[str] = frozenset()
    by: Action = Action.COPY
    taken: frozenset[int] = frozenset()
    least: Action = Action.LEAVE
    most: Action = Action.COPY
    lenders: tuple[Server, ...] = ()
    parallel: int = PARALLEL
    method: Method = Method.AUTO


@dataclass(frozen=True, slots=True)
class ReplicaResult:
    """How one replica ended. `action` is what was done or would be; `server` has the credentials valid now."""

    name: str
    address: str
    action: str
    reason: str
    server: Server
    error: ManyreadsError | None = None
    gtid: str = ""
    tables: int = 0
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return self.error is None


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended, replica by replica, in the order in which they were named."""

    primary: Server
    replicas: tuple[ReplicaResult, ...]

    @property
    def exit_code(self) -> ExitCode:
        """OK, or the code of the first replica that failed."""
        return next((exit_code(each.error) for each in self.replicas if each.error is not None), ExitCode.OK)


@dataclass(frozen=True, slots=True)
class _Run:
    """What every replica's work needs to know."""

    options: Options
    reporter: Reporter
    primary: ServerFacts
    source: Source
    engine: Engine = field(default_factory=BulkEngine)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


async def set_up(deployment: Deployment, options: Options, reporter: Reporter | None = None) -> Result:
    """Make every replica of the deployment follow its primary, copying it first where it must.

    Safe to run at any time: replicas in step are left alone. One replica's failure is in its result and keeps none of
    the others from being finished; whatever keeps the primary from being used is raised as a ManyreadsError.
    """
    reporter = reporter or SilentReporter()
    _check_names(deployment, options)
    everybody = replace(deployment, replicas=(*deployment.replicas, *options.lenders))
    primary, replicas = await wait_for_all(everybody, options.wait, reporter)
    async with connected(primary) as client:
        await take_turn(client)
        facts, surveyed = await survey_all(client, replicas)
        check_primary(facts)
        return await _carry_out(client, deployment, options, reporter, facts, surveyed)


async def _carry_out(
    client: SqlClient,
    deployment: Deployment,
    options: Options,
    reporter: Reporter,
    primary: ServerFacts,
    surveyed: Mapping[str, ServerFacts | ManyreadsError],
) -> Result:
    host, port = options.primary_address or (primary.server.host, primary.server.port)
    decisions: dict[str, ReplicaPlan | ManyreadsError] = {
        name: each for name, each in surveyed.items() if isinstance(each, ManyreadsError)
    }
    found = [each for each in surveyed.values() if isinstance(each, ServerFacts)]
    wanted = {each.name for each in deployment.replicas}
    targets = [each for each in found if each.name in wanted]
    lenders = [each for each in found if each.name not in wanted]
    decisions |= decide_all(primary, targets, _wanted(options, host, port), lenders)
    source = Source(host, port, options.replication_user, "", primary.has_tls)
    engine = await engine_for(options.method, client, primary.vendor, options.users)
    if options.dry_run:
        for line in describe(primary, list(decisions.values()), source, options.users, options.method):
            reporter.say(*line)
        return Result(primary.server, tuple(_undone(server, decisions) for server in deployment.replicas))
    if any(_logs_in(decision) for decision in decisions.values()):
        password = await ensure_replicator(client, dialect(primary.vendor), options.replication_user, reporter)
        source = replace(source, password=password)
    run = _Run(options, reporter, primary, source, engine)
    results = await asyncio.gather(*(_guarded(run, server, decisions[server.name]) for server in deployment.replicas))
    return Result(primary.server, tuple(results))


def _wanted(options: Options, host: str, port: int) -> Wanted:
    return Wanted(host, port, options.force, options.recopy, options.by, options.taken, options.least, options.most)


def _logs_in(decision: ReplicaPlan | ManyreadsError) -> bool:
    return isinstance(decision, ReplicaPlan) and decision.action in _LOGGING_IN


def _check_names(deployment: Deployment, options: Options) -> None:
    known = {server.name for server in deployment.replicas}
    if unknown := sorted(options.force - known):
        raise ConfigError(
            f"--force names {', '.join(unknown)}, which is no replica here",
            f"name one of: {', '.join(sorted(known))}",
        )


async def take_turn(client: SqlClient) -> None:
    """Keep a second run away for as long as this connection lives."""
    await client.execute("SET SESSION wait_timeout = 604800")
    # A server takes a moment to notice that the process of a run is gone.
    if await client.value(f"SELECT GET_LOCK('{SETUP_LOCK}', {_TURN_SECONDS})") != 1:
        raise Refused(
            f"another run is setting up replicas of {client.server} right now",
            "wait until it is over; if its process is gone, its connection ends with it",
        )


async def survey_all(
    client: SqlClient, replicas: Mapping[str, Server | ManyreadsError]
) -> tuple[ServerFacts, dict[str, ServerFacts | ManyreadsError]]:
    """Look at the primary, to which `client` is connected, and at the replicas, each with what keeps it from that."""
    lock = f"manyreads.{secrets.token_hex(8)}"
    await client.value(f"SELECT GET_LOCK('{lock}', 0)")
    found = await asyncio.gather(*(_survey_one(each, lock) for each in replicas.values()))
    # The primary comes last: what a replica has by then and the primary has not did not come from it.
    return await survey(client), dict(zip(replicas, found, strict=True))


async def _survey_one(server: Server | ManyreadsError, lock: str) -> ServerFacts | ManyreadsError:
    if isinstance(server, ManyreadsError):
        return server
    try:
        async with connected(server) as client:
            return await survey(client, lock=lock)
    except ManyreadsError as error:
        return error


def _undone(server: Server, decisions: Mapping[str, ReplicaPlan | ManyreadsError]) -> ReplicaResult:
    decision = decisions[server.name]
    if isinstance(decision, ManyreadsError):
        return ReplicaResult(server.name, server.address, "none", "refused", server, decision)
    return ReplicaResult(server.name, server.address, decision.action, decision.reason, decision.facts.server)


async def _guarded(run: _Run, server: Server, decision: ReplicaPlan | ManyreadsError) -> ReplicaResult:
    if isinstance(decision, ManyreadsError):
        return ReplicaResult(server.name, server.address, "none", "failed", server, decision)
    started = monotonic()
    try:
        result = await _bring_into_step(run, decision)
    except ManyreadsError as error:
        result = ReplicaResult(
            server.name, server.address, decision.action, decision.reason, decision.facts.server, error
        )
    return replace(result, seconds=round(monotonic() - started, 1))


async def _bring_into_step(run: _Run, plan: ReplicaPlan) -> ReplicaResult:
    run.reporter.say(plan.facts.name, f"{plan.action}: {plan.reason}")
    for warning in plan.warnings:
        run.reporter.warn(plan.facts.name, warning)
    await _renumber(run, plan)
    async with finishing() as begin:
        copied = await _copy(run, plan, begin) if plan.action in COPYING else None
        server = copied.server if copied else plan.facts.server
        await _connect_to_source(run, plan, server, copied)
        if plan.action is not Action.LEAVE:
            await _settle(run, plan, server)
        elif _has_another_primary(run, plan):
            await _note(run, plan, server, plan.facts.applied)
    return _done(plan, server, copied)


async def _renumber(run: _Run, plan: ReplicaPlan) -> None:
    if plan.new_server_id is None:
        return
    async with connected(plan.facts.server) as client:
        await perform(client, dialect(plan.facts.vendor).server_id(plan.new_server_id))
    message = f"its server_id {plan.facts.server_id} was taken, so it has {plan.new_server_id} now"
    if plan.facts.vendor is Vendor.MYSQL:
        run.reporter.say(plan.facts.name, message)
    else:
        # MariaDB has nothing like SET PERSIST.
        run.reporter.warn(plan.facts.name, f"{message}; write that into its configuration file before it restarts")


async def _copy(run: _Run, plan: ReplicaPlan, begin: Begin) -> Copied:
    job = CopyJob(
        run.primary,
        plan.facts,
        run.options.users,
        run.engine,
        run.reporter,
        run.turn,
        (run.source.host, run.source.port),
        begin,
        run.options.parallel,
        run.options.wait,
    )
    copy = way_of(plan.action, run.options.method)
    for _ in range(_COPY_TRIES - 1):
        try:
            return await copy(job)
        except SchemaChanged as error:
            run.reporter.warn(plan.facts.name, f"{error.problem}; starting again")
            job = replace(job, target=_after_a_try(plan, Marker(run.primary.identity, Phase.COPYING)))
    return await copy(job)


def _after_a_try(plan: ReplicaPlan, begun: Marker) -> ServerFacts:
    """The target when a copy has to start again: what there is of it may stay."""
    if plan.action is Action.SHADOW:
        return replace(plan.facts, shadow=begun)
    return replace(plan.facts, channels=(), marker=begun)


async def _connect_to_source(run: _Run, plan: ReplicaPlan, server: Server, copied: Copied | None) -> None:
    statements = dialect(plan.facts.vendor)
    async with connected(server) as client:
        match plan.action:
            case Action.COPY | Action.SHADOW | Action.RENEW | Action.ATTACH:
                marker = plan.facts.marker
                gtid = copied.gtid if copied else marker.gtid if marker else ""
                await perform(client, statements.follow(run.source, gtid, has_binlog=plan.facts.on("log_bin")))
                await perform(client, statements.start())
            case Action.REPOINT:
                await perform(client, statements.repoint(run.source))
                await _note(run, plan, server, plan.facts.applied)
            case Action.DETOUR if plan.lender is not None:
                run.reporter.say(server.name, f"follows {plan.lender.name} for a while")
                await go_around(plan.facts, plan.lender, run.source, run.primary.identity, run.options.wait)
                await _note(run, plan, server, plan.lender.applied)
            case Action.RESTART:
                await perform(client, statements.restart())
            case Action.LEAVE:
                return


async def _settle(run: _Run, plan: ReplicaPlan, server: Server) -> None:
    """Wait until the replica is in step, then close it for writers and note that it is done."""
    async with connected(run.primary.server) as client:
        target = await logged_gtid(client, run.primary.vendor)
    run.reporter.say(server.name, "catching up")
    await wait_until_caught_up(server, plan.facts.vendor, target, run.options.wait)
    await _note(run, plan, server, target)
    run.reporter.say(server.name, f"in step with {run.primary.name}")


async def _note(run: _Run, plan: ReplicaPlan, server: Server, gtid: str) -> None:
    """Mark the replica as a complete copy of this primary at `gtid`, and close it for writers."""
    await finish(server, plan.facts.vendor, Marker(run.primary.identity, Phase.DONE, gtid))


def _has_another_primary(run: _Run, plan: ReplicaPlan) -> bool:
    """Whether a managed replica found its way to a new primary by itself."""
    marker = plan.facts.marker
    return marker is not None and marker.phase is Phase.DONE and marker.primary != run.primary.identity


def _done(plan: ReplicaPlan, server: Server, copied: Copied | None) -> ReplicaResult:
    done = ReplicaResult(server.name, server.address, plan.action, plan.reason, server)
    if copied is None:
        return done
    return replace(done, gtid=copied.gtid, tables=copied.tables, rows=copied.rows, bytes=copied.bytes)
