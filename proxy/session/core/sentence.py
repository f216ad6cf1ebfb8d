"""KILLs that are under way to the threads of one session."""

from proxy.session.core.request import Request


class Sentence:
    """As long as there are any, no thread of the session may become another's.

    Several can be: one that is refused does not undo another.
    """

    def __init__(self) -> None:
        self._kills = 0
        self._of_connection = 0
        self._waiting: Request | None = None

    @property
    def any(self) -> bool:
        """Whether a KILL is under way."""
        return self._kills > 0

    @property
    def condemned(self) -> bool:
        """Whether one of them is of the session itself, and not of its statement only."""
        return self._of_connection > 0

    def passed(self, waiting: Request | None, *, connection: bool) -> None:
        """A KILL was sent; `waiting` is the request that runs nowhere yet, because it waits for a fresh replica."""
        self._kills += 1
        self._of_connection += connection
        self._waiting = waiting

    def lifted(self, waiting: Request | None, *, struck: bool, connection: bool) -> bool:
        """It is over. Whether `waiting`, the request that waits now, is the one that a server has struck in vain."""
        self._kills -= 1
        self._of_connection -= connection
        meant, self._waiting = self._waiting, None
        return struck and meant is not None and meant is waiting
