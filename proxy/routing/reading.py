"""How a session's texts are read, which its sql_mode, its character set and a flag of the server's status decide."""

from typing import Final

from proxy.routing.settings import OF_TEXTS
from proxy.routing.twins import REPEATABLE_READ
from proxy.sql import effects as e
from proxy.sql.meaning import DEFAULT_MEANING, meaning_of
from proxy.wire.constants import SERVER_STATUS_NO_BACKSLASH_ESCAPES

# A mode whose grammar is not followed, for one that is not known.
_ANY_MODE: Final = "ORACLE"


class Baseline:
    """What holds before a session has set anything: sql_mode, isolation, character set; and the last after a reset."""

    __slots__ = ("charset", "isolation", "reset_charset", "sql_mode")

    def __init__(
        self, sql_mode: str = "", charset: str = "utf8mb4", reset_charset: str = "", isolation: str = REPEATABLE_READ
    ) -> None:
        self.isolation = isolation
        self.sql_mode = sql_mode
        self.charset = charset
        self.reset_charset = reset_charset or charset


class Reading:
    """`meaning` is how texts are read now, `charset` the client's character set, empty if it is not known.

    `version` counts changes of what decides how texts are parsed.
    """

    __slots__ = ("_baseline", "_no_backslash_escapes", "_sql_mode", "charset", "meaning", "version")

    def __init__(self, baseline: Baseline, status: int) -> None:
        self._baseline = baseline
        self._no_backslash_escapes = bool(status & SERVER_STATUS_NO_BACKSLASH_ESCAPES)
        self._sql_mode, self.charset = baseline.sql_mode, baseline.charset
        self.version = 0
        self.meaning = DEFAULT_MEANING
        self._read_anew()

    def status_changed(self, status: int) -> None:
        """The server has told a status word."""
        no_backslash_escapes = bool(status & SERVER_STATUS_NO_BACKSLASH_ESCAPES)
        if no_backslash_escapes is not self._no_backslash_escapes:
            self._no_backslash_escapes = no_backslash_escapes
            self._read_anew()

    def variable_set(self, effect: e.SetVariable) -> None:
        """A system variable was set; an empty value is not known."""
        if effect.name == "sql_mode":
            self._sql_mode = _told(effect.value, self._baseline.sql_mode) if effect.value else _ANY_MODE
        elif effect.name == "character_set_client":
            self.charset = _told(effect.value, "")
        if changes_texts(effect):
            self._changed()

    def names_set(self, effect: e.SetNames) -> None:
        """SET NAMES, or SET CHARACTER SET."""
        self.charset = _told(effect.charset, "")
        self._changed()

    def reset(self) -> None:
        """COM_RESET_CONNECTION."""
        self._sql_mode = self._baseline.sql_mode.upper().replace("IGNORE_SPACE", "")
        self.charset = self._baseline.reset_charset
        self._changed()

    def _changed(self) -> None:
        self.version += 1
        self._read_anew()

    def _read_anew(self) -> None:
        self.meaning = meaning_of(self._sql_mode, self.charset, self._no_backslash_escapes)


def _told(value: str, default: str) -> str:
    return default if value.upper() == "DEFAULT" else value.strip("'")


def changes_texts(effect: e.Effect) -> bool:
    """Whether an effect changes what a text means when it is parsed."""
    return isinstance(effect, e.SetNames) or (isinstance(effect, e.SetVariable) and effect.name.startswith(OF_TEXTS))
