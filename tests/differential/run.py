"""Plays sequences on a server and through the proxy, compares each step, and shortens what differs."""

import itertools
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from replication.sandbox import Cluster
from tests.differential.background import Others
from tests.differential.difference import Difference
from tests.differential.known import known_as
from tests.differential.schema import DIALECTS, DIRECT, PROXIED, Administrator, login
from tests.differential.sequences import sequence, short
from tests.differential.steps import Side, Step
from tests.differential.taking import Taker, clear, prepare
from tests.support.clients import READS, Counters
from tests.support.proxies import ProxyProcess
from tests.support.recorder import Recorder
from tests.support.wireclient import WireClient
from topology.servers import Vendor

# For the proxy: few connections to each server for all sessions, and time to wait for one on a slow machine.
POOL: Final = ("--server-connections=3", "--server-connection-wait=60")
# In seconds; usually enough for a replica to be known to be fresh. Nothing depends on it but where reads go.
_PAUSE: Final = 0.015
_DEFINES: Final = re.compile(r"CREATE|DROP|ALTER|RENAME|TRUNCATE")
# Each shorter sequence is tried so often: whether a read meets a fresh replica is a matter of time.
_ATTEMPTS: Final = 2


@dataclass(frozen=True)
class Finding:
    """A sequence that differs, and how: shortened if `difference` could be seen again."""

    number: int
    difference: Difference

    def __str__(self) -> str:
        lines = (f"  {step}" for step in self.difference.steps)
        return "\n".join((f"sequence {self.number} differs:", *lines, self.difference.text))


@dataclass
class Outcome:
    """What a run has found. `known` counts differences by how they are known, `reads` SELECTs by server, the monitor's
    few among them."""

    findings: list[Finding] = field(default_factory=list)
    known: Counter[str] = field(default_factory=Counter)
    sequences: int = 0
    steps: int = 0
    seconds: float = 0.0
    reads: dict[str, int] = field(default_factory=dict)
    others: int = 0


class Place:
    """Where sequences run one after the other: schemas of its own on both sides. Where steps pause, `taker` takes the
    connections."""

    _runs = itertools.count()

    def __init__(self, cluster: Cluster, proxy: ProxyProcess, number: int, taker: Taker | None = None) -> None:
        self._taker = taker
        primary = cluster.servers[0]
        self._ends = ((DIRECT, primary.host, primary.port), (PROXIED, proxy.host, proxy.port))
        self._number = number
        self._anew = True
        self._administrators = [
            Administrator(host, port, primary.user, primary.password, Vendor(cluster.flavor))
            for _, host, port in self._ends
        ]
        for (prefix, _, _), administrator in zip(self._ends, self._administrators, strict=True):
            administrator.make_schemas(f"{prefix}{number}_")

    def close(self) -> None:
        """No schemas any more, and no taker."""
        if self._taker is not None:
            self._taker.close()
        for (prefix, _, _), administrator in zip(self._ends, self._administrators, strict=True):
            administrator.drop_schemas(f"{prefix}{self._number}_")
            administrator.close()

    def play(self, steps: list[Step], flags: int, *, paused: bool = False) -> tuple[Difference | None, int]:
        """The first difference, and how many steps were made; `paused` lets replicas catch up before each step."""
        for (prefix, _, _), administrator in zip(self._ends, self._administrators, strict=True):
            administrator.make_rows(f"{prefix}{self._number}_", anew=self._anew)
        difference, count = self._play(steps, flags, paused)
        # Without a difference both sides count on from the same.
        self._anew = difference is not None or any(_DEFINES.search(step.text) for step in steps)
        return difference, count

    def _play(self, steps: list[Step], flags: int, paused: bool) -> tuple[Difference | None, int]:
        run = next(self._runs)
        with self._side(0, flags, run) as direct, self._side(1, flags, run) as proxied:
            for count, step in enumerate(steps, 1):
                wanted = direct.perform(step)
                if step.pause or paused:
                    self._pause(flags)
                got = proxied.perform(step)
                if wanted != got:
                    return Difference(tuple(steps[:count]), wanted, got), count
                if wanted.command == "closed":
                    break
        return None, count

    def _pause(self, flags: int) -> None:
        if self._taker is not None:
            self._taker.take(flags)
        time.sleep(_PAUSE)

    @contextmanager
    def _side(self, which: int, flags: int, run: int) -> Iterator[Side]:
        prefix, host, port = self._ends[which]
        own = f"{prefix}{self._number}_"
        how = login(f"{own}a", flags)
        with WireClient(host, port) as client:
            yield Side(Recorder(client.log_in(how)), own, run, how)


class Differential:
    """One run: sequences of `seed` on a cluster and through its proxy, in so many places at the same time.

    The servers let those make functions who have no right to all else (`log_bin_trust_function_creators`). The proxy
    runs with POOL; with `taking`, where sequences are short and another session takes the connections before most
    steps, with `tests.differential.taking.OPTIONS`, and there is one place. `outcome` is what a run has found so far.
    """

    def __init__(
        self,
        cluster: Cluster,
        proxy: ProxyProcess,
        seed: int,
        *,
        sessions: int = 20,
        places: int = 2,
        taking: bool = False,
    ) -> None:
        self._cluster = cluster
        self._proxy = proxy
        self._seed = seed
        self._sessions = 0 if taking else sessions
        self._places = 1 if taking else places
        self._taking = taking
        self._sequence = short if taking else sequence
        self._vendor = Vendor(cluster.flavor)
        self._lock = threading.Lock()
        self._broken_off = False
        self.outcome = Outcome()

    def run(self, numbers: range, shrink: int = 5, progress: Callable[[Finding], None] | None = None) -> Outcome:
        """Play the sequences of these numbers; the first `shrink` that differ are shortened."""
        outcome = self.outcome = Outcome()
        counters, begin = Counters(self._cluster, READS), time.monotonic()
        with self._administrator() as administrator, Others(self._proxy, administrator, self._sessions) as others:
            left = iter(numbers)

            def work(place: Place) -> None:
                while (number := self._next(left)) is not None:
                    self._one(place, number, outcome, shrink, progress)

            with self._opened() as places, ThreadPoolExecutor(len(places)) as pool:
                try:
                    list(pool.map(work, places))
                finally:
                    self._broken_off, outcome.seconds = True, time.monotonic() - begin
        outcome.reads = counters.difference()
        outcome.others = others.statements
        return outcome

    def _next(self, numbers: Iterator[int]) -> int | None:
        with self._lock:
            return None if self._broken_off else next(numbers, None)

    def _one(
        self, place: Place, number: int, outcome: Outcome, shrink: int, progress: Callable[[Finding], None] | None
    ) -> None:
        steps, flags = self._sequence(self._seed, number, self._vendor), DIALECTS[number % len(DIALECTS)]
        try:
            difference, count = place.play(steps, flags)
        except Exception as error:
            error.add_note(f"sequence {number}")
            raise
        with self._lock:
            outcome.sequences += 1
            outcome.steps += count
        if difference is None:
            return
        known = known_as(difference)
        if known is not None:
            outcome.known[known] += 1
            return
        if len(outcome.findings) < shrink:
            difference = shrunk(place, difference, flags)
        finding = Finding(number, difference)
        outcome.findings.append(finding)
        if progress is not None:
            progress(finding)

    @contextmanager
    def _administrator(self) -> Iterator[Administrator]:
        primary = self._cluster.servers[0]
        administrator = Administrator(self._proxy.host, self._proxy.port, primary.user, primary.password, self._vendor)
        try:
            administrator.make_account()
            if self._taking:
                prepare(administrator)
            yield administrator
            if self._taking:
                clear(administrator)
            administrator.drop_account()
        finally:
            administrator.close()

    def _taker(self) -> Taker | None:
        return Taker(self._proxy, [server.name for server in self._cluster.servers]) if self._taking else None

    @contextmanager
    def _opened(self) -> Iterator[list[Place]]:
        places = [Place(self._cluster, self._proxy, number, self._taker()) for number in range(self._places)]
        yield places
        for place in places:
            place.close()


def shrunk(place: Place, difference: Difference, flags: int) -> Difference:
    """The same difference, or another one, after as few steps as dropping single ones leads to."""
    at = len(difference.steps) - 1
    while at >= 0:
        steps = list(difference.steps[:at] + difference.steps[at + 1 :])
        shorter = _again(place, steps, flags) if steps else None
        if shorter is not None:
            difference = shorter
        at = min(at, len(difference.steps)) - 1
    return difference


def _again(place: Place, steps: list[Step], flags: int) -> Difference | None:
    for attempt in range(_ATTEMPTS):
        paused = bool(attempt)
        difference, _ = place.play(steps, flags, paused=paused)
        if difference is not None and known_as(difference) is None:
            pausing = tuple(replace(step, pause=step.pause or paused) for step in difference.steps)
            return replace(difference, steps=pausing)
    return None
