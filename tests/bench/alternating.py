"""`python -m tests.bench.alternating`: a proxy that counts and times statements, or does not.

It takes turns, ten in a second, all in one process: what else the machine does hits both alike. At its end it writes a
line that begins with MARK, and has the CPU time of a statement in microseconds, counted and not counted, the medians
of the turns, and how many turns there were.
"""

import atexit
import sys
import threading
import time
from collections.abc import Callable
from statistics import median
from typing import Any, Final
from unittest.mock import patch

import proxy.session.client
import proxy.session.running.sending
import proxy.session.shared.counting
from proxy.__main__ import app

MARK: Final = "counted and not counted:"
_TURN: Final = 0.1
_FEWEST: Final = 200  # in a turn with fewer the proxy's other work would show
_PLAIN: Final = proxy.session.shared.counting.Ledger.count
_CLOCK: Final = time.perf_counter


class Turns:
    """Changes what is done for each statement, and keeps what one took."""

    def __init__(self) -> None:
        self._statements = 0
        self._took: tuple[list[float], list[float]] = [], []

    def run(self) -> None:
        """For ever."""

        # The call in between is more than there is otherwise.
        def count(*arguments: Any) -> None:
            self._statements += 1
            _PLAIN(*arguments)

        def pass_over(*_: Any) -> None:
            self._statements += 1

        while True:
            self._turn(self._took[0], count, _CLOCK)
            # Returns 0.0 at once.
            self._turn(self._took[1], pass_over, float)

    def _turn(self, took: list[float], what: Callable[..., None], clock: Callable[[], float]) -> None:
        with (
            patch.object(proxy.session.shared.counting.Ledger, "count", what),
            patch.object(proxy.session.client, "perf_counter", clock),
            patch.object(proxy.session.running.sending, "perf_counter", clock),
        ):
            begin, before = time.process_time(), self._statements
            time.sleep(_TURN)
            spent, statements = time.process_time() - begin, self._statements - before
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
