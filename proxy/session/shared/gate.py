"""Whether something may be begun on the primary: not while an operator has writes held, while it is not certain who is
primary, or while several servers accept writes."""

import asyncio
from collections.abc import Callable
from enum import IntEnum

from proxy.routing.state import SessionState
from proxy.session.core.request import Request
from proxy.sql.statement import DIAGNOSTIC, READ, SESSION, Statement
from proxy.sql.transactions import TABLE_LOCKS
from proxy.wire import constants as c
from proxy.wire.replies import Err
from topology.servers import Snapshot

Again = Callable[[Request], None]


class Admission(IntEnum):
    """What becomes of a request for the primary."""

    PASSES = 0
    WAITS = 1


def in_progress(state: SessionState) -> bool:
    """Whether a session is in the middle of something that has to end on the server where it began."""
    return bool(state.status & c.SERVER_STATUS_IN_TRANS) or TABLE_LOCKS in state.pins.reasons()


def begins_nothing(statement: Statement) -> bool:
    """Whether a statement outside of a transaction leaves the primary as it is: it reads, asks about the one before it,
    or sets what is the session's and can be repeated on another primary."""
    return statement.kind in (READ, SESSION) or (statement.kind is DIAGNOSTIC and not statement.effects)


class Gate:
    """One process's. `shut` is set while not everything passes; `patience` is for how many seconds a primary that is in
    doubt is waited for, from the beginning of the doubt on."""

    def __init__(self, patience: float) -> None:
        self.shut = False
        self._patience = patience
        self._paused: asyncio.TimerHandle | None = None
        self._doubt = ""
        self._doubted: asyncio.TimerHandle | None = None
        self._split = ""
        self._waiting: dict[Request, Again] = {}

    @property
    def paused(self) -> bool:
        """Whether an operator has writes held."""
        return self._paused is not None

    @property
    def patient(self) -> bool:
        """Whether a primary that is in doubt is still waited for."""
        return not self._doubt or self._doubted is not None

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def look(self, snapshot: Snapshot) -> None:
        """Take over what is known of the servers now."""
        self._split = snapshot.split
        if snapshot.doubt != self._doubt:
            self._doubt = snapshot.doubt
            self._end_doubt()
            if snapshot.doubt and self._patience:
                self._doubted = asyncio.get_running_loop().call_later(self._patience, self._out_of_patience)
        self._judge()

    def _out_of_patience(self) -> None:
        """From now on the server that is in doubt may say itself what it does not do."""
        self._doubted = None
        self._judge()

    def _end_doubt(self) -> None:
        if self._doubted is not None:
            self._doubted.cancel()
            self._doubted = None

    def pause(self, seconds: float) -> None:
        """Hold writes and new transactions for `seconds` at most; if they are held already, from now on."""
        if self._paused is not None:
            self._paused.cancel()
        self._paused = asyncio.get_running_loop().call_later(seconds, self.resume)
        self._judge()

    def resume(self) -> None:
        """Hold them no longer. Safe to call twice."""
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None
        self._judge()

    def ask(self, request: Request, state: SessionState, *, commits: bool, anew: bool = False) -> Admission | Err:
        """What becomes of a request of a session for the primary; `commits`: it may be the end of what has written.
        `anew`: the transaction that it is in has to begin once more."""
        if self._split and (request.statement.writes or commits):
            return Err(c.ER_READ_ONLY_MODE, f"Running in read-only mode: {self._split}")
        held = self._paused is not None or self._doubted is not None
        if (
            not held
            or (in_progress(state) and not anew)
            or (begins_nothing(request.statement) and not state.in_transaction)
        ):
            return Admission.PASSES
        return Admission.WAITS

    def wait(self, request: Request, again: Again) -> None:
        """Call `again` with `request` when it may pass, not at once."""
        self._waiting[request] = again

    def forget(self, request: Request) -> None:
        """It is not wanted any more. Safe to call twice."""
        self._waiting.pop(request, None)

    def _judge(self) -> None:
        held = self._paused is not None or self._doubted is not None
        self.shut = held or bool(self._split)
        if not held:
            waiting, self._waiting = self._waiting, {}
            for request, again in waiting.items():
                again(request)
