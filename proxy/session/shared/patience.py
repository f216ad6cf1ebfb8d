"""A read's wait for a replica that has what it must see."""

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass

from topology.freshness import Freshness


@dataclass(slots=True)
class Waits:
    """How many waits there were in the whole process, and how many were in vain."""

    begun: int = 0
    in_vain: int = 0


class Patience:
    """One session's, one wait at a time."""

    def __init__(self, freshness: Freshness, waits: Waits) -> None:
        self._freshness = freshness
        self._waits = waits
        self._wake: Callable[[], object] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def under_way(self) -> bool:
        """Whether something waits."""
        return self._timer is not None

    def begin(self, number: int, seconds: float, over: Callable[[bool], None]) -> None:
        """Call `over`, never at once, when a replica is confirmed up to `number`, or with False after `seconds`."""
        loop = asyncio.get_running_loop()
        self._waits.begun += 1
        # The monitor's loop must not be held up, nor ended, by what a session does.
        self._wake = wake = functools.partial(loop.call_soon, self._over, over, True)
        self._timer = loop.call_later(seconds, self._over, over, False)
        self._freshness.wait(number, wake)

    def end(self) -> None:
        """Give it up. Safe to call twice."""
        if self._wake is not None and self._timer is not None:
            self._freshness.wait_no_more(self._wake)
            self._timer.cancel()
            self._wake = self._timer = None

    def _over(self, over: Callable[[bool], None], kept: bool) -> None:
        if self._timer is None:
            return
        self.end()
        self._waits.in_vain += not kept
        over(kept)
