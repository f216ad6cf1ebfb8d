"""What one client asks of the proxy itself: EXPLAIN ROUTE and SHOW PROXY, answered when the client takes answers."""

from collections.abc import Callable

from proxy.routing.state import SessionState
from proxy.session.answers import answer, asks_primary
from proxy.session.context import Context
from proxy.session.request import Asked, Request
from proxy.session.runner import Runner
from topology.consistency import Level
from topology.freshness import NOTHING
from topology.servers import Server


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
        self._postponed: Asked | None = None
        self._slow = False

    def ask(self, asked: Asked) -> None:
        """Answer; what asks for the primary's position, once that is known."""
        if asks_primary(asked):
            self._context.spawn(self._locate(asked))
        else:
            self._answer(asked)

    async def _locate(self, asked: Asked) -> None:
        self.located = self._context.monitor.freshness.written
        await self._context.monitor.locate()
        if not self._runner.closed:
            self._answer(asked)

    def _answer(self, asked: Asked) -> None:
        self._postponed = asked if self._slow else None
        if not self._slow:
            self._reply(answer(self._context, self, self._state, asked, self._capabilities))

    def client_slow(self) -> None:
        """The client does not take what it was sent before."""
        self._slow = True

    def client_ready(self) -> None:
        """The client takes bytes again."""
        self._slow = False
        if self._postponed is not None:
            self._answer(self._postponed)

    @property
    def own(self) -> int:
        """The number of the session's last write."""
        return self._runner.own

    def level_of(self, request: Request) -> Level:
        """What a read must see."""
        return self._runner.level_of(request)

    def foresee(self, request: Request) -> Server | None:
        """The server that `request` would go to now; None when it could not run."""
        return self._runner.foresee(request)
