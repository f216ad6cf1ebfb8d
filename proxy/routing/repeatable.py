"""What a session has set that can be set again on another connection, and how much of it a connection has."""

from typing import Final

from proxy.routing.named import NamedStatements
from proxy.routing.reading import Baseline, Reading
from proxy.routing.seen import Seen
from proxy.routing.settings import NOTHING, Setting, SettingLog
from proxy.routing.told import Fit, Told, fit, told_first
from proxy.routing.variables import UserVariables, Variable
from proxy.sql import effects as e
from proxy.sql.statement import Statement, Variables

# Of completion_type, by its number or its name.
_RELEASE: Final = ("2", "RELEASE")


class Repeatable:
    """That of one session.

    `schema` is the default schema, empty for none. `settings` are the commands that set it and all else, `reading` is
    how the session's texts are read. `named` are the statements prepared as text, `variables` the user variables.
    `resets` counts COM_RESET_CONNECTIONs. `releases` says that servers close the connection with each transaction.
    """

    __slots__ = ("_time_limit", "named", "reading", "releases", "resets", "schema", "settings", "variables")

    def __init__(self, schema: str, baseline: Baseline, status: int) -> None:
        self.schema = schema
        self.settings = SettingLog()
        self.reading = Reading(baseline, status)
        self.named = NamedStatements()
        self.variables = UserVariables()
        self.resets = 0
        self.releases = False
        self._time_limit: e.SetVariable | None = None

    def begin(self, schema: str, collation_id: int) -> None:
        """What the login has said, as far as a connection that was reset has to be told of it."""
        self.settings.begin(schema.encode(), collation_id)

    def limit_time(self, setting: e.SetVariable | None) -> None:
        """What limits the time of statements, at the operator's wish, also after each reset."""
        self._time_limit = setting
        if setting is not None:
            self.settings.variable(setting)

    @property
    def version(self) -> int:
        """Counts changes of settings, so that a connection knows which ones it has not seen."""
        return self.settings.version

    @property
    def complete(self) -> bool:
        """Whether all user variables, and all that is prepared as text, are what they are if they are repeated now."""
        return self.variables.can_be_told(None, self.reading.version) and self.named.all_mean(self._meaning)

    @property
    def _meaning(self) -> tuple[str, int]:
        """What decides what a text means that is prepared now."""
        return self.schema, self.reading.version

    # --- what is set -------------------------------------------------------------------------------------------------

    def set_variable(self, effect: e.SetVariable) -> None:
        """A system variable was set; an empty value is not known."""
        if effect.value:
            self.settings.variable(effect)
        else:
            self.settings.forget(effect.name)
        if effect.name == "completion_type":
            self.releases = effect.value.strip("'\"").upper() in _RELEASE
        self.reading.variable_set(effect)

    def set_names(self, effect: e.SetNames) -> None:
        """SET NAMES, or SET CHARACTER SET."""
        self.settings.names(effect)
        self.reading.names_set(effect)

    def set_user_variable(self, effect: e.SetUserVariable, seen: Seen) -> None:
        """A user variable was set, on the connection that has `seen` so much."""
        self.variables.set(effect, self.reading.version, seen.variables)

    def prepare(self, name: str, statement: Statement, text: bytes, seen: Seen) -> None:
        """A statement was prepared as text, by `text`."""
        seen.named[name] = self.named.add(name, statement, text, self._meaning)

    def use(self, schema: str, name: bytes) -> None:
        """The default schema was set; `name` is the same in the character set of the client."""
        self.schema = schema
        self.settings.use(name)

    def leave_schema(self) -> None:
        """A connection is about to leave the default schema: have it come back before its next request."""
        self.settings.use(self.schema.encode())

    def reset(self) -> None:
        """COM_RESET_CONNECTION: everything but the default schema, the option and the roles is as after the login."""
        self.settings.clear()
        self.limit_time(self._time_limit)
        self.named.clear()
        self.variables.clear()
        self.resets += 1
        self.releases = False
        self.reading.reset()

    # --- what a connection lacks -------------------------------------------------------------------------------------

    def knows(self, names: Variables) -> bool:
        """Whether the user variables `names` can be repeated on any connection."""
        return self.variables.can_be_told(names, self.reading.version)

    def missing_variables(self, seen: Seen) -> dict[str, Variable]:
        """The user variables that a connection that has `seen` so much has to be told."""
        return self.variables.missing(self.reading.version, seen.variables)

    def missing(self, version: int) -> Setting | None:
        """The first command that a connection at `version` has to be sent; None when it is in step."""
        return self.settings.missing(version)

    # --- connections change hands ------------------------------------------------------------------------------------

    def told(self, seen: Seen) -> Told:
        """What a connection that has `seen` so much has of this session."""
        in_step = seen.version == self.version and seen.resets == self.resets and seen.detour is None
        return Told(
            settings=self.settings.told if in_step else None,
            lasting=self.settings.lasting,
            bare=not (seen.variables or seen.named),
            reset=seen.was_reset,
            insert_id=seen.insert_id,
        )

    def fit(self, told: Told, resettable: bool) -> Fit:
        """How far a connection is from this session; `resettable` says that a reset brings back what the login made."""
        if told.reset and not self.resets and not resettable:
            return Fit.UNFIT
        if self.resets and not told.reset:
            return min(Fit.RESET, fit(told, self.settings.told, resettable=True))
        return fit(told, self.settings.told, resettable or bool(self.resets))

    def take_over(self, told: Told, seen: Seen) -> None:
        """A connection becomes this session's: what is to be told to it follows from `seen`."""
        seen.version, seen.resets, seen.insert_id = NOTHING, self.resets, told.insert_id
        alike = told.bare and (told.reset or not self.resets)
        known = told_first(told.settings, self.settings.told) if alike and told.settings is not None else -1
        if known < 0:
            seen.resets = self.resets - 1
        elif told.settings == self.settings.told:
            seen.version = self.version
        else:
            seen.version = self.settings.version_of_first(known)
