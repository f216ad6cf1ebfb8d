"""The step after which there is only forward: the successor accepts writes. Then all others follow it."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from time import monotonic

from replication import wakeup
from replication.attach import wait_until_caught_up
from replication.copy.replica import finish, forget_mark
from replication.facts import Marker, Phase, ServerFacts
from replication.handover.run import Follower, Run
from replication.handover.transactions import end_transactions
from replication.perform import perform
from replication.replicator import ensure_replicator
from replication.survey import logged_gtid
from topology.errors import ManyreadsError
from topology.servers import Vendor
from topology.sqlclient import connected

_THROUGH_READ_ONLY = (
    "SELECT DISTINCT USER AS user FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND COMMAND NOT IN "
    "('Daemon', 'Binlog Dump', 'Slave_IO', 'Slave_SQL', 'Slave_worker') AND EXISTS (SELECT 1 FROM "
    "information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE IN ('SUPER', 'READ_ONLY ADMIN') "
    "AND GRANTEE LIKE CONCAT('''', REPLACE(USER, '_', '\\\\_'), '''@%')) ORDER BY USER"
)


async def promote(run: Run, undo: AsyncExitStack) -> None:
    """Let the new primary accept writes; from then on nothing is left in `undo`."""
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


async def _follow_again(run: Run) -> None:
    async with connected(run.change.new.server) as client:
        await perform(client, [*run.words.read_only(), *run.words.repoint(run.before)])


async def settle(run: Run) -> tuple[Follower, ...]:
    """Let all others follow the new primary, and events run there."""
    change = run.change
    if change.old.name not in change.attached:
        run.ended = await end_transactions(run)
    await perform(run.control, run.words.let_commit())
    async with connected(change.new.server) as client:
        password = await ensure_replicator(client, run.words, run.options.replication_user, run.reporter)
        run.after = replace(run.after, password=password)
        await wakeup.wake_up(client, run.awake)
        target = await logged_gtid(client, change.new.vendor)
    followers = await asyncio.gather(*(_guarded(run, each, target) for each in change.followers))
    await _warn_of_administrators(run)
    return tuple(followers)


async def _guarded(run: Run, facts: ServerFacts, target: str) -> Follower:
    try:
        await _attach(run, facts, target)
    except ManyreadsError as error:
        return Follower(facts.server, error)
    return Follower(facts.server)


async def _attach(run: Run, facts: ServerFacts, target: str) -> None:
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


async def _warn_of_administrators(run: Run) -> None:
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
