"""What a session has set: the state that can be repeated on another connection, and the reasons that tie it down."""

from dataclasses import dataclass
from typing import Final

from proxy.sql.statement import Statement
from proxy.wire.constants import COM_INIT_DB, SERVER_STATUS_AUTOCOMMIT, SERVER_STATUS_IN_TRANS
from proxy.wire.framing import frame

# A session that keeps setting new things is cheaper to pin than to repeat.
MAX_SETTINGS: Final = 64
MAX_SETTINGS_BYTES: Final = 32 * 1024
# The settings under which the default schema and the multi-statement option are kept; a reset leaves both.
USE: Final = "use"
OPTION: Final = "option"
# What these say of quotes began with the login, which a reset goes back to.
_LASTING_PINS: Final = frozenset({"character-set", "sql-mode"})
# Settings that change what a text means when it is parsed.
_OF_TEXTS: Final = ("names", "character", "collation", "sql_mode")


@dataclass(frozen=True, slots=True)
class Setting:
    """One change of the session's state that is to be repeated on its other connections, as a command packet."""

    version: int
    packet: bytes


class Seen:
    """What one server connection has seen of its session.

    `version` and `resets` as in SessionState. `statements` maps the session's numbers of prepared statements to those
    the server gave, those used longest ago first; `types` holds the parameter types that the server was last sent for
    each. `most` is how many statements the server was found to allow it, 0 if that is not known. `detour` is the number
    of the statement for whose sake the connection is in another schema than the session, 0 for none.
    """

    __slots__ = ("detour", "most", "resets", "statements", "types", "version")

    def __init__(self) -> None:
        self.version = 0
        self.resets = 0
        self.statements: dict[int, int] = {}
        self.types: dict[int, bytes] = {}
        self.most = 0
        self.detour = 0

    def used(self, number: int) -> int:
        """A prepared statement is used now; returns the server's number for it."""
        self.statements[number] = given = self.statements.pop(number)
        return given

    def forget(self, number: int) -> int:
        """A prepared statement is to be closed; returns the server's number for it."""
        self.types.pop(number, None)
        return self.statements.pop(number)

    def forget_all(self) -> None:
        """The connection was reset, which closes all prepared statements."""
        self.statements.clear()
        self.types.clear()


class SessionState:
    """State of one client session, brought up to date after each reply.

    `version` counts changes, so that a connection knows which settings it has not seen. `status` is the last status
    word of the primary. `schema` is the default schema, empty for none. `texts` counts changes of what decides how
    texts are parsed. `resets` counts COM_RESET_CONNECTIONs. `pin` is the reason to stay on the primary. `private` says
    that the primary's connection may hold what cannot be repeated, such as user variables, so that losing it must end
    the session.
    """

    __slots__ = ("_settings", "_size", "pin", "private", "resets", "schema", "status", "texts", "version")

    def __init__(self, schema: str, status: int) -> None:
        self.schema = schema
        self.texts = 0
        self.status = status
        self.version = 0
        self.resets = 0
        self.pin = ""
        self.private = False
        self._settings: dict[str, Setting] = {}
        self._size = 0

    @property
    def in_transaction(self) -> bool:
        """Whether the primary has a transaction of this session open, or would open one with the next statement."""
        return self.status & (SERVER_STATUS_IN_TRANS | SERVER_STATUS_AUTOCOMMIT) != SERVER_STATUS_AUTOCOMMIT

    def apply(self, statement: Statement, packet: bytes) -> None:
        """Take over what a SESSION statement has set, after the server accepted it in `packet`."""
        if statement.pin:
            self.pin_down(statement.pin)
        if statement.schema:
            self.schema = statement.schema
        self.texts += changes_texts(statement)
        self._remember(statement.setting, packet)

    def leave_schema(self) -> None:
        """A connection is about to leave the default schema: have it come back before its next request."""
        self._remember(USE, frame(bytes((COM_INIT_DB,)) + self.schema.encode(), 0))

    def pin_down(self, reason: str) -> None:
        """Keep the session on the primary; the first reason is the one that is shown."""
        self.pin = self.pin or reason

    def reset(self) -> None:
        """COM_RESET_CONNECTION: everything but the default schema and the option is as after the login."""
        self._settings = {name: kept for name, kept in self._settings.items() if name in (USE, OPTION)}
        self._size = sum(len(setting.packet) for setting in self._settings.values())
        if self.pin not in _LASTING_PINS:
            self.pin = ""
        self.private = False
        self.resets += 1

    def missing(self, version: int) -> Setting | None:
        """The first change that a connection at `version` has not seen; None when it is in step."""
        if version == self.version:
            return None
        return next((setting for setting in self._settings.values() if setting.version > version), None)

    def _remember(self, name: str, packet: bytes) -> None:
        if old := self._settings.pop(name, None):
            self._size -= len(old.packet)
        self.version += 1
        self._settings[name] = Setting(self.version, packet)
        self._size += len(packet)
        if len(self._settings) > MAX_SETTINGS or self._size > MAX_SETTINGS_BYTES:
            self.pin_down("many-settings")


def changes_texts(statement: Statement) -> bool:
    """Whether a SESSION statement changes what a text means when it is parsed."""
    return any(name.startswith(_OF_TEXTS) for name in statement.setting.split(","))
