"""The facts about one statement that routing needs."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, TypeAlias

from proxy.sql.effects import Effect
from proxy.sql.hints import NO_HINT, Hint
from proxy.sql.tally import UNREMEMBERED, Tally

# Schemas whose tables tell about the server that is asked.
SERVER_SCHEMAS: Final = frozenset({"mysql", "performance_schema", "sys"})

# The reason of a statement that asks for the insert id beside what else there is to know of the one before it.
INSERT_ID: Final = "diagnostic-with-insert-id"

# (schema, table) as written, the schema empty for the default one.
Table: TypeAlias = tuple[str, str]
# None: any table may be meant.
Tables: TypeAlias = frozenset[Table] | None
NO_TABLES: Final[frozenset[Table]] = frozenset()
# Names in lower case; None: any variable may be meant.
Variables: TypeAlias = frozenset[str] | None
NO_VARIABLES: Final[frozenset[str]] = frozenset()


class Kind(IntEnum):
    """What a statement does, as far as its route is concerned."""

    READ = 0  # a plain read: any server that is up to date may answer
    PRIMARY = 1  # everything that writes, locks, or is not known to be a plain read
    SESSION = 2  # sets session state that can be repeated on another connection
    DIAGNOSTIC = 3  # asks about the statement before it: goes where that one went
    TRANSACTION = 4  # BEGIN, COMMIT, ROLLBACK, SAVEPOINT: writes nothing that was not counted already
    OWN = 5  # EXPLAIN ROUTE, SHOW PROXY: no server knows these, the proxy answers


# The same for people.
KINDS: Final = (
    "a plain read",
    "for the primary",
    "a setting of the session",
    "about the statement before",
    "a transaction's",
    "answered by the proxy",
)

# Names of their own because Python 3.11 takes 0.1 us to look a member up through its class, several times per command.
READ: Final = Kind.READ
PRIMARY: Final = Kind.PRIMARY
SESSION: Final = Kind.SESSION
DIAGNOSTIC: Final = Kind.DIAGNOSTIC
TRANSACTION: Final = Kind.TRANSACTION
OWN: Final = Kind.OWN


@dataclass(frozen=True, slots=True)
class Statement:
    """One classified text.

    `reason` is a stable code: `read`, or why the statement is not one. `effects` are what it changes in the session, in
    order. `writes` tells whether data may have changed once it was answered, and `written` in which tables; `defines`
    that tables, triggers or views may be others then. `reads` are the tables that a read, or queries in a write, depend
    on, and `variables` the user variables that the statement asks for. `asks` is what it asks about the statement
    before (`proxy.sql.questions`), and `keeps_found_rows` tells that FOUND_ROWS() is the same behind it; the same tells
    `keeps_warnings` of warnings, None if it depends on what it runs (`proxy.sql.keptwarnings`). `tally` counts the
    executions of its digest; statements are equal without regard to it.
    """

    kind: Kind
    reason: str
    effects: tuple[Effect, ...] = ()
    writes: bool = False
    reads: Tables = NO_TABLES
    written: Tables = NO_TABLES
    defines: bool = False
    variables: Variables = NO_VARIABLES
    hint: Hint = NO_HINT
    asks: int = 0
    keeps_found_rows: bool = False
    keeps_warnings: bool | None = None
    tally: Tally = field(default=UNREMEMBERED, compare=False, repr=False)


def primary(
    reason: str,
    *effects: Effect,
    writes: bool = True,
    written: Tables = None,
    variables: Variables = NO_VARIABLES,
    defines: bool | None = None,
    reads: Tables = NO_TABLES,
) -> Statement:
    """A statement for the primary. Where it is not told where it writes, it may define tables, unless that is said."""
    if not writes:
        return Statement(Kind.PRIMARY, reason, effects, variables=variables)
    return Statement(
        Kind.PRIMARY,
        reason,
        effects,
        writes=True,
        reads=reads,
        written=written,
        defines=written is None if defines is None else defines,
        variables=variables,
    )


def touched(statement: Statement) -> Tables:
    """Where a write may show, as long as all of these are ordinary tables.

    A view in one of its queries can call what writes elsewhere.
    """
    return None if statement.written is None or statement.reads is None else statement.written | statement.reads
