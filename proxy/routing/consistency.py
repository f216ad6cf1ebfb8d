"""What the reads of one session must see, in numbers of writes as `topology.freshness` counts them."""

from typing import Final

from proxy.sql.statement import Tables
from topology.consistency import Level
from topology.freshness import NOTHING, Freshness

EVENTUAL: Final = Level.EVENTUAL
GLOBAL: Final = Level.GLOBAL
MONOTONIC: Final = Level.MONOTONIC
STRICT: Final = Level.STRICT
# Who sets this user variable has chosen the level of the session.
CHOICE: Final = "manyreads_consistency"
_CHOICES: Final = {f"'{level}'": level for level in Level}


def chosen(value: str) -> Level | None:
    """The level that a value of `CHOICE`, as SQL, stands for; None if it is none."""
    return _CHOICES.get(value.replace('"', "'").lower())


class Consistency:
    """One session's.

    `level` holds where neither a hint, a rule nor the session says another. `own` is the number of the session's last
    write. `follows` says that it is kept in mind where the session reads; `last` is the replica that has all that it
    has seen, empty when that is not one server.
    """

    __slots__ = ("_chosen", "_floor", "_freshness", "follows", "last", "level", "own")

    def __init__(self, level: Level, freshness: Freshness) -> None:
        self.level = level
        self.own = NOTHING
        self.follows = level is MONOTONIC
        self.last = ""
        self._chosen = ""
        self._floor = NOTHING
        self._freshness = freshness

    def need(self, level: Level, reads: Tables, schema: str) -> int:
        """The number up to which a replica must have everything for a read of `reads` that has just come.

        `schema` is its default one. At the level MONOTONIC that is what the replica `last` must have; see `leave`.
        """
        if level is EVENTUAL:
            return NOTHING
        if level is STRICT:
            return self._freshness.mark()
        if level is MONOTONIC:
            self._follow()
        if level is not GLOBAL and self.own == NOTHING:
            return NOTHING
        needed = self._freshness.needed(reads, schema)
        return needed if level is GLOBAL else min(self.own, needed)

    def _follow(self) -> None:
        if not self.follows:
            self.follows = True
            self._floor = self._freshness.mark()

    def leave(self) -> int:
        """What another replica than `last` must have."""
        if self.last:
            self.last = ""
            self._floor = self._freshness.mark()
        return self._floor

    def choose(self, replica: str) -> None:
        """A read was given to `replica`, which has all that the session has seen."""
        self._chosen = replica

    def read_at(self, server: str) -> None:
        """The session has seen an answer of `server`."""
        if server == self.last:
            return
        if server == self._chosen:
            self.last = server
        else:
            self.last = ""
            self._floor = self._freshness.mark()
        self._chosen = ""
