"""The loop that looks, judges and mends: one repair at a time, and only while it holds a lock on the primary."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from replication.actions import Action
from replication.errors import ExitCode, Purged, Refused
from replication.heartbeat import beat
from replication.ladder import (
    Past,
    Policy,
    Repair,
    Rung,
    Situation,
    Step,
    Watched,
    given_up,
    mended,
    plan,
    remember,
    tried,
)
from replication.lag import LagMeter
from replication.look import Looker
from replication.report import Reporter, compared_text, progress_text
from replication.seen import PrimarySeen, Seen
from replication.setup import Options, ReplicaResult, Result, set_up
from replication.states import Limits, State, Verdict, is_last_healthy, judge
from replication.telling import Event, LastComparison, Report, time_of_day
from replication.verification import Comparison, verify
from replication.verification import Options as Comparing
from topology.environment import Deployment
from topology.errors import ManyreadsError, ServerError
from topology.sqlclient import SqlClient

# A past, a rung and now; what the past is then.
_Remember = Callable[[Past, int, float], Past]

log = logging.getLogger(__name__)

_LOCK = "manyreads.watch"
_LEAD = f"SELECT IF(IS_USED_LOCK('{_LOCK}') <=> CONNECTION_ID(), 1, GET_LOCK('{_LOCK}', 0))"
# So many looks in a row have to see transactions of a replica's own: the primary may show its own a moment late.
_SURE_OF_AHEAD = 3
_BOUNDS = {
    Rung.RESTART: (Action.LEAVE, Action.RESTART),
    Rung.REPOINT: (Action.REPOINT, Action.DETOUR),
    Rung.CHUNKS: (Action.LEAVE, Action.RENEW),
    Rung.FULL: (Action.LEAVE, Action.COPY),
}


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What an operator can choose; times in seconds. `set_up` is what repairs are made with.

    With `heartbeat` the primary's time is written down there at each look.
    """

    policy: Policy = field(default_factory=Policy)
    limits: Limits = field(default_factory=Limits)
    interval: float = 1.0
    within: float = 2.0
    heartbeat: bool = False
    set_up: Options = field(default_factory=lambda: Options(wait=30.0))


class Watcher:
    """Watches one deployment until it is cancelled. `report` is the latest look, None before the first one."""

    def __init__(self, deployment: Deployment, options: WatchOptions) -> None:
        self._deployment = deployment
        self._options = options
        self._looker = Looker(deployment, options.within, options.set_up.primary_address)
        self._lag = LagMeter()
        self._history: dict[str, Past] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._ahead: dict[str, int] = {}
        self._primary_error = ""
        self._beat_error = ""
        self._progress: dict[str, str] = {}
        self._repair: asyncio.Task[None] | None = None
        self._repairing: tuple[str, ...] = ()
        self._verifying: tuple[str, ...] = ()
        self._verified: dict[str, LastComparison] = {}
        self._counts = [0, 0]
        self._leads = False
        self._report_listeners: list[Callable[[Report], None]] = []
        self._event_listeners: list[Callable[[Event], None]] = []
        self.report: Report | None = None

    def on_report(self, listener: Callable[[Report], None]) -> None:
        """Call `listener` after each look."""
        self._report_listeners.append(listener)

    def on_event(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with whatever happens."""
        self._event_listeners.append(listener)

    async def run(self) -> None:
        """Look and mend until cancelled; a repair that is under way then is broken off, and can be gone on with."""
        try:
            while True:
                await self._round()
                await asyncio.sleep(self._options.interval)
        finally:
            await self._end_repair()
            self._looker.close()

    def begin_resync(self, name: str) -> None:
        """Copy one replica again. Raises Refused when that may not be now, naming the reason."""
        refuse_resync(self.report, self._repairing + self._verifying, name)
        self._start(Step((name,), Rung.FULL, "it was asked for", recopy=True))

    def begin_verify(self, name: str) -> None:
        """Compare one replica with the primary. Raises Refused when that may not be now, naming the reason."""
        refuse_while_busy(self._repairing + self._verifying)
        self._verifying = (name,)
        self._repair = asyncio.create_task(self._verify(name))

    async def _round(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._leads and self._options.heartbeat:
            await self._beat()
        seen = await self._looker.look()
        self._lag.note(seen.primary, now)
        self._note_primary(seen.primary)
        watched = self._judge(seen, now)
        self._leads = await self._take_the_lead(seen)
        if self._leads and self._repair is None:
            step = plan(Situation(seen, watched, self._history), self._options.policy, now)
            if step is not None:
                self._start(step)
        self._publish(seen, watched)

    def _judge(self, seen: Seen, now: float) -> tuple[Watched, ...]:
        watched = []
        for replica in seen.replicas:
            lag = self._lag.lag(seen.primary, replica, now)
            verdict = self._sure(replica.server.name, judge(seen, replica, lag, self._options.limits))
            self._note(replica.server.name, verdict, now)
            watched.append(Watched(replica, verdict))
        return tuple(watched)

    def _sure(self, name: str, verdict: Verdict) -> Verdict:
        self._ahead[name] = self._ahead.get(name, 0) + 1 if verdict.state is State.AHEAD else 0
        before = self._verdicts.get(name)
        if 0 < self._ahead[name] < _SURE_OF_AHEAD and before is not None:
            return replace(verdict, state=before.state, reason=before.reason, remedy=before.remedy)
        return verdict

    def _note(self, name: str, verdict: Verdict, now: float) -> None:
        before = self._verdicts.get(name)
        self._verdicts[name] = verdict
        self._history[name] = remember(self._history.get(name, Past()), verdict.state, now)
        if before is not None and before.state is verdict.state:
            return
        was = f"{before.state} -> " if before else ""
        why = f": {verdict.reason}" if verdict.reason else ""
        self._tell(Event(name, f"{was}{verdict.state}{why}", verdict.state is not State.HEALTHY, verdict.state))

    def _note_primary(self, primary: PrimarySeen) -> None:
        if primary.error and not self._primary_error:
            self._tell(Event(primary.server.name, f"does not answer: {primary.error}", warning=True))
        if self._primary_error and not primary.error:
            self._tell(Event(primary.server.name, "answers again"))
        self._primary_error = primary.error

    async def _beat(self) -> None:
        """Write the heartbeat; what keeps it from that is told once."""
        before, self._beat_error = self._beat_error, ""
        try:
            await self._looker.primary_link().ask(beat, self._options.within)
        except ServerError as error:
            self._beat_error = error.problem
            if not before:
                remedy = f"; remedy: {error.remedy}" if error.remedy else ""
                message = f"the heartbeat cannot be written: {error.problem}{remedy}"
                self._tell(Event(self._deployment.primary.name, message, warning=True))

    async def _take_the_lead(self, seen: Seen) -> bool:
        if self._options.policy.repair is Repair.NONE:
            # It shall not keep another one from acting.
            return False
        leads = False
        if not seen.primary.error:
            with suppress(ServerError):
                leads = await self._looker.primary_link().ask(_lead, self._options.within)
        if leads is not self._leads:
            message = "this watcher acts" if leads else "this watcher looks on only: it has lost the lock"
            self._tell(Event(seen.primary.server.name, message))
        return leads

    def _start(self, step: Step) -> None:
        self._repairing = step.names
        self._repair = asyncio.create_task(self._mend(step))

    async def _mend(self, step: Step) -> None:
        for name in step.names:
            self._tell(Event(name, f"repair begins: {step.reason}"))
        pasts: dict[str, _Remember] = dict.fromkeys(step.names, tried)
        told = Told(self._tell, self._progress)
        try:
            others = self.report.replicas if self.report else ()
            result = await carry_out(step, self._deployment, self._looker, others, self._options, told)
            self._tell_result(result)
            pasts |= {each.name: _past_behind(step, each) for each in result.replicas}
        except ManyreadsError as error:
            self._failed(step.names, error)
        except Exception:
            log.exception("a repair of %s ended in a bug", ", ".join(step.names))
            self._counts[1] += 1
        finally:
            now = asyncio.get_running_loop().time()
            for name in step.names:
                self._history[name] = pasts[name](self._history.get(name, Past()), step.rung, now)
                self._progress.pop(name, None)
            self._repairing, self._repair = (), None

    async def _verify(self, name: str) -> None:
        self._tell(Event(name, "comparison begins: it was asked for"))
        server = self._looker.server(name)
        try:
            chosen = Deployment(self._deployment.primary, (server,))
            told = Told(self._tell, self._progress)
            (found,) = (await verify(chosen, Comparing(wait=self._options.set_up.wait), told)).replicas
        except ManyreadsError as error:
            found = Comparison(server, error)
        except Exception:
            log.exception("a comparison of %s ended in a bug", name)
            return
        finally:
            self._progress.pop(name, None)
            self._verifying, self._repair = (), None
        self._verified[name] = LastComparison(name, time_of_day(), found)
        self._tell(Event(name, found.summary, found.exit_code is not ExitCode.OK))

    def _tell_result(self, result: Result) -> None:
        for each in result.replicas:
            if each.error is not None:
                self._failed((each.name,), each.error)
            else:
                self._counts[0] += 1
                self._tell(Event(each.name, f"repair done: {each.action} ({each.reason})"))

    def _failed(self, names: tuple[str, ...], error: ManyreadsError) -> None:
        self._counts[1] += 1
        remedy = f"; remedy: {error.remedy}" if error.remedy else ""
        for name in names:
            self._tell(Event(name, f"repair failed: {error.problem}{remedy}", warning=True))

    async def _end_repair(self) -> None:
        if self._repair is not None:
            self._repair.cancel()
            await asyncio.wait([self._repair])

    def _tell(self, event: Event) -> None:
        log.log(logging.WARNING if event.warning else logging.INFO, "%s: %s", event.server, event.message)
        for listener in self._event_listeners:
            listener(event)

    def _publish(self, seen: Seen, watched: tuple[Watched, ...]) -> None:
        done, failed = self._counts
        progress = tuple(self._progress.items())
        verified = tuple(self._verified.values())
        self.report = Report(
            seen.primary, watched, self._leads, self._repairing, progress, done, failed, self._verifying, verified
        )
        for listener in self._report_listeners:
            listener(self.report)


async def carry_out(
    step: Step,
    deployment: Deployment,
    looker: Looker,
    watched: Sequence[Watched],
    options: WatchOptions,
    reporter: Reporter,
) -> Result:
    """One step of the ladder, with the interlocks of startsync; `watched` are all replicas. Raises as `set_up` does."""
    chosen = Deployment(deployment.primary, tuple(looker.server(name) for name in step.names))
    return await set_up(chosen, _set_up_options(step, looker, watched, options.set_up), reporter)


def _set_up_options(step: Step, looker: Looker, watched: Sequence[Watched], options: Options) -> Options:
    least, most = _BOUNDS.get(Rung(step.rung), (Action.LEAVE, Action.COPY)) if step.rung else _BOUNDS[Rung.FULL]
    others = [each for each in watched if each.name not in step.names]
    lending = (each.name for each in others if each.verdict.state in (State.HEALTHY, State.LAGGING))
    return replace(
        options,
        recopy=frozenset(step.names) if step.recopy else frozenset(),
        by=Action.RENEW if step.rung == Rung.CHUNKS else Action.COPY,
        taken=frozenset(each.replica.server_id for each in others),
        least=least,
        most=most,
        lenders=tuple(looker.server(name) for name in lending),
    )


def _past_behind(step: Step, each: ReplicaResult) -> _Remember:
    """What is remembered of a replica behind a step that ended so."""
    if each.error is None:
        return tried if each.action == Action.LEAVE else mended
    # There is no use in trying the same again.
    return given_up if isinstance(each.error, Refused if step.rung == Rung.CHUNKS else Purged) else tried


async def _lead(client: SqlClient) -> bool:
    return bool(await client.value(_LEAD) == 1)


def refuse_while_busy(busy: tuple[str, ...]) -> None:
    """Raise Refused while something is done to a replica."""
    if busy:
        raise Refused(f"{', '.join(busy)} is being mended or compared right now", "wait until that is over")


def refuse_resync(report: Report | None, busy: tuple[str, ...], name: str) -> None:
    """Raise Refused when the replica may not be copied again now."""
    if report is None or not report.leads:
        raise Refused(
            "this watcher does not act: another one does, the primary does not answer, or it has --repair none",
            "ask the one that acts, or run: python -m replication resync",
        )
    refuse_while_busy(busy)
    if is_last_healthy(name, {each.name: each.verdict.state for each in report.replicas}):
        raise Refused(
            f"{name} is the only healthy replica",
            f"mend the others first, or run: python -m replication resync {name} --full --force {name}",
        )


class Told:
    """Passes a repair's own reports on as events."""

    def __init__(self, tell: Callable[[Event], None], progress: dict[str, str]) -> None:
        self._tell = tell
        self._progress = progress

    def say(self, server: str, message: str) -> None:
        self._tell(Event(server, message))

    def warn(self, server: str, message: str) -> None:
        self._tell(Event(server, message, warning=True))

    def copied(self, server: str, rows: int, of_rows: int, size: int, seconds: float) -> None:
        self._progress[server] = progress_text(rows, of_rows, size, seconds)

    def compared(self, server: str, rows: int, of_rows: int) -> None:
        self._progress[server] = compared_text(rows, of_rows)

    def close(self) -> None: ...
