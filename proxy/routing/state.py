"""What a session has set: the state that can be repeated on another connection, and the reasons that tie it down."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from proxy.routing.named import NamedStatements
from proxy.routing.pins import Pins, may_hold_on_error
from proxy.routing.reading import Baseline, Reading
from proxy.routing.reported import explains, new_values
from proxy.routing.seen import Seen
from proxy.routing.settings import NOTHING, Setting, SettingLog
from proxy.routing.told import Fit, Told, fit, told_first
from proxy.routing.twins import Twins
from proxy.routing.variables import UserVariables, Variable
from proxy.sql import effects as e
from proxy.sql.statement import SERVER_SCHEMAS, Statement, Variables
from proxy.sql.transactions import SAVEPOINTS
from proxy.wire.constants import (
    SERVER_STATUS_AUTOCOMMIT,
    SERVER_STATUS_IN_TRANS,
)
from proxy.wire.sessiontrack import SessionTrack

__all__ = ["Baseline", "Seen", "SessionState", "Setting"]

_TRANSACTION_FLAGS: Final = SERVER_STATUS_IN_TRANS | SERVER_STATUS_AUTOCOMMIT
_NEXT_TRANSACTION: Final = "next-transaction"
_ISOLATION: Final = "isolation"
_ACCESS: Final = "access"
_TEXT_PREPARE: Final = "text-prepare"
_NO_SCHEMA: Final = "dropped-schema"
# The server said that something has changed, which may be anything.
_STATE_CHANGE: Final = "state-change"
# LAST_INSERT_ID() with an argument, or SET last_insert_id
_SETS_INSERT_ID: Final = frozenset({"function", "insert-id"})
# ER_NO_DEFAULT: the one error that both vendors find when they have made the assignments before (observed)
_NO_DEFAULT: Final = 1230
_HALF_SET: Final = "set-unknown"
_UNKNOWN_FUNCTION: Final = "unknown-function"
# ER_PARSE_ERROR, ER_UNKNOWN_STMT_HANDLER: not even begun
_NOT_BEGUN: Final = frozenset({1064, 1243})


class SessionState:
    """State of one client session, brought up to date after each reply.

    `status` is the last status word of the primary. `schema` is the default schema, empty for none. `reading` is how
    the session's texts are read. `named` are the statements prepared as text, `variables` the user variables. `resets`
    counts COM_RESET_CONNECTIONs. `free` says that nothing keeps a plain read from any replica: no pin, no transaction,
    no schema of the server's own. `released` says that the client asked for the end of its connection (COMMIT RELEASE).
    `twins` is about transactions that read on replicas. `insert_id_lost` says that a connection was lost that alone
    knew what LAST_INSERT_ID() gives.
    """

    __slots__ = (
        *(
            "_settings",
            "_time_limit",
            "_status",
            "free",
            "insert_id",
            "insert_id_lost",
            "named",
            "pins",
            "reading",
            "released",
        ),
        *("resets", "schema", "twins", "variables"),
    )

    def __init__(self, schema: str, status: int, baseline: Baseline | None = None, *, optimistic: bool = False) -> None:
        baseline = baseline or Baseline()
        self._settings = SettingLog()
        self._time_limit: e.SetVariable | None = None
        self.schema = schema
        self.pins = Pins()
        self.named = NamedStatements()
        self.variables = UserVariables()
        self.resets = 0
        self.insert_id: int | None = 0
        self.insert_id_lost = False
        self.released = False
        self.twins = Twins(baseline.isolation, optimistic=optimistic)
        self._status = status
        self.reading = Reading(baseline, status)
        self._judge()

    def limit_time(self, setting: e.SetVariable | None) -> None:
        """What limits the time of statements, at the operator's wish, also after each reset."""
        self._time_limit = setting
        if setting is not None:
            self._settings.variable(setting)

    def begin(self, schema: str, collation_id: int) -> None:
        """What the login has said, as far as a connection that was reset has to be told of it."""
        self._settings.begin(schema.encode(), collation_id)

    @property
    def status(self) -> int:
        """The last status word of the primary."""
        return self._status

    @status.setter
    def status(self, status: int) -> None:
        if status == self._status:
            return
        self.twins.status_changed(self._status, status)
        self._status = status
        self.reading.status_changed(status)
        self._judge()

    @property
    def version(self) -> int:
        """Counts changes of settings, so that a connection knows which ones it has not seen."""
        return self._settings.version

    @property
    def in_transaction(self) -> bool:
        """Whether the primary has a transaction of this session open, or would open one with the next statement."""
        return self._status & _TRANSACTION_FLAGS != SERVER_STATUS_AUTOCOMMIT

    @property
    def has_twin(self) -> bool:
        """Whether the transaction's plain reads can run in a twin of it on a replica."""
        return self.twins.readable(self._status)

    @property
    def reads_only(self) -> bool:
        """Whether the transaction may not write."""
        return self.twins.read_only(self._status)

    @property
    def begins_itself(self) -> bool:
        """Whether a transaction begins with a statement, on every connection that was told what the session has set."""
        return not self._status & _TRANSACTION_FLAGS and self._settings.knows("autocommit")

    @property
    def pin(self) -> str:
        """The reason to stay on the primary that is shown; empty when there is none."""
        return self.pins.reason

    @property
    def wrote(self) -> bool:
        """Whether the session's insert id is known by its connection to the primary only."""
        return self.insert_id is None

    @property
    def private(self) -> bool:
        """Whether the primary's connection may hold what cannot be repeated: losing it must end the session."""
        return bool(self.pins or self.pins.holds) or not self._repeatable

    def tied(self, beside: frozenset[str]) -> str:
        """The first reason for which it is `private`, other than those `beside`; empty if there is none."""
        for reason in (*self.pins.reasons(), *sorted(self.pins.holds)):
            if reason not in beside:
                return reason
        return "" if self._repeatable else "session-state"

    @property
    def text_settings(self) -> tuple[str, ...] | None:
        """What was set of all that changes the meaning of texts, equal for sessions that read them alike.

        None when it is not known.
        """
        return None if self.pins else self._settings.of_texts

    def knows(self, statement: Statement) -> bool:
        """Whether the user variables that a statement asks for can be repeated on any connection."""
        return self.variables.can_be_told(statement.variables, self.reading.version)

    def missing_variables(self, names: Variables, seen: Seen) -> dict[str, Variable]:
        """Those of `names` that a connection that has `seen` so much has to be told."""
        return self.variables.missing(names, self.reading.version, seen.variables)

    def missing(self, version: int) -> Setting | None:
        """The first command that a connection at `version` has to be sent; None when it is in step."""
        return self._settings.missing(version)

    # --- what a reply changes ----------------------------------------------------------------------------------------

    def apply(self, statement: Statement, text: bytes, seen: Seen) -> None:
        """Take over what a statement did, after a connection that has `seen` so much accepted it; `text` is its own."""
        for effect in statement.effects:
            _APPLY[type(effect)](self, effect, text, seen)
        if statement.writes:
            # LAST_INSERT_ID() asks the connection that wrote.
            self.insert_id = seen.insert_id = None
        if self._settings.full:
            self.pins.add("many-settings")
        seen.version = self.version
        self._judge()

    def failed(self, statement: Statement, errno: int, begun: bool, seen: Seen) -> None:
        """A statement was answered with an error, `begun` after it had given a result; it may have done a part."""
        not_begun = errno in _NOT_BEGUN and not begun
        for effect in statement.effects:
            if errno == _NO_DEFAULT and isinstance(effect, e.SetVariable | e.SetNames):
                self._half_set(effect, seen)
            elif isinstance(effect, e.Prepare):
                # The error can be that of the text to be prepared, and what had the name before is gone then, too.
                self.named.forget(effect.name)
            elif not_begun:
                continue
            elif begun or not isinstance(effect, e.Pin) or may_hold_on_error(effect):
                self._may_have_happened(effect, seen)
        if statement.writes and not not_begun:
            self.insert_id = seen.insert_id = None
        self._judge()

    def _half_set(self, effect: e.SetVariable | e.SetNames, seen: Seen) -> None:
        """One of several assignments failed when those before it had been made."""
        if isinstance(effect, e.SetVariable):
            self._set_variable(replace(effect, value=""), b"", seen)
        else:
            self.pins.add(_HALF_SET)

    def _may_have_happened(self, effect: e.Effect, seen: Seen) -> None:
        if isinstance(effect, e.Pin):
            self.pins.pin(effect, self.schema)
        elif isinstance(effect, e.Hold):
            self._hold(effect, b"", seen)
        elif isinstance(effect, e.SetUserVariable):
            self.variables.lose_all()

    def reported(self, track: SessionTrack, effects: Sequence[e.Effect], seen: Seen, *, triggers: bool = False) -> None:
        """Take over what the primary said of the session's state; `effects` are those that were taken over already.

        What it does not say may have changed all the same: it is never taken for unchanged. `triggers` says that some
        may have run beside what the effects are of.
        """
        for effect in new_values(track, effects):
            self._set_variable(effect, b"", seen)
        if track.schema is not None and track.schema != self.schema:
            self._schema_reported(track.schema, effects, seen)
        if track.changed and not explains(effects):
            self.pins.add(_STATE_CHANGE)
        elif track.changed and triggers:
            self.variables.lose_all()
        seen.version = self.version
        self._judge()

    def _schema_reported(self, schema: str, effects: Sequence[e.Effect], seen: Seen) -> None:
        if not schema:
            self.pins.add(_NO_SCHEMA)
        elif not schema.isascii():
            if not any(isinstance(effect, e.UseSchema) for effect in effects):
                self.pins.add(_STATE_CHANGE)
        else:
            self.use(schema, schema.encode(), seen)

    def pin_down(self, reason: str) -> None:
        """Keep the session on the primary."""
        self.pins.add(reason)
        self._judge()

    def use(self, schema: str, name: bytes, seen: Seen) -> None:
        """The default schema was set; `name` is the same in the character set of the client."""
        self.schema = schema
        self.pins.end(_NO_SCHEMA)
        self._settings.use(name)
        seen.version = self.version
        self._judge()

    def lose_connection(self) -> None:
        """That to the primary is lost, and with it what only that connection knew."""
        if self.wrote:
            self.insert_id, self.insert_id_lost = 0, True

    def leave_schema(self) -> None:
        """A connection is about to leave the default schema: have it come back before its next request."""
        self._settings.use(self.schema.encode())

    def set_option(self, packet: bytes, seen: Seen) -> None:
        """COM_SET_OPTION succeeded."""
        self._settings.option(packet)
        seen.version = self.version

    def reset(self) -> None:
        """COM_RESET_CONNECTION: everything but the default schema, the option and the roles is as after the login."""
        self._settings.clear()
        self.limit_time(self._time_limit)
        self.pins.clear_all_but(_NO_SCHEMA)
        self.named.clear()
        self.variables.clear()
        self.insert_id = 0
        self.insert_id_lost = False
        self.resets += 1
        self.twins.reset()
        self.reading.reset()
        self._judge()

    # --- connections change hands ------------------------------------------------------------------------------------

    @property
    def transferable(self) -> bool:
        """Whether the primary's connection can be given to another session, and this one go on with another."""
        if self.pins or self.pins.holds or self._status & SERVER_STATUS_IN_TRANS or not self.schema.isascii():
            return False
        return self._repeatable

    @property
    def _repeatable(self) -> bool:
        """Whether all user variables, and all that is prepared as text, are what they are if they are repeated now."""
        return self.variables.can_be_told(None, self.reading.version) and self.named.all_mean(
            (self.schema, self.reading.version)
        )

    def told(self, seen: Seen) -> Told:
        """What a connection that has `seen` so much has of this session."""
        in_step = seen.version == self.version and seen.resets == self.resets and seen.detour is None
        return Told(
            settings=self._settings.told if in_step else None,
            lasting=self._settings.lasting,
            bare=not (seen.variables or seen.named),
            reset=seen.was_reset,
            insert_id=seen.insert_id,
        )

    def fit(self, told: Told, resettable: bool) -> Fit:
        """How far a connection is from this session; `resettable` says that a reset brings back what the login made."""
        if told.reset and not self.resets and not resettable:
            return Fit.UNFIT
        if self.resets and not told.reset:
            return min(Fit.RESET, fit(told, self._settings.told, resettable=True))
        return fit(told, self._settings.told, resettable or bool(self.resets))

    def take_over(self, told: Told, seen: Seen) -> None:
        """A connection becomes this session's: what is to be told to it follows from `seen`."""
        seen.version, seen.resets, seen.insert_id = NOTHING, self.resets, told.insert_id
        alike = told.bare and (told.reset or not self.resets)
        known = told_first(told.settings, self._settings.told) if alike and told.settings is not None else -1
        if known < 0:
            seen.resets = self.resets - 1
        elif told.settings == self._settings.told:
            seen.version = self.version
        else:
            seen.version = self._settings.version_of_first(known)

    def _judge(self) -> None:
        self.free = not (self.pins or self.in_transaction or self.schema.lower() in SERVER_SCHEMAS)

    # --- one effect each ---------------------------------------------------------------------------------------------

    def _set_variable(self, effect: e.SetVariable, text: bytes, seen: Seen) -> None:
        if effect.value:
            self._settings.variable(effect)
            self.pins.end(f"set-expression:{effect.name}")
        else:
            self._settings.forget(effect.name)
            self.pins.add(f"set-expression:{effect.name}")
        self.reading.variable_set(effect)

    def _set_names(self, effect: e.SetNames, text: bytes, seen: Seen) -> None:
        self._settings.names(effect)
        self.reading.names_set(effect)

    def _set_role(self, effect: e.SetRole, text: bytes, seen: Seen) -> None:
        self._settings.role(effect)

    def _set_user_variable(self, effect: e.SetUserVariable, text: bytes, seen: Seen) -> None:
        self.variables.set(effect, self.reading.version, seen.variables)

    def _set_transaction(self, effect: e.SetTransaction, text: bytes, seen: Seen) -> None:
        if not effect.session:
            self.pins.add(_NEXT_TRANSACTION, _ISOLATION if effect.isolation else _ACCESS)
            return
        self._settings.transactions(effect)
        self.twins.of_session(effect.read_only, effect.isolation)

    def _use_schema(self, effect: e.UseSchema, text: bytes, seen: Seen) -> None:
        self.use(effect.name, self.reading.meaning.encoded(effect.name), seen)

    def _drop_schema(self, effect: e.DropSchema, text: bytes, seen: Seen) -> None:
        if effect.name.lower() == self.schema.lower():
            self.pins.add(_NO_SCHEMA)

    def _begin(self, effect: e.Begin, text: bytes, seen: Seen) -> None:
        # That it is read-only, the server's status tells.
        self.pins.end(_NEXT_TRANSACTION, _ACCESS)
        self.twins.begin(effect)

    def _end(self, effect: e.End, text: bytes, seen: Seen) -> None:
        # A chained transaction has the isolation of the one before.
        if not self._status & SERVER_STATUS_IN_TRANS:
            self.pins.end_every(_NEXT_TRANSACTION)
        self.pins.holds.discard(SAVEPOINTS)
        self.twins.end()
        self.released = effect.release

    def _pin(self, effect: e.Pin, text: bytes, seen: Seen) -> None:
        self.pins.pin(effect, self.schema)

    def _unpin(self, effect: e.Unpin, text: bytes, seen: Seen) -> None:
        self.pins.unpin(effect, self.schema)

    def _hold(self, effect: e.Hold, text: bytes, seen: Seen) -> None:
        if effect.reason in _SETS_INSERT_ID:
            self.insert_id = seen.insert_id = None
            return
        if effect.reason == _UNKNOWN_FUNCTION:
            self.variables.lose_all()
        self.pins.hold(effect)

    def _renamed(self, effect: e.Renamed, text: bytes, seen: Seen) -> None:
        self.pins.renamed(effect, self.schema)

    def _prepare(self, effect: e.Prepare, text: bytes, seen: Seen) -> None:
        if effect.statement is None:
            self.named.forget(effect.name)
            self.pins.add(_TEXT_PREPARE, effect.name)
        else:
            seen.named[effect.name] = self.named.add(
                effect.name, effect.statement, text, (self.schema, self.reading.version)
            )
            self.pins.end(_TEXT_PREPARE, effect.name)

    def _deallocate(self, effect: e.Deallocate, text: bytes, seen: Seen) -> None:
        self.named.forget(effect.name)
        self.pins.end(_TEXT_PREPARE, effect.name)

    def _nothing(self, effect: e.Effect, text: bytes, seen: Seen) -> None:
        """The server's status tells."""


_APPLY: Final[dict[type, Callable[[SessionState, Any, bytes, Seen], None]]] = {
    e.SetVariable: SessionState._set_variable,
    e.SetNames: SessionState._set_names,
    e.SetRole: SessionState._set_role,
    e.SetUserVariable: SessionState._set_user_variable,
    e.SetTransaction: SessionState._set_transaction,
    e.UseSchema: SessionState._use_schema,
    e.DropSchema: SessionState._drop_schema,
    e.Begin: SessionState._begin,
    e.End: SessionState._end,
    e.Pin: SessionState._pin,
    e.Unpin: SessionState._unpin,
    e.Hold: SessionState._hold,
    e.Renamed: SessionState._renamed,
    e.Prepare: SessionState._prepare,
    e.Execute: SessionState._nothing,
    e.Deallocate: SessionState._deallocate,
}
