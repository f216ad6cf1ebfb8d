"""Which replicas have everything that was written through this proxy.

Each acknowledged write gets the next number. A replica is fresh when it is confirmed up to the last number: it was seen
to have applied a position that the primary reported after that write had been acknowledged.
"""


class Freshness:
    """The count of writes, and up to which of them each replica (by name) is known to be."""

    def __init__(self) -> None:
        self.written = 0
        self._confirmed: dict[str, int] = {}

    def note_write(self) -> None:
        """A write was acknowledged, or is about to be."""
        self.written += 1

    def confirm(self, replica: str, written: int) -> None:
        """`replica` has all writes up to number `written`."""
        self._confirmed[replica] = max(written, self._confirmed.get(replica, -1))

    def forget(self, replica: str) -> None:
        """Nothing is known of `replica` any more: it was replaced, or came back from being away."""
        self._confirmed.pop(replica, None)

    def fresh(self, replica: str) -> bool:
        """Whether a read on `replica` sees every acknowledged write."""
        return self._confirmed.get(replica, -1) >= self.written

    def behind(self, replicas: tuple[str, ...]) -> bool:
        """Whether any of these replicas is not fresh."""
        return not all(self.fresh(name) for name in replicas)
