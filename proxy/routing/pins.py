"""What ties a session to the primary's connection, by reason and by name, and what ends it."""

from typing import Final

from proxy.sql.effects import EVERY, UNTOLD, Hold, Pin, Renamed, Unpin
from proxy.sql.mentions import NAMED_LOCK

TEMP_TABLE: Final = "temp-table"
# A statement that failed may have done these all the same before it did.
_MAYBE: Final = frozenset({"procedure", "unknown-statement", "compound-statement", "binlog", NAMED_LOCK})
# So many reasons of one session are told apart.
MAX_PINS: Final = 256

# (reason, name); of temporary tables the name is (schema, table).
_Key = tuple[str, object]


class Pins:
    """Reasons to stay on the primary (`pins`), and reasons to keep its connection only (`holds`).

    A named lock is counted: it is free when it was released as often as it was taken.
    """

    __slots__ = ("_pins", "holds")

    def __init__(self) -> None:
        self._pins: dict[_Key, int] = {}
        self.holds: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._pins)

    @property
    def reason(self) -> str:
        """The first of the reasons to stay on the primary; empty when there is none."""
        return str(next(iter(self._pins))[0]) if self._pins else ""

    def reasons(self) -> list[str]:
        """All of them, each once."""
        return list(dict.fromkeys(reason for reason, _ in self._pins))

    def clear_all_but(self, *reasons: str) -> None:
        """All but these are over."""
        self._pins = {key: count for key, count in self._pins.items() if key[0] in reasons}
        self.holds.clear()

    def add(self, reason: str, name: object = "") -> None:
        """Stay on the primary."""
        key = (reason, name) if len(self._pins) < MAX_PINS else ("many-pins", "")
        self._pins[key] = self._pins.get(key, 0) + 1 if reason == NAMED_LOCK else 1

    def end(self, reason: str, name: object = "") -> None:
        """This reason is over, if it was one."""
        left = self._pins.pop((reason, name), 0) - 1
        if left > 0:
            self._pins[reason, name] = left

    def end_every(self, reason: str) -> None:
        """All of this reason are over."""
        for key in [key for key in self._pins if key[0] == reason]:
            del self._pins[key]

    def pin(self, effect: Pin, schema: str) -> None:
        """A statement succeeded, or may have, that has this effect; `schema` is the default one."""
        self.add(effect.reason, _name(effect, schema))

    def unpin(self, effect: Unpin, schema: str) -> None:
        """A statement succeeded that has this effect."""
        if effect.name == EVERY:
            self.end_every(effect.reason)
        else:
            self.end(effect.reason, _name(effect, schema))

    def hold(self, effect: Hold) -> None:
        """A statement succeeded, or may have, that has this effect."""
        self.holds.add(effect.reason)

    def renamed(self, effect: Renamed, schema: str) -> None:
        """A table has another name now, which is not known."""
        if (TEMP_TABLE, _qualified(effect.table, schema)) in self._pins:
            self.add(TEMP_TABLE, UNTOLD)


def may_hold_on_error(effect: Pin) -> bool:
    """Whether a statement that failed may have left this behind."""
    return effect.reason in _MAYBE


def _name(effect: Pin | Unpin, schema: str) -> object:
    return _qualified(effect.table, schema) if effect.table[1] else effect.name


def _qualified(table: tuple[str, str], schema: str) -> tuple[str, str]:
    return (table[0] or schema, table[1])
