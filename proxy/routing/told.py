"""What a server connection has of the session that it served last, and what the next one has to add. Pure."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Fit(IntEnum):
    """How far a connection is from what a session needs; more is nearer."""

    UNFIT = 0  # it has something that only a new login takes off
    RESET = 1  # a reset, and then everything has to be told
    TELL = 2  # some settings have to be told
    SAME = 3  # nothing to do


# What is set by one name, and how, in the order in which it was set.
Settings = tuple[tuple[str, object], ...]
# The settings under which are kept: the default schema, the roles, and those with which the schema was chosen if they
# are others by now.
USE: Final = "use"
ROLE: Final = "role"
ROLE_OF_SCHEMA: Final = "role of the schema"


@dataclass(frozen=True, slots=True)
class Told:
    """`settings` are all that were set on the connection, None when that is not known. `lasting` are the names of those
    that a reset leaves. `reset` says that it was reset since its login, `bare` that there are no user variables and no
    statements prepared as text. `insert_id` is what LAST_INSERT_ID() gives there, None when that is not known.
    """

    settings: Settings | None = ()
    lasting: frozenset[str] = frozenset()
    bare: bool = True
    reset: bool = False
    insert_id: int | None = 0


def fit(told: Told, wanted: Settings, resettable: bool) -> Fit:
    """How far a connection is from a session with the settings `wanted`; `resettable` tells whether a reset helps."""
    first = _NOT_BY_TELLING
    if told.bare and told.settings is not None:
        if told.settings == wanted:
            return Fit.SAME
        first = told_first(told.settings, wanted)
    if first <= 0 and _chooses_with_roles(told, wanted):
        return Fit.UNFIT
    if first >= 0:
        return Fit.TELL
    return Fit.RESET if resettable and told.lasting <= {name for name, _ in wanted} else Fit.UNFIT


def _chooses_with_roles(told: Told, wanted: Settings) -> bool:
    """Whether the default schema would be chosen with another session's roles, and those may not do that."""
    if ROLE not in told.lasting:
        return False
    names = [name for name, _ in wanted]
    return USE in names and {ROLE, ROLE_OF_SCHEMA}.isdisjoint(names[: names.index(USE)])


def told_first(told: Settings, wanted: Settings) -> int:
    """How many of `wanted` a connection has, so that telling it the others makes it equal; -1 when it does not.

    Settings that both have in another order or with another value are told again.
    """
    if wanted[: len(told)] == told:
        return len(told)
    return 0 if {name for name, _ in told} <= {name for name, _ in wanted} else _NOT_BY_TELLING


_NOT_BY_TELLING: Final = -1
