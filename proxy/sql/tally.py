"""What is counted of one digest: plain attributes, so that counting costs no look-up."""

from bisect import bisect_left
from typing import Final

# Upper ends of the buckets, in seconds; one more is for all that took longer.
BOUNDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Histogram:
    """How long things took: `counts` by bucket of BOUNDS, and the sum in seconds."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def add_one(self, seconds: float) -> None:
        """Something took so long."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def add(self, other: "Histogram") -> None:
        """Count what `other` counted, too."""
        self.counts = [own + more for own, more in zip(self.counts, other.counts, strict=True)]
        self.seconds += other.seconds

    @property
    def total(self) -> int:
        """How many things were measured."""
        return sum(self.counts)

    def quantile(self, share: float) -> float:
        """The upper end of the bucket, in seconds, below which `share` of all things stayed; 0 if there were none.

        For those beyond the last bound it is that bound.
        """
        wanted, seen = share * self.total, 0
        for count, bound in zip(self.counts, BOUNDS, strict=False):
            seen += count
            if seen and seen >= wanted:
                return bound
        return BOUNDS[-1] if self.total else 0.0


class Tally:
    """How often statements of one digest ran, and where.

    `key` is the cache's key for the digest, empty for all texts that are not remembered. `primary` is how many ran
    there, `errors` how many failed; `seen` is the time of the last execution in seconds since 1970, `reason` why it
    went where it did. `rows` are those that they gave, `affected` those that they changed.
    `served` is the time that servers took, for each of them; `example` a text that ran, where such are kept.
    """

    __slots__ = ("affected", "errors", "example", "key", "primary", "reason", "rows", "seen", "served")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.primary = 0
        self.errors = 0
        self.rows = 0
        self.affected = 0
        self.seen = 0.0
        self.reason = ""
        self.served = Histogram()
        self.example = ""

    @property
    def ran(self) -> int:
        """How many ran."""
        return self.served.total

    @property
    def replicas(self) -> int:
        """How many of them ran on replicas."""
        return self.ran - self.primary


UNREMEMBERED: Final = Tally(b"")
