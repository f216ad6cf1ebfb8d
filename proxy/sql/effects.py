"""What a statement changes in the session that ran it, beyond data: small facts, in the order of the text.

They hold no literals except where the literal is the fact (a setting's value, a lock's name, a prepared text).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from proxy.sql.statement import Statement

# Of all names: `Unpin("named-lock", EVERY)`.
EVERY: Final = "*"
# A name that the text does not tell, such as that of a lock given as a parameter.
UNTOLD: Final = ""


@dataclass(frozen=True, slots=True)
class SetVariable:
    """A session variable got a value: as SQL of plain ASCII, `DEFAULT` included; empty when the text does not tell."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class SetNames:
    """SET NAMES or SET CHARACTER SET (`connection` False, which leaves character_set_connection to the schema's)."""

    charset: str
    collation: str = ""
    connection: bool = True


@dataclass(frozen=True, slots=True)
class SetRole:
    """SET ROLE, with what follows it."""

    roles: str


@dataclass(frozen=True, slots=True)
class SetUserVariable:
    """A user variable may have got a value; `value` as in SetVariable, `name` in lower case, or UNTOLD."""

    name: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class SetTransaction:
    """Characteristics of the session's transactions, or of the next one only. Empty or None: not said."""

    session: bool
    isolation: str = ""
    read_only: bool | None = None


@dataclass(frozen=True, slots=True)
class UseSchema:
    """The default schema changed."""

    name: str


@dataclass(frozen=True, slots=True)
class DropSchema:
    """A schema was dropped: if it was the default one, there is none now."""

    name: str


@dataclass(frozen=True, slots=True)
class Begin:
    """A transaction began, after a commit of the one before. `read_only` is None when the statement does not say."""

    read_only: bool | None = None
    snapshot: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """COMMIT or ROLLBACK of the whole transaction; with `release` the server closes the connection then.

    With `keep` it does not, whatever the session's completion_type is.
    """

    chain: bool = False
    release: bool = False
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Pin:
    """The connection holds something that no other can have, and that reads may depend on.

    `table` is (schema, name) of a temporary table, the schema empty for the default one; `name` that of anything else.
    """

    reason: str
    name: str = ""
    table: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Unpin:
    """What an equal Pin began is over; with EVERY as its name all of that reason are."""

    reason: str
    name: str = ""
    table: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Hold:
    """The connection may hold something that no other can have, but nothing that a plain read depends on."""

    reason: str


@dataclass(frozen=True, slots=True)
class Renamed:
    """A table was renamed; were it a temporary one, its new name is not followed."""

    table: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Prepare:
    """PREPARE as text; `statement` is what the text is, None when it cannot be prepared again: it is not a literal, or
    one of several statements, whose text does more. `textless` is an expression without a string or a variable, which
    holds no statement that could have columns."""

    name: str
    statement: "Statement | None"
    textless: bool = False


@dataclass(frozen=True, slots=True)
class Execute:
    """EXECUTE of what was prepared under `name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Deallocate:
    """DEALLOCATE PREPARE."""

    name: str


Effect: TypeAlias = (
    SetVariable
    | SetNames
    | SetRole
    | SetUserVariable
    | SetTransaction
    | UseSchema
    | DropSchema
    | Begin
    | End
    | Pin
    | Unpin
    | Hold
    | Renamed
    | Prepare
    | Execute
    | Deallocate
)
