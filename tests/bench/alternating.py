"""`python -m tests.bench.alternating`: a proxy that counts and times statements, or does not.

It takes turns, a hundred in a second, all in one process: what else the machine does hits both alike. Four turns make a
round, in an order that a machine which becomes slower or faster does not favour. No class changes between turns, as
the interpreter would have to learn anew, each time, where the attributes of its instances are. At its end it writes a
line that begins with MARK, and has the CPU time of a statement in microseconds, counted and not counted (medians of the
rounds), then the median of the rounds' ratios, how far from it the true one may be (95 %), and how many rounds there
were.
"""

import atexit
import gc
import sys
import threading
import time
from collections.abc import Callable
from statistics import median, quantiles
from typing import Any, Final

from proxy.__main__ import app
from proxy.backend.connection import BackendConnection
from proxy.session.client import ClientSession
from proxy.session.core.request import Request
from proxy.session.running import sending
from proxy.session.running.delivery import Delivery
from proxy.wire.exchange import Exchange

MARK: Final = "counted and not counted:"
_TURN: Final = 0.01
_FEWEST: Final = 20  # in a turn with fewer the proxy's other work would show
_CLOCK: Final = time.perf_counter
# Returns 0.0 at once, and is the same kind of function.
_NO_CLOCK: Final = (0.0).conjugate
# Of the quartiles' distance, by the root of their number: McGill, Tukey, Larsen, Variations of Box Plots (1978).
_NOTCH: Final = 1.57


class Uncounting:
    """In place of a session's Ledger."""

    def count(self, request: Request, link: BackendConnection, exchange: Exchange, on_primary: bool) -> None:
        """The reply is complete."""

    def failed(self, request: Request, link: BackendConnection, errno: int) -> None:
        """It was an error."""

    def changed(self, request: Request, rows: int) -> None:
        """It tells of changed rows."""


_UNCOUNTING: Final[Any] = Uncounting()


class Rounds:
    """Changes what is done for each statement, and keeps what one took, counted and not counted.

    What is counted is the proxy as it is. Where it is not, three calls are left that do nothing.
    """

    def __init__(self) -> None:
        self._took: list[tuple[float, float]] = []
        self._clients: list[ClientSession] = []
        self._ledgers: list[tuple[Delivery, Any]] = []

    def run(self) -> None:
        """For ever."""
        while True:
            self._clients = [each for each in gc.get_objects() if type(each) is ClientSession]
            self._ledgers = [(each, each._ledger) for each in (one.runner._delivery for one in self._clients)]
            for _ in range(50):
                self._round()

    def _round(self) -> None:
        first, second, third, fourth = self._counted(), self._not_counted(), self._not_counted(), self._counted()
        if first and second and third and fourth:
            self._took.append(((first + fourth) / 2, (second + third) / 2))

    def _counted(self) -> float:
        for delivery, ledger in self._ledgers:
            delivery._ledger = ledger
        return self._turn(_CLOCK)

    def _not_counted(self) -> float:
        for delivery, _ in self._ledgers:
            delivery._ledger = _UNCOUNTING
        for each in self._clients:
            each._book.timing = False
        return self._turn(_NO_CLOCK)

    def _turn(self, clock: Callable[[], float]) -> float:
        """The CPU time of a statement in microseconds; 0 if there were too few."""
        vars(sending)["perf_counter"] = clock
        before, begin = self._statements(), time.process_time()
        time.sleep(_TURN)
        spent, statements = time.process_time() - begin, self._statements() - before
        return spent / statements * 1e6 if statements >= _FEWEST else 0.0

    def _statements(self) -> int:
        """How many the clients have sent."""
        return sum(each.statements for each in self._clients)

    def tell(self) -> None:
        """Write the figures."""
        counted, not_counted = (median(column) for column in zip(*self._took, strict=True))
        ratios = [with_it / without for with_it, without in self._took]
        lower, middle, upper = quantiles(ratios, n=4)
        within = _NOTCH * (upper - lower) / len(ratios) ** 0.5
        print(MARK, f"{counted:.2f} {not_counted:.2f} us, {middle:.4f} +- {within:.4f}, {len(ratios)}", file=sys.stderr)


if __name__ == "__main__":
    rounds = Rounds()
    atexit.register(rounds.tell)
    threading.Thread(target=rounds.run, daemon=True).start()
    app()
