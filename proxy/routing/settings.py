"""The settings of a session, as the statements that repeat them on another connection."""

from dataclasses import dataclass
from typing import Final

from proxy.routing.told import ROLE, ROLE_OF_SCHEMA, USE, Settings
from proxy.sql.effects import SetNames, SetRole, SetTransaction, SetVariable
from proxy.wire.constants import COM_INIT_DB
from proxy.wire.framing import frame

# The setting under which the multi-statement option is kept.
OPTION: Final = "option"
# What a reset leaves, on both vendors.
LASTING: Final = frozenset({USE, OPTION, ROLE, ROLE_OF_SCHEMA})
# The versions of a connection that was told nothing, not even what its login said, and of one behind its login.
NOTHING: Final = 0
LOGIN: Final = 2
# A session that keeps setting new things is cheaper to pin than to repeat.
MAX_SETTINGS: Final = 64
MAX_BYTES: Final = 32 * 1024
# Variables that change what a text means when it is parsed begin with one of these.
OF_TEXTS: Final = ("character", "collation", "sql_mode")
_NAMES: Final = "names"
_SET_ROLE: Final = "SET ROLE "
# What SET NAMES and SET CHARACTER SET set, too.
_OF_NAMES: Final = (
    *("character_set_client", "character_set_results", "character_set_connection", "collation_connection"),
)

_OF_LOGINS: Final = ("character_set_client", "character_set_results", "collation_connection")


@dataclass(frozen=True, slots=True)
class Setting:
    """Changes of the session's state that a connection has to be told: one SQL text, or else one command packet.

    `version` is that of the last of them.
    """

    version: int
    text: str = ""
    packet: bytes = b""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One change: an item of a SET, or else a whole text or command packet."""

    version: int
    item: str = ""
    text: str = ""
    packet: bytes = b""

    @property
    def size(self) -> int:
        return len(self.item) + len(self.text) + len(self.packet)


class SettingLog:
    """What was set, in the order of the last change of each.

    `version` counts changes, so that a connection knows which ones it has not seen
    """

    __slots__ = ("_entries", "_size", "version")

    def __init__(self) -> None:
        self.version = LOGIN
        self._entries: dict[str, _Entry] = {}
        self._size = 0

    def begin(self, schema: bytes, collation_id: int) -> None:
        """What the login has set: a new connection has it, one that was reset has to be told.

        The empty schema, and 0, stand for nothing to be told. With numbers in the place of names the collation of the
        login is that of the character sets, too, as clients see in column definitions.
        """
        if collation_id:
            item = ", ".join(f"@@session.{name} = {collation_id}" for name in _OF_LOGINS)
            self._entries[_NAMES] = _Entry(LOGIN - 1, item=item)
        if schema:
            self._entries[USE] = _Entry(LOGIN, packet=frame(bytes((COM_INIT_DB,)) + schema, 0))

    @property
    def full(self) -> bool:
        """Whether there are more settings than shall be repeated."""
        return len(self._entries) > MAX_SETTINGS or self._size > MAX_BYTES

    def knows(self, name: str) -> bool:
        """Whether connections are told a value of the variable `name`."""
        return name in self._entries

    def variable(self, effect: SetVariable) -> None:
        """A session variable has a value, which must be told."""
        self._remember(effect.name, item=f"@@session.{effect.name} = {effect.value}")

    def names(self, effect: SetNames) -> None:
        """The character sets were set in one."""
        for name in _OF_NAMES:
            self.forget(name)
        collation = f" COLLATE {effect.collation}" if effect.collation else ""
        how = "NAMES" if effect.connection else "CHARACTER SET"
        self._remember(_NAMES, item=f"{how} {effect.charset}{collation}")

    def role(self, effect: SetRole) -> None:
        """The roles were set; the default schema may be one that only those of before could choose."""
        names = list(self._entries)
        if USE in names and ROLE in names[: names.index(USE)]:
            self._rename(ROLE, ROLE_OF_SCHEMA)
        self._remember(ROLE, text=_SET_ROLE + effect.roles)

    def transactions(self, effect: SetTransaction) -> None:
        """Characteristics of all transactions of the session were set."""
        if effect.isolation:
            self._remember("isolation", text=f"SET SESSION TRANSACTION ISOLATION LEVEL {effect.isolation}")
        if effect.read_only is not None:
            access = "READ ONLY" if effect.read_only else "READ WRITE"
            self._remember("access", text=f"SET SESSION TRANSACTION {access}")

    @property
    def roles(self) -> str:
        """What the last SET ROLE said; empty without one, and for NONE."""
        entry = self._entries.get(ROLE)
        roles = entry.text.removeprefix(_SET_ROLE) if entry is not None else ""
        return "" if roles.upper() == "NONE" else roles

    def use(self, schema: bytes) -> None:
        """The default schema was set; `schema` in the character set of the client."""
        self.forget(ROLE_OF_SCHEMA)
        self._remember(USE, packet=frame(bytes((COM_INIT_DB,)) + schema, 0))

    def option(self, packet: bytes) -> None:
        """COM_SET_OPTION, the last of which holds."""
        self._remember(OPTION, packet=packet)

    def forget(self, name: str) -> None:
        """The value of this variable is not known any more, or is set by something else."""
        if entry := self._entries.pop(name, None):
            self._size -= entry.size

    def clear(self) -> None:
        """Forget all but what a COM_RESET_CONNECTION leaves."""
        for name in self._entries.keys() - LASTING:
            self.forget(name)

    @property
    def told(self) -> Settings:
        """All of them, in the order in which they are told."""
        return tuple((name, entry.item or entry.text or entry.packet) for name, entry in self._entries.items())

    @property
    def lasting(self) -> frozenset[str]:
        """The names of those that a reset leaves."""
        return LASTING.intersection(self._entries)

    def version_of_first(self, count: int) -> int:
        """The version of a connection that was told the first `count` of them."""
        return next((e.version for at, e in enumerate(self._entries.values(), 1) if at == count), NOTHING)

    @property
    def of_texts(self) -> tuple[str, ...]:
        """Those that change what a text means when it is parsed, in their order."""
        return tuple(entry.item for name, entry in self._entries.items() if name == _NAMES or name.startswith(OF_TEXTS))

    def missing(self, version: int) -> Setting | None:
        """The first command that a connection at `version` has to be sent; None when it is in step.

        Neighbours that one SET can set are one command.
        """
        if version == self.version:
            return None
        items: list[str] = []
        for entry in self._entries.values():
            if entry.version <= version:
                continue
            if not entry.item:
                if items:
                    break
                return Setting(entry.version, entry.text, entry.packet)
            items.append(entry.item)
            last = entry.version
        return Setting(last, f"SET {', '.join(items)}") if items else None

    def _rename(self, name: str, new: str) -> None:
        """Have a setting under another name, of which there is none, in its place."""
        self._entries = {new if key == name else key: entry for key, entry in self._entries.items()}

    def _remember(self, name: str, item: str = "", text: str = "", packet: bytes = b"") -> None:
        self.forget(name)
        self.version += 1
        entry = _Entry(self.version, item, text, packet)
        self._entries[name] = entry
        self._size += entry.size
