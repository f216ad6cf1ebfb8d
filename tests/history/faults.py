"""Does to the servers what a schedule says, one thing after the other for each kind of server."""

import asyncio
import time
from collections.abc import Iterator

from tests.history.record import Fault
from tests.history.schedule import Kind, Plan
from tests.history.site import Site
from tests.support.proxies import ProxyProcess

# In seconds: the proxy notices by then that a connection broke; what was sent before that was in flight.
NOTICE = 2.0
# What breaks connections.
_LOSES = frozenset({Kind.KILL, Kind.RESTART, Kind.CUT})
_now = time.monotonic


class Faults:
    """`done` is what was done so far, `troubles` what could not be."""

    def __init__(self, site: Site, proxy: ProxyProcess, done: list[Fault]) -> None:
        self.done = done
        self.troubles: list[str] = []
        self._site = site
        self._proxy = proxy
        self._going = True
        # The primary is changed only while nothing is done to replicas.
        self._replicas = asyncio.Lock()

    def stop(self) -> None:
        """End after what is just done."""
        self._going = False

    async def of_replicas(self, plans: Iterator[Plan]) -> None:
        """Replicas only, until stopped."""
        while self._going:
            plan = next(plans)
            await asyncio.sleep(plan.rest)
            async with self._replicas:
                await self._do(plan, self._site.replicas[plan.which], loses=False)

    async def of_primary(self, plans: Iterator[Plan]) -> None:
        """The primary, until stopped."""
        while self._going:
            plan = next(plans)
            await asyncio.sleep(plan.rest)
            if plan.kind is Kind.SWITCHOVER:
                async with self._replicas:
                    await self.switch(self._site.replicas[plan.which])
            else:
                await self._do(plan, self._site.primary, loses=plan.kind in _LOSES)

    async def once(self, kind: Kind, name: str, lasts: float = 0.5) -> None:
        """Do this to a server, until the proxy uses it again."""
        plan = Plan(kind, rest=0.0, lasts=lasts, which=0, lag=0, line=0.0)
        await self._do(plan, name, loses=name == self._site.primary and kind in _LOSES)
        await asyncio.to_thread(self._site.wait_until_healthy, self._proxy)

    async def _do(self, plan: Plan, name: str, *, loses: bool) -> None:
        began = _now()
        try:
            lost = await self._break(plan, name)
            await asyncio.sleep(plan.lasts)
        finally:
            await self._mend(plan, name)
        self.done.append(Fault(f"{name} {plan.kind}", began, _now(), lost + NOTICE if loses else None))

    async def _break(self, plan: Plan, name: str) -> float:
        """Begin a fault; the time when connections were lost."""
        server, relay = self._site.server(name), self._site.relays[name]
        match plan.kind:
            case Kind.KILL:
                await asyncio.to_thread(server.kill)
            case Kind.RESTART:
                server.request_stop()
            case Kind.FREEZE:
                server.freeze()
            case Kind.CUT:
                relay.switch(0)
            case Kind.MUTE | Kind.DEAF:
                relay.hold(upward=plan.kind is Kind.DEAF, downward=plan.kind is Kind.MUTE)
            case Kind.SLOW:
                relay.delay = plan.line
            case Kind.LAG:
                await asyncio.to_thread(self._site.delay, name, plan.lag)
        return _now()

    async def _mend(self, plan: Plan, name: str) -> None:
        server, relay = self._site.server(name), self._site.relays[name]
        if plan.kind in (Kind.KILL, Kind.RESTART):
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
        elif plan.kind is Kind.FREEZE:
            server.thaw()
        relay.switch(server.port, breaking=False)
        relay.hold()
        relay.delay = 0.0

    async def switch(self, to: str) -> None:
        """Make `to` the primary, as an operator does: once all is well."""
        for name in self._site.replicas:
            await asyncio.to_thread(self._site.delay, name, 0)
        await asyncio.to_thread(self._site.wait_until_healthy, self._proxy)
        before, began = self._site.primary, _now()
        trouble = await asyncio.to_thread(self._site.switch, self._proxy, to)
        self.done.append(Fault(f"{to} {Kind.SWITCHOVER} after {before}{': FAILED' if trouble else ''}", began, _now()))
        if trouble:
            self.troubles.append(trouble)
