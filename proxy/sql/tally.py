"""What is counted of one digest: plain attributes, so that counting costs no look-up."""

from typing import Final


class Tally:
    """How often statements of one digest ran, and where.

    `key` is the cache's key for the digest, empty for all texts that are not remembered. `primary`, `replicas` and
    `errors` are counts, `seen` is the time of the last execution in seconds since 1970, `reason` why it went there.
    """

    __slots__ = ("errors", "key", "primary", "reason", "replicas", "seen")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.primary = 0
        self.replicas = 0
        self.errors = 0
        self.seen = 0.0
        self.reason = ""


UNREMEMBERED: Final = Tally(b"")
