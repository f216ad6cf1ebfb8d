"""A planned change of the primary: writes are refused for a moment, and no transaction is lost or made twice.

Up to the moment in which the new primary accepts writes everything is undone if a step fails; from then on there is
only forward, and a run that was broken off is gone on with by the next one.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TypeVar

from replication import wakeup
from replication.attach import wait_until_caught_up
from replication.copy.replica import finish, forget_mark, mark
from replication.dryrun import describe_change
from replication.errors import ExitCode, NotReady, exit_code
from replication.facts import Marker, Phase, ServerFacts
from replication.interlocks import check_primary
from replication.lag import LagMeter
from replication.look import Looker
from replication.perform import perform
from replication.replicator import ensure_replicator
from replication.report import Reporter, SilentReporter
from replication.setup import REPLICATION_USER, survey_all, take_turn
from replication.statements import Dialect, Source, dialect, text
from replication.states import Limits, State, Verdict, judge
from replication.succession import Succession, plan
from replication.survey import logged_gtid
from replication.waiting import wait_for_all
from topology.environment import Deployment
from topology.errors import ConfigError, ManyreadsError, ServerError, StatementRefused
from topology.servers import Server, Vendor
from topology.sqlclient import SqlClient, connected

T = TypeVar("T")

_LOCK_WAIT_SECONDS = 5
_PAUSE = 0.1
_LOOKS = 6
_BETWEEN_LOOKS = 0.5
_NO_SUCH_THREAD = 1094
_WRITING = (
    "SELECT trx_id AS trx, trx_mysql_thread_id AS thread FROM information_schema.INNODB_TRX "
    "WHERE trx_mysql_thread_id NOT IN (0, CONNECTION_ID()) AND (trx_rows_modified > 0 OR trx_rows_locked > 0)"
)
_WAIT_FOR = {Vendor.MARIADB: "MASTER_GTID_WAIT", Vendor.MYSQL: "WAIT_FOR_EXECUTED_GTID_SET"}
_THROUGH_READ_ONLY = (
    "SELECT DISTINCT USER AS user FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND COMMAND NOT IN "
    "('Daemon', 'Binlog Dump', 'Slave_IO', 'Slave_SQL', 'Slave_worker') AND EXISTS (SELECT 1 FROM "
    "information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE IN ('SUPER', 'READ_ONLY ADMIN') "
    "AND GRANTEE LIKE CONCAT('''', REPLACE(USER, '_', '\\\\_'), '''@%')) ORDER BY USER"
)


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator can choose. Times are in seconds.

    `wait` bounds the wait for servers and for followers to catch up, `drain` that for open transactions, `max_pause`
    the time for which nobody can write. `primary_address` and `target_address` are where replicas reach the primary and
    its successor, where that is not where we do.
    """

    to: str = ""
    wait: float = 60.0
    drain: float = 10.0
    max_pause: float = 10.0
    max_lag: float = Limits().max_lag
    dry_run: bool = False
    replication_user: str = REPLICATION_USER
    primary_address: tuple[str, int] | None = None
    target_address: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Follower:
    """How one of those ended that shall follow the new primary."""

    server: Server
    error: ManyreadsError | None = None


@dataclass(frozen=True, slots=True)
class HandedOver:
    """How a run ended: `new` is the primary as of `gtid`, unless it was a dry run.

    `paused` is for how many seconds nobody could write; `ended` counts the transactions that were rolled back.
    """

    old: Server
    new: Server
    followers: tuple[Follower, ...] = ()
    action: str = "switch over"
    gtid: str = ""
    paused: float = 0.0
    ended: int = 0

    @property
    def exit_code(self) -> ExitCode:
        """OK, or the code of the first follower that failed."""
        return next((exit_code(each.error) for each in self.followers if each.error is not None), ExitCode.OK)


@dataclass(slots=True)
class _Run:
    options: Options
    reporter: Reporter
    change: Succession
    words: Dialect
    control: SqlClient
    """A session on the old primary."""
    before: Source
    """How replicas follow the old primary."""
    after: Source
    """How they follow the new one; without a password until that accepts writes."""
    gtid: str = ""
    closed_at: float = 0.0
    paused: float = 0.0
    ended: int = 0
    awake: wakeup.Awake = field(default_factory=wakeup.Awake)


async def hand_over(deployment: Deployment, options: Options, reporter: Reporter | None = None) -> HandedOver:
    """Make a replica the primary, and the primary its replica.

    Raises a ManyreadsError, with everything as it was, when that cannot be. What fails after the change is in the
    result.
    """
    reporter = reporter or SilentReporter()
    _check_name(deployment, options.to)
    primary, replicas = await wait_for_all(deployment, options.wait, reporter)
    usable = Deployment(primary, tuple(_usable(each) for each in replicas.values()))
    async with connected(primary) as control:
        await take_turn(control)
        run = await _prepare(usable, options, reporter, control)
        if options.dry_run:
            for line in describe_change(run.change, run.after, options.drain):
                reporter.say(*line)
            return HandedOver(primary, run.change.new.server)
        return await _change(run)


def _usable(answer: Server | ManyreadsError) -> Server:
    if isinstance(answer, ManyreadsError):
        raise answer
    return answer


def _check_name(deployment: Deployment, to: str) -> None:
    known = [server.name for server in deployment.replicas]
    if to and to not in known:
        raise ConfigError(f"{to} is no replica here", f"name one of: {', '.join(known)}")


async def _prepare(deployment: Deployment, options: Options, reporter: Reporter, control: SqlClient) -> _Run:
    facts, surveyed = await survey_all(control, {each.name: each for each in deployment.replicas})
    check_primary(facts)
    replicas = []
    for each in surveyed.values():
        if isinstance(each, ManyreadsError):
            raise each
        replicas.append(each)
    verdicts = await _judge(deployment, options)
    host = options.target_address[0] if options.target_address else ""
    change = plan(facts, replicas, verdicts, options.to, host)
    return _Run(
        options,
        reporter,
        change,
        dialect(facts.vendor),
        control,
        _source(facts, options.primary_address, options),
        _source(change.new, options.target_address, options),
    )


async def _judge(deployment: Deployment, options: Options) -> dict[str, Verdict]:
    """How the replicas are; several looks, since the first one does not know how far they are behind under load."""
    meter, limits, loop = LagMeter(), Limits(options.max_lag), asyncio.get_running_loop()
    verdicts: dict[str, Verdict] = {}
    with closing(Looker(deployment, within=5.0, primary_address=options.primary_address)) as looker:
        for _ in range(_LOOKS):
            now = loop.time()
            seen = await looker.look()
            meter.note(seen.primary, now)
            for each in seen.replicas:
                verdicts[each.server.name] = judge(seen, each, meter.lag(seen.primary, each, now), limits)
            if all(verdict.state is State.HEALTHY for verdict in verdicts.values()):
                break
            await asyncio.sleep(_BETWEEN_LOOKS)
    return verdicts


def _source(facts: ServerFacts, address: tuple[str, int] | None, options: Options) -> Source:
    host, port = address or (facts.server.host, facts.server.port)
    return Source(host, port, options.replication_user, "", facts.has_tls)


async def _change(run: _Run) -> HandedOver:
    change = run.change
    if change.done:
        run.reporter.say(change.new.name, "it is the primary already")
        return HandedOver(change.old.server, change.new.server, action="none", gtid=change.new.gtid)
    async with AsyncExitStack() as undo:
        if not change.begun:
            await _drain(run)
            password = await ensure_replicator(run.control, run.words, run.options.replication_user, run.reporter)
            run.before = replace(run.before, password=password)
            undo.push_async_callback(_reopen, run)
        await _close(run)
        await _wait_for_the_rest(run)
        await uninterrupted(_promote(run, undo))
    followers = await _settle(run)
    return HandedOver(
        change.old.server,
        change.new.server,
        followers,
        "go on" if change.begun else "switch over",
        run.gtid,
        round(run.paused, 3),
        run.ended,
    )


async def uninterrupted(work: Awaitable[T]) -> T:
    """Finish `work` also when this task is cancelled meanwhile: a statement that was sent cannot be taken back."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def _close(run: _Run) -> None:
    """Let nobody write to the old primary any more; what it has then is `run.gtid`."""
    old, new = run.change.old, run.change.new
    run.awake = await wakeup.put_to_sleep(run.control, old)
    if old.marker is None or old.marker.primary != new.identity:
        if old.on("super_read_only"):
            # A run for another successor was killed.
            await perform(run.control, run.words.writable())
        # From now on a run that is broken off can be gone on with.
        await mark(old.server, Marker(new.identity, Phase.DONE, old.gtid))
    elif run.awake.events and not run.awake.scheduler:
        run.reporter.warn(new.name, "the run before switched event_scheduler off: switch it on here if it was on")
    run.reporter.say(old.name, "refusing writes")
    run.closed_at = monotonic()
    await uninterrupted(_refuse_writes(run))
    run.gtid = await logged_gtid(run.control, old.vendor)


async def _refuse_writes(run: _Run) -> None:
    await run.control.execute(f"SET SESSION lock_wait_timeout = {_LOCK_WAIT_SECONDS}")
    try:
        await perform(run.control, [*run.words.read_only(), *run.words.block_commits()])
    except ServerError as error:
        raise NotReady(
            f"{run.change.old.server} could not be closed for writers: {error.problem}",
            "look for long-running statements with SHOW PROCESSLIST, and run this again when they are over",
        ) from error


async def _drain(run: _Run) -> None:
    """Give transactions that are open now some time to end; those that are left will be rolled back."""
    old = await _writing(run.control)
    deadline = monotonic() + run.options.drain
    if old:
        run.reporter.say(run.change.old.name, f"waiting for {len(old)} open transactions")
    while left := old & await _writing(run.control):
        if monotonic() >= deadline:
            run.reporter.warn(run.change.old.name, f"{len(left)} open transactions will be rolled back")
            return
        await asyncio.sleep(_PAUSE)


async def _writing(client: SqlClient) -> set[tuple[int, int]]:
    return {(int(row["trx"]), int(row["thread"])) for row in await client.query(_WRITING)}


async def _reopen(run: _Run) -> None:
    """Everything as it was; over another connection, since that one may be what broke. It ends here, with its locks."""
    run.control.close()
    async with connected(run.change.old.server) as client:
        await perform(client, run.words.accept_writes())
        await wakeup.wake_up(client, run.awake)
        await forget_mark(client)
    run.reporter.warn(run.change.old.name, "accepts writes again; it is the primary as before")


async def _wait_for_the_rest(run: _Run) -> None:
    """Wait until the successor and all others have what the old primary has."""
    waiting = [run.change.new, *run.change.others]
    answers = await asyncio.gather(*(_has_it(run, each) for each in waiting if each.channels))
    if late := [server for server in answers if server]:
        raise NotReady(
            f"{', '.join(late)} did not get everything within {run.options.max_pause:g} seconds",
            "run this again when it is not behind, or allow more with --max-pause SECONDS",
        )


async def _has_it(run: _Run, facts: ServerFacts) -> str:
    """Empty when it has everything, else who it is."""
    left = run.options.max_pause - (monotonic() - run.closed_at)
    if not run.gtid:
        return ""
    async with connected(facts.server) as client:
        function = _WAIT_FOR[facts.vendor]
        answer = await client.value(f"SELECT {function}({text(run.gtid)}, {max(left, 0.001):.3f})")
    return "" if answer == 0 else str(facts.server)


async def _promote(run: _Run, undo: AsyncExitStack) -> None:
    new = run.change.new
    async with connected(new.server) as client:
        if new.channels:
            undo.push_async_callback(_follow_again, run)
            await perform(client, run.words.forget_source([channel.name for channel in new.channels]))
        await perform(client, run.words.accept_writes())
        undo.pop_all()
        run.paused = monotonic() - run.closed_at
        run.reporter.say(new.name, f"accepts writes, as the primary from GTID {run.gtid or '(none yet)'} on")
        # It is nobody's copy any more, and nobody may take it for one.
        await forget_mark(client)


async def _follow_again(run: _Run) -> None:
    async with connected(run.change.new.server) as client:
        await perform(client, [*run.words.read_only(), *run.words.repoint(run.before)])


async def _settle(run: _Run) -> tuple[Follower, ...]:
    """Let all others follow the new primary, and events run there."""
    change = run.change
    if change.old.name not in change.attached:
        run.ended = await _end_transactions(run)
    await perform(run.control, run.words.let_commit())
    async with connected(change.new.server) as client:
        password = await ensure_replicator(client, run.words, run.options.replication_user, run.reporter)
        run.after = replace(run.after, password=password)
        await wakeup.wake_up(client, run.awake)
        target = await logged_gtid(client, change.new.vendor)
    followers = await asyncio.gather(*(_guarded(run, each, target) for each in change.followers))
    await _warn_of_administrators(run)
    return tuple(followers)


async def _end_transactions(run: _Run) -> int:
    """Roll back what nobody can commit any more: it would be in the way of what comes from the new primary."""
    ended: set[tuple[int, int]] = set()
    deadline = monotonic() + run.options.wait
    while (writing := await _writing(run.control)) and monotonic() < deadline:
        for _, thread in writing:
            # It may be gone by itself.
            await _kill(run.control, thread)
        ended |= writing
        await asyncio.sleep(_PAUSE)
    return len(ended)


async def _kill(client: SqlClient, thread: int) -> None:
    try:
        await client.execute(f"KILL {thread}")
    except StatementRefused as error:
        if error.errno != _NO_SUCH_THREAD:
            raise


async def _guarded(run: _Run, facts: ServerFacts, target: str) -> Follower:
    try:
        await _attach(run, facts, target)
    except ManyreadsError as error:
        return Follower(facts.server, error)
    return Follower(facts.server)


async def _attach(run: _Run, facts: ServerFacts, target: str) -> None:
    new, is_old = run.change.new, facts is run.change.old
    if facts.name not in run.change.attached:
        async with connected(facts.server) as client:
            words = run.words.follow_on(run.after, run.gtid) if is_old else run.words.repoint(run.after)
            await perform(client, words)
    await wait_until_caught_up(facts.server, facts.vendor, target, run.options.wait)
    if is_old:
        await wakeup.restore_scheduler(facts.server, run.awake)
    else:
        await finish(facts.server, facts.vendor, Marker(new.identity, Phase.DONE, target))
    run.reporter.say(facts.name, f"follows {new.name}")


async def _warn_of_administrators(run: _Run) -> None:
    """MariaDB lets them write in spite of read_only."""
    if run.change.old.vendor is Vendor.MYSQL:
        return
    names = [str(row["user"]) for row in await run.control.query(_THROUGH_READ_ONLY)]
    if names:
        run.reporter.warn(
            run.change.old.name,
            f"clients are connected as {', '.join(names)}, who may write there though it is read-only: "
            f"let them use {run.change.new.name}",
        )
