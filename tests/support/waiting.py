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


def settled(value: Callable[[], int]) -> int:
    """`value` once it was the same at twenty looks in a row."""
    looks: list[int] = []

    def same() -> bool:
        looks.append(value())
        return len(looks) >= 20 and len(set(looks[-20:])) == 1

    wait_until(same, "a value does not change any more", lambda: str(looks[-20:]))
    return looks[-1]
