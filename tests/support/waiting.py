"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable

DEADLINE = 60.0
# How often it is looked, in seconds: what takes long is not made longer by looking at it all the time.
_AT_FIRST, _FOR, _LATER = 0.02, 2.0, 0.1


def wait_until(condition: Callable[[], bool], what: str, detail: Callable[[], str] = lambda: "") -> None:
    """Poll until `condition()` holds; fails with `what` was waited for and the `detail` at the end."""
    began = time.monotonic()
    while not condition():
        waited = time.monotonic() - began
        if waited > DEADLINE:
            raise AssertionError(f"waited {DEADLINE:g} s in vain until {what}\n{detail()}")
        time.sleep(_AT_FIRST if waited < _FOR else _LATER)


def settled(value: Callable[[], int]) -> int:
    """`value` once it was the same at twenty looks in a row."""
    looks: list[int] = []

    def same() -> bool:
        looks.append(value())
        return len(looks) >= 20 and len(set(looks[-20:])) == 1

    wait_until(same, "a value does not change any more", lambda: str(looks[-20:]))
    return looks[-1]
