"""What a watcher would do now, with the SQL: `watch --dry-run`. Nothing is changed, and no lock is kept."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from replication.errors import ExitCode, exit_code
from replication.heartbeat import BEAT, MADE_ONCE
from replication.ladder import Repair, Rung, Step, Watched, climb, is_to_set_up
from replication.look import Looker
from replication.seen import Seen
from replication.status import look_patiently
from replication.telling import Event
from replication.watcher import Told, WatchOptions, carry_out
from topology.environment import Deployment
from topology.errors import ManyreadsError

Tell = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class _Rehearsal:
    deployment: Deployment
    options: WatchOptions
    looker: Looker
    watched: tuple[Watched, ...]
    tell: Tell

    async def steps(self, seen: Seen, group: Sequence[Watched]) -> ExitCode:
        """Show all steps for these replicas; returns OK or the code of the first one that would fail."""
        steps = climb(seen, group, self.options.policy)
        if not steps:
            for each in group:
                remedy = each.verdict.remedy
                self.tell(Event(each.name, "nothing would be done" + (f"; remedy: {remedy}" if remedy else "")))
        codes = [await self._step(step, first=step is steps[0]) for step in steps]
        return next(filter(None, codes), ExitCode.OK)

    async def _step(self, step: Step, *, first: bool) -> ExitCode:
        when = "would be done now" if first else "would be done if that does not help"
        if step.rung == Rung.FULL:
            when += f", and it is broken for {self.options.policy.full_after:g} s"
        for name in step.names:
            self.tell(Event(name, f"{when}:"))
        errors = await self._failures(step)
        for name, error in errors:
            remedy = f"; remedy: {error.remedy}" if error.remedy else ""
            self.tell(Event(name, f"would be refused: {error.problem}{remedy}", warning=True))
        return next((exit_code(error) for _, error in errors), ExitCode.OK)

    async def _failures(self, step: Step) -> list[tuple[str, ManyreadsError]]:
        """Show the SQL of one step; returns what would keep it from being done."""
        options = replace(self.options, set_up=replace(self.options.set_up, dry_run=True))
        told = Told(self.tell, {})
        try:
            result = await carry_out(step, self.deployment, self.looker, self.watched, options, told)
        except ManyreadsError as error:
            return [(name, error) for name in step.names]
        return [(each.name, each.error) for each in result.replicas if each.error is not None]


async def rehearse(deployment: Deployment, options: WatchOptions, tell: Tell) -> ExitCode:
    """Tell each replica's state, and all that would be tried on it, step by step, for as long as nothing helps.

    Returns OK, or the code of the first step that would be refused, or of a primary that cannot be used now.
    """
    with closing(Looker(deployment, options.within, options.set_up.primary_address)) as looker:
        seen, judged = await look_patiently(looker, options.limits)
        watched = tuple(Watched(*each) for each in judged)
        for each in watched:
            why = f": {each.verdict.reason}" if each.verdict.reason else ""
            tell(Event(each.name, f"{each.verdict.state}{why}", state=each.verdict.state))
        if busy := seen.primary.error or ("another run is setting replicas up" if seen.primary.setting_up else ""):
            tell(Event(seen.primary.server.name, f"nothing would be done now: {busy}", warning=True))
            return ExitCode.NOT_READY
        if options.heartbeat and options.policy.repair is not Repair.NONE:
            made = (f"if it is not there: {statement}" for statement in MADE_ONCE)
            for message in (*made, f"at each look: {BEAT}"):
                tell(Event(seen.primary.server.name, message))
        rehearsal = _Rehearsal(deployment, options, looker, watched, tell)
        codes = [await rehearsal.steps(seen, group) for group in _groups(watched)]
    return next(filter(None, codes), ExitCode.OK)


def _groups(watched: Sequence[Watched]) -> Iterator[list[Watched]]:
    """Those that are set up together, then each of the others."""
    if blank := [each for each in watched if is_to_set_up(each)]:
        yield blank
    yield from ([each] for each in watched if not is_to_set_up(each))
