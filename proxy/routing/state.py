"""What a session has set: the state that can be repeated on another connection, and the reasons that tie it down."""

from dataclasses import dataclass
from typing import Final

from proxy.sql.statement import Kind, Statement
from proxy.wire.constants import SERVER_STATUS_AUTOCOMMIT, SERVER_STATUS_IN_TRANS

# A session that keeps setting new things is cheaper to pin than to repeat.
MAX_SETTINGS: Final = 64
MAX_SETTINGS_BYTES: Final = 32 * 1024


@dataclass(frozen=True, slots=True)
class Setting:
    """One statement to repeat on every other connection of the session, in order."""

    version: int
    text: bytes


class SessionState:
    """State of one client session, brought up to date after each reply.

    `version` counts changes, so that a connection knows which settings it has not seen. `status` is the last status
    word of the primary. `schema` is the default schema, empty for none. `resets` counts COM_RESET_CONNECTIONs.
    """

    __slots__ = ("_settings", "_size", "pin", "resets", "schema", "schema_version", "status", "version")

    def __init__(self, schema: str, status: int) -> None:
        self.schema = schema
        self.schema_version = 0
        self.status = status
        self.version = 0
        self.resets = 0
        self.pin = ""
        self._settings: dict[str, Setting] = {}
        self._size = 0

    @property
    def in_transaction(self) -> bool:
        """Whether the primary has a transaction of this session open, or would open one with the next statement."""
        return self.status & (SERVER_STATUS_IN_TRANS | SERVER_STATUS_AUTOCOMMIT) != SERVER_STATUS_AUTOCOMMIT

    def apply(self, statement: Statement, text: bytes) -> None:
        """Take over what a SESSION statement has set, after the server accepted it."""
        if statement.pin:
            self.pin_down(statement.pin)
        if statement.schema:
            self.use(statement.schema)
        elif statement.kind is Kind.SESSION:
            self._remember(statement.setting, text)

    def use(self, schema: str) -> None:
        """The default schema was changed."""
        self.version += 1
        self.schema, self.schema_version = schema, self.version

    def pin_down(self, reason: str) -> None:
        """Keep the session on the primary; the first reason is the one that is shown."""
        self.pin = self.pin or reason

    def reset(self) -> None:
        """COM_RESET_CONNECTION: everything but the default schema is as after the login."""
        self._settings.clear()
        self._size = 0
        self.pin = ""
        self.resets += 1

    def since(self, version: int) -> list[bytes]:
        """The settings that a connection at `version` has not seen, in the order in which they were made."""
        return [setting.text for setting in self._settings.values() if setting.version > version]

    def _remember(self, name: str, text: bytes) -> None:
        if old := self._settings.pop(name, None):
            self._size -= len(old.text)
        self.version += 1
        self._settings[name] = Setting(self.version, text)
        self._size += len(text)
        if len(self._settings) > MAX_SETTINGS or self._size > MAX_SETTINGS_BYTES:
            self.pin_down("many-settings")
