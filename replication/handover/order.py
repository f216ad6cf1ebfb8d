"""A planned change of the primary: writes are refused for a moment, and no transaction is lost or made twice.

Up to the moment in which the new primary accepts writes everything is undone if a step fails; from then on there is
only forward, and a run that was broken off is gone on with by the next one.
"""

import asyncio
from contextlib import AsyncExitStack, closing
from dataclasses import replace

from replication.dryrun import describe_change
from replication.facts import ServerFacts
from replication.handover.closing import close, reopen, wait_for_the_rest
from replication.handover.promotion import promote, settle
from replication.handover.proxies import Proxies
from replication.handover.run import HandedOver, Options, Run
from replication.handover.transactions import drain
from replication.interlocks import check_primary
from replication.lag import LagMeter
from replication.look import Looker
from replication.replicator import ensure_replicator
from replication.report import Reporter, SilentReporter
from replication.setup import survey_all, take_turn
from replication.statements import Source, dialect
from replication.states import Limits, State, Verdict, judge
from replication.succession import plan
from replication.together import uninterrupted
from replication.waiting import wait_for_all
from topology.environment import Deployment
from topology.errors import ConfigError, ManyreadsError
from topology.servers import Server
from topology.sqlclient import SqlClient, connected

_LOOKS = 6
_BETWEEN_LOOKS = 0.5


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


async def _prepare(deployment: Deployment, options: Options, reporter: Reporter, control: SqlClient) -> Run:
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
    return Run(
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


async def _change(run: Run) -> HandedOver:
    change = run.change
    if change.done:
        run.reporter.say(change.new.name, "it is the primary already")
        return HandedOver(change.old.server, change.new.server, action="none", gtid=change.new.gtid)
    options = run.options
    proxies = Proxies(options.proxies, options.drain, options.max_pause, run.reporter)
    async with AsyncExitStack() as held, AsyncExitStack() as undo:
        await proxies.hold(held)
        if not change.begun:
            await drain(run)
            password = await ensure_replicator(run.control, run.words, run.options.replication_user, run.reporter)
            run.before = replace(run.before, password=password)
            undo.push_async_callback(reopen, run)
        await close(run)
        await wait_for_the_rest(run)
        await uninterrupted(promote(run, undo))
        await proxies.let_go()
    followers = await settle(run)
    return HandedOver(
        change.old.server,
        change.new.server,
        followers,
        "go on" if change.begun else "switch over",
        run.gtid,
        round(run.paused, 3),
        run.ended,
    )
