"""What the request of a session can wait for: a replica that is fresh, a primary that is away, or a moment."""

import asyncio
import functools
from collections.abc import Callable

from proxy.session.core.machine import Machine
from proxy.session.core.request import Request
from proxy.session.running.turn import Turn
from proxy.session.shared.absence import Absence
from proxy.session.shared.context import Context
from proxy.session.shared.gate import Admission
from proxy.session.shared.patience import Patience
from proxy.wire.replies import Err


class Waiting:
    """One session's, one wait at a time. `again` is called with the request when it is over, never at once."""

    def __init__(self, context: Context, turn: Turn, again: Callable[[Request], None]) -> None:
        self.absence = Absence(context.monitor, context.settings.primary_wait)
        self._gate = context.gate
        self._held: Request | None = None
        self._patience = Patience(context.monitor.freshness, context.waits)
        self._longest = context.settings.freshness_wait
        self._turn = turn
        self._again = again

    @property
    def under_way(self) -> bool:
        """Whether the request waits for a replica, or for the primary."""
        return self._patience.under_way or self.absence.waiting is not None or self._held is not None

    @property
    def for_a_replica(self) -> Request | None:
        """The request that waits for a replica."""
        return self._turn.request if self._patience.under_way else None

    def for_replica(self, request: Request) -> None:
        """Until a replica has what the request must see, or its time is up."""
        assert request.need is not None
        self._turn.unsent()
        now = asyncio.get_running_loop().time()
        request.until = request.until or now + self._longest
        self._patience.begin(request.need, request.until - now, functools.partial(self._waited, request))

    def _waited(self, request: Request, kept: bool) -> None:
        request.waits, request.waited = False, not kept
        self._again(request)

    def for_primary(self, request: Request) -> bool:
        """Until the primary may be back; False if that was waited for long enough. No server has seen the request."""
        return self.absence.outlast(request, self._again)

    def at_gate(self, request: Request, machine: Machine, *, anew: bool) -> Admission | Err:
        """Until something may be begun on the primary, if need be. No server has seen the request. `anew`: nor has the
        primary its transaction any more."""
        if request.kill is not None:
            return Admission.PASSES
        admission = self._gate.ask(request, machine.state, commits=machine.commits(request), anew=anew)
        if admission is Admission.WAITS:
            self._hold(request, self._again)
        return admission

    def holds_question(self, request: Request, machine: Machine, again: Callable[[Request], None]) -> bool:
        """Whether a request that asks about the statement before waits at the gate already, in front of being looked
        at: what it asks about may go meanwhile."""
        if not self._gate.shut:
            return False
        admission = self._gate.ask(request, machine.state, commits=machine.commits(request))
        if admission is not Admission.WAITS:
            return False
        self._turn.begin(request)
        self._hold(request, again)
        return True

    def _hold(self, request: Request, again: Callable[[Request], None]) -> None:
        self._turn.unsent()
        self._held = request
        self._gate.wait(request, functools.partial(self._passes, again))

    def _passes(self, again: Callable[[Request], None], request: Request) -> None:
        self._held = None
        again(request)

    def for_moment(self, request: Request, delay: float) -> None:
        """For `delay` seconds."""

        def over() -> None:
            if self._turn.request is request:
                self._again(request)

        self._turn.unsent()
        asyncio.get_running_loop().call_later(delay, over)

    def end(self) -> None:
        """Nothing is waited for any more. Safe to call twice."""
        self._patience.end()
        self.absence.end()
        if self._held is not None:
            self._gate.forget(self._held)
            self._held = None
