"""Which replicas have what was written through this proxy, as far as a read depends on it.

Each acknowledged write gets the next number. A replica is fresh when it is confirmed up to the last number: it was seen
to have applied a position that the primary reported after that write had been acknowledged. Until then it covers the
reads whose tables were last written before. That is known only of ordinary tables, where a write to one shows in no
other; anything else counts for all.
"""

import bisect
import functools
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from topology.gtid import covers
from topology.servers import Vendor

# (schema, table), the schema empty for the default one. Once resolved: both in lower case, the schema never empty.
Table: TypeAlias = tuple[str, str]
# None: any table may be meant.
Tables: TypeAlias = frozenset[Table] | None

# So many tables are told apart; which of those written longest ago was written when is forgotten.
_MOST_TABLES: Final = 10_000
# The same statements come again and again.
_MOST_RESOLVED: Final = 4096
# So many of the primary's last positions are kept.
_MOST_POSITIONS: Final = 100
# A number that every replica has.
NOTHING: Final = -1


@functools.lru_cache(_MOST_RESOLVED)
def resolved(tables: Tables, schema: str) -> Tables:
    """The tables by their full names, compared as a server does that takes no notice of case."""
    if tables is None:
        return None
    full = frozenset(((of or schema).lower(), name.lower()) for of, name in tables)
    # What other letters are equal depends on the server.
    return full if all(of and of.isascii() and name.isascii() for of, name in full) else None


def _holds(position: str, token: str) -> bool:
    mysql = ":" in position
    return mysql == (":" in token) and covers(Vendor.MYSQL if mysql else Vendor.MARIADB, position, token)


class Audience(Protocol):
    """Who is told what was learnt of servers: numbers and definitions are those of the `Freshness` that tells."""

    def confirmed(self, replica: str, number: int) -> None:
        """As `Freshness.confirm`."""

    def located(self, number: int, position: str) -> None:
        """As `Freshness.locate`."""

    def learnt(self, ordinary: frozenset[Table] | None, definitions: int) -> None:
        """As `Freshness.learn`, when it was believed."""


class Freshness:
    """The numbers of the last writes, and up to which of them each replica (by name) is known to be.

    `number` is the last that was given, `written` that of the last write, and `writes` counts these. `definitions`
    counts what may have changed the tables' definitions. `wanted` is called when a replica is to be confirmed up to
    `number` without delay. `others` notes what other processes have written since it was called last.
    """

    def __init__(self, wanted: Callable[[], None] = lambda: None, others: Callable[[], None] | None = None) -> None:
        self.audience: Audience | None = None
        self._others = others
        self.number = 0
        self.written = 0
        self.writes = 0
        self.definitions = 0
        self._positions: list[tuple[int, str]] = []
        self._wanted = wanted
        self._waiters: dict[Callable[[], object], int] = {}
        self._confirmed: dict[str, int] = {}
        self._defining = 0
        self._ordinary: frozenset[Table] | None = None
        # The table written longest ago comes first.
        self._by_table: dict[Table, int] = {}
        self._elsewhere = 0

    def note_write(self, tables: Tables = None, *, defines: bool = False) -> None:
        """A write to `tables` (resolved) was acknowledged, or is about to be. `defines`: it may have been DDL."""
        self.writes += 1
        self.note_elsewhere(tables, defines=defines)

    def note_elsewhere(self, tables: Tables, *, defines: bool) -> None:
        """The same of a write that another process has counted."""
        self.number += 1
        self.written = self.number
        if defines:
            self._forget_definitions()
        if tables is None or self._ordinary is None or not tables <= self._ordinary:
            self._elsewhere = self.written
            return
        for table in tables:
            self._by_table.pop(table, None)
            self._by_table[table] = self.written
        while len(self._by_table) > _MOST_TABLES:
            oldest = next(iter(self._by_table))
            self._elsewhere = max(self._elsewhere, self._by_table.pop(oldest))

    def catch_up(self) -> None:
        """What other processes have had acknowledged until now counts for the reads that come from now on."""
        if self._others is not None:
            self._others()

    def mark(self) -> int:
        """A number as if there were a write: who is confirmed up to it has all that the primary has acknowledged.

        Also what was written past the proxy.
        """
        self.number += 1
        self._wanted()
        return self.number

    def begin_definition(self) -> None:
        """A statement that may be DDL is on its way: the tables may be others before its reply is here."""
        self._defining += 1
        self._forget_definitions()

    def end_definition(self) -> None:
        """It is over, and noted as a write that defines."""
        self._defining -= 1

    def _forget_definitions(self) -> None:
        self.definitions += 1
        self._ordinary = None

    def learn(self, ordinary: frozenset[Table] | None, definitions: int) -> None:
        """`ordinary` are the tables (resolved) that are such, asked for when `definitions` were counted; None: unknown.

        What was written before may have been more than it seemed if they are others now.
        """
        if self._defining or definitions != self.definitions or ordinary == self._ordinary:
            return
        self._ordinary = ordinary
        self._elsewhere = self.written
        if self.audience is not None:
            self.audience.learnt(ordinary, definitions)

    def confirm(self, replica: str, written: int) -> None:
        """`replica` has all writes up to number `written`."""
        self._confirmed[replica] = max(written, self._confirmed.get(replica, NOTHING))
        for wake in [wake for wake, number in self._waiters.items() if number <= written]:
            del self._waiters[wake]
            wake()
        if self.audience is not None:
            self.audience.confirmed(replica, written)

    def locate(self, number: int, position: str) -> None:
        """The primary has told its GTID position after number `number` was given; empty when it keeps none."""
        self._positions.append((number, position))
        del self._positions[:-_MOST_POSITIONS]
        if self.audience is not None:
            self.audience.located(number, position)

    def position_after(self, number: int) -> str | None:
        """A position of the primary that holds everything up to `number`; None when it was not asked since then."""
        at = bisect.bisect_left(self._positions, (number, ""))
        return self._positions[at][1] if at < len(self._positions) else None

    def number_of(self, token: str) -> int:
        """A number up to which everything is where `token` is: a position, or a part of one.

        If the primary is not known to have it, that is a mark: who is confirmed up to it has it, if the primary has.
        """
        at = bisect.bisect_left(self._positions, True, key=lambda known: _holds(known[1], token))
        return self._positions[at][0] if at < len(self._positions) else self.mark()

    def restart(self) -> None:
        """Another server is the primary: no replica is known to have what it has, and its positions are others."""
        self.number += 1
        self.written = self._elsewhere = self.number
        self._by_table.clear()
        self._positions.clear()
        self._confirmed.clear()
        self._forget_definitions()
        self._wanted()

    def wait(self, number: int, wake: Callable[[], object]) -> None:
        """Call `wake` once a replica is confirmed up to `number`, unless it is forgotten before."""
        self._waiters[wake] = number
        self._wanted()

    def wait_no_more(self, wake: Callable[[], object]) -> None:
        """Forget it. Safe to call twice."""
        self._waiters.pop(wake, None)

    @property
    def ordinary(self) -> frozenset[Table] | None:
        """The tables that are known to be ordinary; None while that is not known of any."""
        return self._ordinary

    @property
    def waiters(self) -> int:
        """How many wait."""
        return len(self._waiters)

    def forget(self, replica: str) -> None:
        """Nothing is known of `replica` any more: it was replaced, or came back from being away."""
        self._confirmed.pop(replica, None)

    def fresh(self, replica: str) -> bool:
        """Whether any read on `replica` sees every acknowledged write."""
        return self._confirmed.get(replica, NOTHING) >= self.written

    def has(self, replica: str, number: int) -> bool:
        """Whether `replica` is confirmed up to `number`."""
        return self._confirmed.get(replica, NOTHING) >= number

    def needed(self, reads: Tables, schema: str) -> int:
        """The number of the last write that a read of `reads`, with the default schema `schema`, depends on.

        A read of no table may depend on anything.
        """
        return self._last_write(resolved(reads, schema)) if reads else self.written

    def covers(self, replica: str, reads: Tables, schema: str) -> bool:
        """Whether a read of `reads`, with the default schema `schema`, sees on `replica` every acknowledged write."""
        return self.fresh(replica) or self.has(replica, self.needed(reads, schema))

    def _last_write(self, tables: Tables) -> int:
        if tables is None or self._ordinary is None or not tables <= self._ordinary:
            return self.written
        return max(self._elsewhere, *(self._by_table.get(table, 0) for table in tables))
