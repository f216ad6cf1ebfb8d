"""What one client asks of the proxy itself, answered when the client takes answers."""

from collections.abc import Callable
from typing import Final

from proxy.admin.figures import Figures, Parts
from proxy.routing.state import SessionState
from proxy.session.answers import answer, asks_others, asks_primary, ordered, told
from proxy.session.core.request import Asked, Explained, Request
from proxy.session.running.runner import Runner
from proxy.session.shared.context import Context
from proxy.session.shared.holding import hold
from proxy.sql.own import Order, Show, Writes
from proxy.wire.framing import frame
from proxy.wire.replies import Ok, err_payload, ok_payload
from topology.consistency import Level
from topology.freshness import NOTHING
from topology.servers import Server

_NO_FIGURES: Final = Figures()


class Asking:
    """One session's, as `runner` runs it for `user` at `address`; it is the asker of `answer`.

    `reply` is called with each whole answer. `located` is the number of the last write when it asked for the primary's
    position.
    """

    def __init__(
        self,
        context: Context,
        runner: Runner,
        state: SessionState,
        user: str,
        address: str,
        capabilities: int,
        reply: Callable[[bytes], None],
    ) -> None:
        self.user = user
        self.address = address
        self.located = NOTHING
        self._context = context
        self._runner = runner
        self._state = state
        self._capabilities = capabilities
        self._reply = reply
        self._postponed: bytes | None = None
        self._slow = False

    def ask(self, asked: Asked) -> None:
        """Answer, once that is known which this process does not know by itself."""
        if isinstance(asked, Writes):
            self._context.spawn(self._hold(asked))
        elif isinstance(asked, Order):
            self._context.spawn(self._order(asked))
        elif asks_primary(asked):
            self._context.spawn(self._locate(asked))
        elif (parts := asks_others(asked)) is not None:
            self._context.spawn(self._collect(asked, parts))
        else:
            self._answer(asked)

    async def _hold(self, writes: Writes) -> None:
        err = await hold(self._context, writes, self.user, self.address, lambda: self._runner.closed)
        if self._runner.closed:
            if err is None and writes.seconds:
                await self._context.colleagues.resume()
            return
        done = ok_payload(Ok(status=self._state.status)) if err is None else err_payload(err)
        self._send(frame(done, 1))

    async def _order(self, order: Order) -> None:
        found = await ordered(self._context, self, order)
        if not self._runner.closed:
            self._send(told(found, self._state, self._capabilities))

    async def _locate(self, asked: Show | Explained) -> None:
        self._context.monitor.freshness.catch_up()
        self.located = self._context.monitor.freshness.written
        await self._context.monitor.locate()
        if not self._runner.closed:
            self._answer(asked)

    async def _collect(self, asked: Show | Explained, parts: Parts) -> None:
        figures = await self._context.colleagues.figures(parts)
        if not self._runner.closed:
            self._answer(asked, figures)

    def _answer(self, asked: Show | Explained, figures: Figures = _NO_FIGURES) -> None:
        self._send(answer(self._context, self, self._state, asked, figures, self._capabilities))

    def _send(self, answer: bytes) -> None:
        self._postponed = answer if self._slow else None
        if not self._slow:
            self._reply(answer)

    def client_slow(self) -> None:
        """The client does not take what it was sent before."""
        self._slow = True

    def client_ready(self) -> None:
        """The client takes bytes again."""
        self._slow = False
        if self._postponed is not None:
            self._send(self._postponed)

    @property
    def own(self) -> int:
        """The number of the session's last write."""
        return self._runner.insight.own

    def level_of(self, request: Request) -> Level:
        """What a read must see."""
        return self._runner.insight.level_of(request)

    def limit_of(self, request: Request) -> float:
        """For how many seconds it may run; 0 for any number."""
        return self._runner.insight.limit_of(request)

    def foresee(self, request: Request) -> Server | None:
        """The server that `request` would go to now; None when it could not run."""
        return self._runner.insight.foresee(request)
