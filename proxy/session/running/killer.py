"""A session that kills: has its KILLs run where their targets are at work, one at a time."""

import functools
from typing import Protocol

from proxy.backend.login import Identity
from proxy.session.core.machine import Machine
from proxy.session.core.request import Request
from proxy.session.shared.context import Context
from proxy.session.shared.kills import Killing, Target
from proxy.sql.kill import Kill
from proxy.wire.framing import frame
from proxy.wire.replies import Err, Ok, ok_payload


class Attempts(Protocol):
    """Where a KILL is run."""

    def dispatch(self, request: Request) -> None:
        """Run it on its server."""

    def refuse(self, request: Request, err: Err) -> None:
        """Answer it with an error of ours."""

    def answer(self, request: Request, told: bytes) -> None:
        """Answer it without a server."""


class Killer:
    """One session's KILLs of sessions, one at a time. `own` is the session itself."""

    def __init__(self, context: Context, identity: Identity, machine: Machine, own: Target, attempts: Attempts) -> None:
        self._context = context
        self._identity = identity
        self._machine = machine
        self._own = own
        self._attempts = attempts
        self._killing: Killing | None = None
        self._looking: Request | None = None

    @property
    def busy(self) -> bool:
        """Whether a KILL is under way."""
        return self._killing is not None

    def begin(self, request: Request, kill: Kill) -> None:
        """Have a KILL of one of the proxy's sessions hit its thread."""
        own = self._own
        target = own if kill.target is None else self._context.session(kill.target)
        if target is None and kill.target is not None:
            self._looking = request
            self._context.spawn(self._look_elsewhere(request, kill, kill.target))
        elif target is not None:
            self._begin(request, kill, target)

    async def _look_elsewhere(self, request: Request, kill: Kill, number: int) -> None:
        target = await self._context.colleagues.find(number, connection=kill.connection)
        if self._looking is not request:
            if target is not None:
                target.pardon(struck=False, connection=kill.connection)
            return
        self._looking = None
        if target is None:
            # A thread of the primary's that is none of ours, or none at all.
            self._attempts.dispatch(request)
        else:
            self._begin(request, kill, target)

    def _begin(self, request: Request, kill: Kill, target: Target) -> None:
        own = self._own
        self._killing = Killing(kill, target, target is own, self._identity.user, self._identity.capabilities)
        self._aim(request, self._killing, None)

    def _aim(self, request: Request, killing: Killing, err: Err | None) -> None:
        if self._killing is not killing:
            return
        if err is not None:
            self._attempts.refuse(request, err)
        elif killing.aim(request):
            self._attempts.dispatch(request)
        elif killing.strike():
            self._killing = None
            self._attempts.answer(request, frame(ok_payload(Ok(status=self._machine.state.status)), 1))
        else:
            killing.summon(functools.partial(self._aim, request, killing))

    def answered(self) -> Killing:
        """The KILL that is under way, which has been answered."""
        killing, self._killing = self._killing, None
        assert killing is not None
        return killing

    def over(self, errno: int) -> None:
        """The statement at work will not be answered by a server: if it is a KILL, nothing comes of that."""
        self._looking = None
        if self._killing is not None:
            self.answered().over(errno)
