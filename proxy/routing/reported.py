"""What a server reports of a session's state, beside what the texts of its statements tell. Pure."""

import re
from collections.abc import Iterable
from typing import Final

from proxy.sql import effects as e
from proxy.wire.sessiontrack import SessionTrack

# What is asked for, and believed: nothing that is meant for one connection only. Both vendors know each of these. MySQL
# reports a statement's id with each of them when it is asked for all.
TRACKED: Final = (
    *("time_zone", "autocommit", "character_set_client", "character_set_results", "character_set_connection"),
    *("collation_connection", "sql_mode", "sql_select_limit", "sql_notes", "foreign_key_checks", "unique_checks"),
    *("group_concat_max_len", "lc_time_names"),
)
# SET NAMES sets all of these. The last one is set back by a change of the one before.
_OF_NAMES: Final = (
    *("character_set_client", "character_set_results", "character_set_connection", "collation_connection"),
)
_DEFAULT: Final = "DEFAULT"
_NUMBERS: Final = ("sql_select_limit", "group_concat_max_len")
_NUMBER: Final = re.compile(r"\d+")
_INSERT_ID: Final = e.Hold("insert-id")
# Plain ASCII, in quotes the same under every sql_mode and character set.
_PLAIN: Final = re.compile(r"[ !#-&(-\[\]-~]*")


def new_values(track: SessionTrack, effects: Iterable[e.Effect]) -> list[e.SetVariable]:
    """The variables that got a value which `effects` do not tell, in an order in which they can be set again."""
    names = track.variables.keys() & set(TRACKED) - set_by(effects)
    return [e.SetVariable(name, in_sql(name, track.variables[name])) for name in sorted(names, key=TRACKED.index)]


def set_by(effects: Iterable[e.Effect]) -> frozenset[str]:
    """The system variables whose values these effects tell as well as the server does; DEFAULT is none."""
    found: set[str] = set()
    for effect in effects:
        if isinstance(effect, e.SetVariable):
            found = found | {effect.name} if effect.value.upper() not in ("", _DEFAULT) else found - {effect.name}
        elif isinstance(effect, e.SetNames) and effect.charset.upper() != _DEFAULT:
            found |= set(_OF_NAMES)
    return frozenset(found)


def explains(effects: Iterable[e.Effect]) -> bool:
    """Whether a statement with these effects changes the session's state in ways that they tell, or pin it."""
    return any(effect == _INSERT_ID or not isinstance(effect, (e.Begin, e.End, e.Hold)) for effect in effects)


def in_sql(name: str, value: str) -> str:
    """A reported value as SQL that sets it again; empty when that cannot be said in plain ASCII."""
    if name in _NUMBERS:
        return value if _NUMBER.fullmatch(value) else ""
    if name == "character_set_results" and not value:
        return "NULL"
    return f"'{value}'" if _PLAIN.fullmatch(value) else ""
