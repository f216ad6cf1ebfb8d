"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable

DEADLINE = 60.0


def wait_until(condition: Callable[[], bool], what: str, detail: Callable[[], str] = lambda: "") -> None:
    """Poll until `condition()` holds; fails with `what` was waited for and the `detail` at the end."""
    until = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"waited {DEADLINE:g} s in vain until {what}\n{detail()}")
        time.sleep(0.02)
