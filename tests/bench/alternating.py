"""`python -m tests.bench.alternating`: a proxy that counts and times statements, or does not.

It takes turns, ten in a second, all in one process: what else the machine does hits both alike. At its end it writes a
line that begins with MARK, and has the CPU time of a statement in microseconds, counted and not counted, the medians
of the turns, and how many turns there were.
"""

import atexit
import gc
import sys
import threading
import time
from collections.abc import Callable
from statistics import median
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
_TURN: Final = 0.1
_FEWEST: Final = 200  # in a turn with fewer the proxy's other work would show
_PLAIN: Final = Ledger.count
_CLOCK: Final = time.perf_counter


def _pass_over(ledger: Ledger, request: Request, link: BackendConnection, exchange: Exchange, primary: bool) -> None:
    """In place of `Ledger.count`."""


def _statements() -> int:
    """How many the clients that are there have sent."""
    return sum(each.statements for each in gc.get_objects() if type(each) is ClientSession)


class Turns:
    """Changes what is done for each statement, and keeps what one took.

    What is counted is the proxy as it is. Where it is not, three calls are left that do nothing.
    """

    def __init__(self) -> None:
        self._took: tuple[list[float], list[float]] = [], []

    def run(self) -> None:
        """For ever."""
        while True:
            self._turn(self._took[0], _PLAIN, _CLOCK)
            # Returns 0.0 at once.
            self._turn(self._took[1], _pass_over, float)

    def _turn(self, took: list[float], what: Callable[..., None], clock: Callable[[], float]) -> None:
        with (
            patch.object(Ledger, "count", what),
            patch.object(proxy.session.client, "perf_counter", clock),
            patch.object(proxy.session.running.sending, "perf_counter", clock),
        ):
            before, begin = _statements(), time.process_time()
            time.sleep(_TURN)
            spent, statements = time.process_time() - begin, _statements() - before
        if statements >= _FEWEST:
            took.append(spent / statements * 1e6)

    def tell(self) -> None:
        """Write the figures."""
        counted, not_counted = map(median, self._took)
        print(MARK, f"{counted:.3f} {not_counted:.3f} {len(self._took[0])}", file=sys.stderr)


if __name__ == "__main__":
    turns = Turns()
    atexit.register(turns.tell)
    threading.Thread(target=turns.run, daemon=True).start()
    app()
