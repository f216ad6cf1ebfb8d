"""KILLs that are under way to the threads of one session."""

from proxy.session.request import Request


class Sentence:
    """`condemned` is set while one is of the session itself, not of its statement only.

    As long as there are any, no thread of the session may become another's.
    """

    def __init__(self) -> None:
        self.condemned = False
        self._kills = 0
        self._waiting: Request | None = None

    @property
    def any(self) -> bool:
        """Whether a KILL is under way."""
        return self._kills > 0

    def passed(self, waiting: Request | None, *, connection: bool) -> None:
        """A KILL was sent; `waiting` is the request that runs nowhere yet, because it waits for a fresh replica."""
        self._kills += 1
        self.condemned |= connection
        self._waiting = waiting

    def lifted(self, waiting: Request | None, *, struck: bool) -> bool:
        """It is over. Whether `waiting`, the request that waits now, is the one that a server has struck in vain."""
        self._kills -= 1
        self.condemned = False
        meant, self._waiting = self._waiting, None
        return struck and meant is not None and meant is waiting
