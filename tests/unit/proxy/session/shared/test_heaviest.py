"""Which digests the dashboard shows."""

import pytest

from proxy.session.shared import heaviest as ranking
from proxy.session.shared.heaviest import MOST_DIGESTS, Heaviest
from proxy.sql.lexer import digest
from proxy.sql.tally import Tally


class Cache:
    """A number of digests, each with another sum of time."""

    def __init__(self, count: int) -> None:
        self.looks = 0
        self.made = [self._tally(number) for number in range(count)]

    def _tally(self, number: int) -> Tally:
        made = Tally(digest(b"SELECT column_%d FROM t" % number))
        made.served.counts[0], made.served.seconds = 1, float(number)
        return made

    def tallies(self) -> list[Tally]:
        self.looks += 1
        return self.made


def heaviest(cache: Cache) -> Heaviest:
    return Heaviest(cache.tallies)


def test_those_that_took_most_time_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(100)
    cache.made[99].served.counts[0] = 0
    found = heaviest(cache)
    times = [view.served.seconds for view in found.views()]
    # The one that never ran was among the first.
    assert times == [float(number) for number in range(98, 99 - MOST_DIGESTS, -1)]
    cache.made[98].served.counts[0] = 7
    assert found.views()[0].replicas == 7
    assert cache.looks == 1
    monkeypatch.setattr(ranking, "_RANKING_SECONDS", 0.0)
    again = heaviest(cache)
    again.views()
    again.views()
    assert cache.looks == 3
