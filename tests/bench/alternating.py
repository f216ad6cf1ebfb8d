"""`python -m tests.bench.alternating`: a proxy that counts and times statements, or does not.

It takes turns, twenty in a second, all in one process: what else the machine does hits both alike. Four turns make a
round, in an order that a machine which becomes slower or faster does not favour. At its end it writes a line that
begins with MARK, and has the CPU time of a statement in microseconds, counted and not counted (medians of the rounds),
then the median of the rounds' ratios, how far from it the true one may be (95 %), and how many rounds there were.
"""

import atexit
import gc
import sys
import threading
import time
from collections.abc import Callable
from statistics import median, quantiles
from typing import Final
from unittest.mock import patch

import proxy.session.client
import proxy.session.running.sending
from proxy.__main__ import app
from proxy.backend.connection import BackendConnection
from proxy.session.client import ClientSession
from proxy.session.core.request import Request
from proxy.session.shared.counting import Ledger
from proxy.wire.exchange import Exchange

MARK: Final = "counted and not counted:"
_TURN: Final = 0.05
_FEWEST: Final = 100  # in a turn with fewer the proxy's other work would show
_PLAIN: Final = Ledger.count
_CLOCK: Final = time.perf_counter
# Of the quartiles' distance, by the root of their number: McGill, Tukey, Larsen, Variations of Box Plots (1978).
_NOTCH: Final = 1.57


def _pass_over(ledger: Ledger, request: Request, link: BackendConnection, exchange: Exchange, primary: bool) -> None:
    """In place of `Ledger.count`."""


class Rounds:
    """Changes what is done for each statement, and keeps what one took, counted and not counted.

    What is counted is the proxy as it is. Where it is not, three calls are left that do nothing.
    """

    def __init__(self) -> None:
        self._took: list[tuple[float, float]] = []
        self._clients: list[ClientSession] = []

    def run(self) -> None:
        """For ever."""
        while True:
            self._clients = [each for each in gc.get_objects() if type(each) is ClientSession]
            for _ in range(10):
                self._round()

    def _round(self) -> None:
        first, second, third, fourth = self._counted(), self._not_counted(), self._not_counted(), self._counted()
        if first and second and third and fourth:
            self._took.append(((first + fourth) / 2, (second + third) / 2))

    def _counted(self) -> float:
        return self._turn(_PLAIN, _CLOCK)

    def _not_counted(self) -> float:
        # Returns 0.0 at once.
        return self._turn(_pass_over, float)

    def _turn(self, what: Callable[..., None], clock: Callable[[], float]) -> float:
        """The CPU time of a statement in microseconds; 0 if there were too few."""
        with (
            patch.object(Ledger, "count", what),
            patch.object(proxy.session.client, "perf_counter", clock),
            patch.object(proxy.session.running.sending, "perf_counter", clock),
        ):
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
