"""What is looked at before a request gets a server: what it asks about the statement before, and whether it goes with
the reads that its transaction has made on a replica."""

from collections.abc import Callable

from proxy.routing.policy import IN_TRANSACTION
from proxy.session.core.request import Request
from proxy.session.running.common import Common
from proxy.session.running.promotion import Promotion
from proxy.wire.replies import Err


class Entry:
    """One session's. `answer` gives the client a reply without any server, `again` takes a request that had to wait."""

    def __init__(
        self,
        common: Common,
        promotion: Promotion,
        answer: Callable[[Request, bytes | Err], None],
        again: Callable[[Request], None],
    ) -> None:
        self._machine = common.machine
        self._waiting = common.waiting
        self._twin = common.twin
        self._freshness = common.context.monitor.freshness
        self._promotion = promotion
        self._answer = answer
        self._again = again

    def answers(self, request: Request) -> bool:
        """Whether a question about the statement before is answered without any server, or has to wait; else it may be
        another one now."""
        if self._waiting.holds_question(request, self._machine, self._again):
            return True
        told = self._machine.last.retold(request)
        if isinstance(told, Request):
            return False
        self._answer(request, told)
        return True

    def refuses(self, request: Request) -> bool:
        """Whether a request is refused because its transaction has reads on a replica; else it may have another route
        now."""
        if request.route.twin and self._promotion.on and not self._promotion.keeps(request):
            request.route = IN_TRANSACTION
        if self._twin.open or request.route.twin:
            self._freshness.catch_up()
        if not self._twin.open:
            if request.route.twin:
                self._twin.wanted(self._freshness.written)
            return False
        err = self._twin.too_late(request)
        if err is None and (request.again or not self._promotion.on):
            # What can be promoted is in no conflict yet, but for what runs again right now.
            err = self._twin.conflict(request, self._freshness.written)
        if err is not None:
            self._answer(request, err)
        return err is not None
