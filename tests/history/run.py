"""One run: clients at work while things are done to the servers, and what came of it."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass, field
from functools import partial

from tests.history.checker import unexcused, violations
from tests.history.faults import Faults
from tests.history.record import Failure, History, Outcome
from tests.history.schedule import of_primary, of_replicas
from tests.history.site import Site
from tests.history.workload import Workload
from tests.support.proxies import ProxyProcess
from tests.support.waiting import wait_until

CLIENTS = 50
PAUSE = 0.05
_LONGEST_LOG = 100


@dataclass(slots=True)
class Result:
    """`violations` of what is promised, `errors` that nothing excuses, `troubles` of the test itself.

    `log` is what the proxy's log says of the clients with such errors, and of servers.
    """

    seed: int
    seconds: float
    history: History
    violations: list[str] = field(default_factory=list)
    errors: list[Failure] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.violations or self.errors or self.troubles)

    def __str__(self) -> str:
        history = self.history
        outcomes = Counter(write.outcome for write in history.writes)
        kinds = Counter(fault.what.partition(" ")[2].partition(" after")[0] for fault in history.faults)
        longest = max((read.ended - read.began for read in history.reads), default=0.0)
        return (
            f"seed {self.seed}, {self.seconds:.0f} s: {len(history.reads)} reads ({longest:.1f} s at most), "
            f"{outcomes[Outcome.ACKNOWLEDGED]} writes acknowledged, {outcomes[Outcome.UNKNOWN]} unknown, "
            f"{outcomes[Outcome.FAILED]} failed; {len(history.faults)} faults "
            f"({', '.join(f'{kind}: {count}' for kind, count in sorted(kinds.items()))}); "
            f"{len(self.violations)} violations, {len(history.failures)} errors, {len(self.errors)} not excused"
        )

    def details(self, most: int = 30) -> str:
        """All that is wrong, with what was done at the time."""
        parts = [*self.violations[:most], *map(str, self.errors[:most]), *self.troubles[:most]]
        return "\n".join([str(self), *parts, "faults:", *map(str, self.history.faults), "log:", *self.log])


Script = Callable[[Faults], Awaitable[None]]


def flags_of(seed: int) -> tuple[str, ...]:
    """The settings of the proxy that a seed draws: with every second one transactions are run again."""
    return ("--transaction-replay",) if seed % 2 else ()


def drawn(seed: int, seconds: float, quiet: float) -> Script:
    """What a seed draws, for so long; only replicas have faults for the first part of the time, which is `quiet`."""

    async def script(faults: Faults) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(faults.of_replicas(of_replicas(seed)))
            await asyncio.sleep(quiet * seconds)
            if quiet < 1:
                group.create_task(faults.of_primary(of_primary(seed)))
                await asyncio.sleep((1 - quiet) * seconds)
            faults.stop()

    return script


def play(
    site: Site, proxy: ProxyProcess, seed: int, script: Script, clients: int = CLIENTS, pause: float = PAUSE
) -> Result:
    """Let clients work while the script is played, mend what is broken, and judge.

    Each client rests for `pause` seconds on the average between two statements or transactions.
    """
    workload = Workload(proxy.host, proxy.port, site.login, seed, pause)
    faults = Faults(site, proxy, workload.history.faults)
    began, logged = time.monotonic(), len(proxy.log)
    try:
        asyncio.run(_play(workload, faults, script, clients))
    finally:
        site.mend()
    taken = time.monotonic() - began
    history = workload.history
    history.final = site.contents(site.primary)
    result = Result(seed, taken, history, violations(history), unexcused(history.failures, history.faults))
    result.troubles = [*faults.troubles, *_unequal(site, history), *_bugs(proxy)]
    result.log = _about(proxy.log[logged:], {failure.client for failure in result.errors})
    return result


def _about(log: str, clients: Set[str]) -> list[str]:
    """The last lines that are about these clients, or about none."""
    lines = [line for line in log.splitlines() if "client " not in line or any(f"{name}:" in line for name in clients)]
    return lines[-_LONGEST_LOG:]


async def _play(workload: Workload, faults: Faults, script: Script, clients: int) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(workload.run(clients))
        try:
            await script(faults)
        finally:
            workload.stop()


def _unequal(site: Site, history: History) -> list[str]:
    """Replicas that do not come to hold what the primary holds."""
    found = []
    for name in site.replicas:
        try:
            wait_until(partial(_holds, site, name, history), "it has all")
        except AssertionError:
            found.append(f"{name} does not come to hold what the primary holds")
    return found


def _holds(site: Site, name: str, history: History) -> bool:
    return site.contents(name) == history.final


def _bugs(proxy: ProxyProcess) -> list[str]:
    log = proxy.log
    return [log[log.index("Traceback") :][:4000]] if "Traceback" in log else []
