"""`python -m tests.bench.uncounted`: a proxy that counts and times no statement, to see what that costs."""

from typing import Any

import proxy.session.client
import proxy.session.counting
import proxy.session.sending
from proxy.__main__ import app


def _nothing(*_: Any) -> None:
    """Where a statement would be counted."""


if __name__ == "__main__":
    proxy.session.counting.Ledger.count = _nothing  # type: ignore[method-assign,assignment]  # for the whole process
    for module in (proxy.session.client, proxy.session.sending):
        # Returns 0.0 at once, and does not look at the clock.
        module.perf_counter = float  # type: ignore[attr-defined]  # imported there
    app()
