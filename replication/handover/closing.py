"""Closing the old primary for writers, waiting until the others have all that it has, and opening it again."""

import asyncio
from time import monotonic

from replication import wakeup
from replication.copy.replica import forget_mark, mark
from replication.errors import NotReady
from replication.facts import Marker, Phase, ServerFacts
from replication.handover.run import Run
from replication.perform import perform
from replication.statements import text
from replication.survey import current_gtid, logged_gtid
from replication.together import uninterrupted
from topology.errors import ServerError
from topology.servers import Vendor
from topology.sqlclient import connected

_LOCK_WAIT_SECONDS = 5
_WAIT_FOR = {Vendor.MARIADB: "MASTER_GTID_WAIT", Vendor.MYSQL: "WAIT_FOR_EXECUTED_GTID_SET"}


async def close(run: Run) -> None:
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
    # One that became the primary itself, and has logged nothing since its copy, still has all of that.
    run.gtid = await logged_gtid(run.control, old.vendor) or await current_gtid(run.control, old.vendor)


async def _refuse_writes(run: Run) -> None:
    await run.control.execute(f"SET SESSION lock_wait_timeout = {_LOCK_WAIT_SECONDS}")
    try:
        await perform(run.control, [*run.words.read_only(), *run.words.block_commits()])
    except ServerError as error:
        raise NotReady(
            f"{run.change.old.server} could not be closed for writers: {error.problem}",
            "look for long-running statements with SHOW PROCESSLIST, and run this again when they are over",
        ) from error


async def reopen(run: Run) -> None:
    """Everything as it was; over another connection, since that one may be what broke. It ends here, with its locks."""
    run.control.close()
    async with connected(run.change.old.server) as client:
        await perform(client, run.words.accept_writes())
        await wakeup.wake_up(client, run.awake)
        await forget_mark(client)
    run.reporter.warn(run.change.old.name, "accepts writes again; it is the primary as before")


async def wait_for_the_rest(run: Run) -> None:
    """Wait until the successor and all others have what the old primary has."""
    waiting = [run.change.new, *run.change.others]
    answers = await asyncio.gather(*(_has_it(run, each) for each in waiting if each.channels))
    if late := [server for server in answers if server]:
        raise NotReady(
            f"{', '.join(late)} did not get everything within {run.options.max_pause:g} seconds",
            "run this again when it is not behind, or allow more with --max-pause SECONDS",
        )


async def _has_it(run: Run, facts: ServerFacts) -> str:
    """Empty when it has everything, else who it is."""
    left = run.options.max_pause - (monotonic() - run.closed_at)
    if not run.gtid:
        return ""
    async with connected(facts.server) as client:
        function = _WAIT_FOR[facts.vendor]
        answer = await client.value(f"SELECT {function}({text(run.gtid)}, {max(left, 0.001):.3f})")
    return "" if answer == 0 else str(facts.server)
