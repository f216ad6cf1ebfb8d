"""Which digests servers spend most time on."""

import heapq
import time
from collections.abc import Callable
from typing import Final

from proxy.admin.shows import merged
from proxy.admin.views import DigestView
from proxy.sql.tally import Tally

MOST_DIGESTS: Final = 20
_RANKING_SECONDS: Final = 5.0


class Heaviest:
    """Those of one process, of its `tallies`; which ones these are is looked up every few seconds at most.

    Among 10,000 that takes 10 ms.
    """

    def __init__(self, tallies: Callable[[], list[Tally]]) -> None:
        self._tallies = tallies
        self._found: list[Tally] = []
        self._until = 0.0

    def views(self) -> list[DigestView]:
        """They, with what is counted of them by now."""
        now = time.monotonic()
        if now >= self._until:
            self._found, self._until = self._look(), now + _RANKING_SECONDS
        return merged(self._found)

    def _look(self) -> list[Tally]:
        ran = heapq.nlargest(MOST_DIGESTS, self._tallies(), key=lambda tally: tally.served.seconds)
        return [tally for tally in ran if tally.ran]
