"""What is counted while statements run: plain attributes, so that counting costs no look-up."""

from typing import Final

from proxy.sql.tally import Histogram

# The proxy's own time is measured for one statement in so many at least.
OWN_TIME_SHARE: Final = 256


class Traffic:
    """What one server was given: statements, of which `others` are no reads and `errors` failed with one of `errnos`,
    and bytes both ways.

    `served` is the time from each statement's last byte to its reply's, `queued` that before it for those that had to
    wait for a replica or a connection, `own` the proxy's own time for one statement in OWN_TIME_SHARE at least.
    `at_work` counts the commands that its connections wait for the replies to.
    """

    __slots__ = ("at_work", "errnos", "errors", "others", "own", "queued", "received", "sent", "served")

    def __init__(self) -> None:
        self.at_work = 0
        self.others = 0
        self.errors = 0
        self.errnos: dict[int, int] = {}
        self.sent = 0
        self.received = 0
        self.served = Histogram()
        self.queued = Histogram()
        self.own = Histogram()

    @property
    def reads(self) -> int:
        """How many of the statements are reads."""
        return self.served.total - self.others


class Volume:
    """Bytes of the commands of all clients and of what they were answered, after their logins: packets, before they are
    compressed or encrypted."""

    __slots__ = ("received", "sent")

    def __init__(self) -> None:
        self.received = 0
        self.sent = 0


class Usage:
    """How many statements of one user ran where, and how many failed."""

    __slots__ = ("errors", "primary", "replicas")

    def __init__(self) -> None:
        self.primary = 0
        self.replicas = 0
        self.errors = 0
