"""The state of a session as its replies tell it: what can be repeated on another connection, and what ties it down."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from proxy.routing.consistency import CHOICE, chosen
from proxy.routing.pins import Pins, may_hold_on_error
from proxy.routing.reading import Baseline
from proxy.routing.repeatable import Repeatable
from proxy.routing.reported import explains, new_values
from proxy.routing.seen import Seen
from proxy.routing.settings import Setting
from proxy.routing.twins import Twins
from proxy.sql import effects as e
from proxy.sql.statement import SERVER_SCHEMAS, Statement
from proxy.sql.transactions import SAVEPOINTS
from proxy.wire.constants import (
    SERVER_STATUS_AUTOCOMMIT,
    SERVER_STATUS_IN_TRANS,
)
from proxy.wire.sessiontrack import SessionTrack
from topology.consistency import Level

__all__ = ["Baseline", "Seen", "SessionState", "Setting"]

_TRANSACTION_FLAGS: Final = SERVER_STATUS_IN_TRANS | SERVER_STATUS_AUTOCOMMIT
_NEXT_TRANSACTION: Final = "next-transaction"
_ISOLATION: Final = "isolation"
_ACCESS: Final = "access"
_AUTOCOMMIT: Final = "autocommit"
_TEXT_PREPARE: Final = "text-prepare"
_NO_SCHEMA: Final = "dropped-schema"
_KEPT_ROLE: Final = "kept-role"
# The server said that something has changed, which may be anything.
_STATE_CHANGE: Final = "state-change"
# LAST_INSERT_ID() with an argument, or SET last_insert_id
_SETS_INSERT_ID: Final = frozenset({"function", "insert-id"})
# ER_NO_DEFAULT: the one error that both vendors find when they have made the assignments before (observed)
_NO_DEFAULT: Final = 1230
_HALF_SET: Final = "set-unknown"
_UNKNOWN_FUNCTION: Final = "unknown-function"
# Of the expression behind PREPARE ... FROM (observed on MariaDB): 1970 always; ER_BAD_FIELD_ERROR and
# ER_OPERAND_COLUMNS can also be of the text.
_NO_SUBQUERY: Final = 1970
_OF_EXPRESSION: Final = frozenset({1054, 1241})
# ER_PARSE_ERROR, ER_UNKNOWN_STMT_HANDLER: not even begun
_NOT_BEGUN: Final = frozenset({1064, 1243})


class SessionState:
    """State of one client session, brought up to date after each reply.

    `status` is the last status word of the primary. `repeatable` is what another connection can be told, of which
    `reading` and `schema` are parts. `free` says that nothing keeps a plain read from any replica: no pin, no
    transaction, no schema of the server's own. `released` says that the client asked for the end of its connection
    (COMMIT RELEASE). `level` is the level of consistency that the session has chosen, None if it has not. `twins` is
    about transactions that read on replicas. `insert_id_lost` says that a connection was lost that alone knew what
    LAST_INSERT_ID() gives.
    """

    __slots__ = (
        *("_status", "free", "insert_id", "insert_id_lost", "level", "pins", "reading", "released", "repeatable"),
        "twins",
    )

    def __init__(self, schema: str, status: int, baseline: Baseline | None = None, *, optimistic: bool = False) -> None:
        baseline = baseline or Baseline()
        self.repeatable = Repeatable(schema, baseline, status)
        self.reading = self.repeatable.reading
        self.pins = Pins()
        self.insert_id: int | None = 0
        self.insert_id_lost = False
        self.released = False
        self.level: Level | None = None
        self.twins = Twins(baseline.isolation, optimistic=optimistic)
        self._status = status
        self._judge()

    @property
    def schema(self) -> str:
        """The default schema, empty for none."""
        return self.repeatable.schema

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
        return not self._status & _TRANSACTION_FLAGS and self.repeatable.settings.knows(_AUTOCOMMIT)

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
        return bool(self.pins or self.pins.holds) or not self.repeatable.complete

    def tied(self, beside: frozenset[str]) -> str:
        """The first reason for which it is `private`, other than those `beside`; empty if there is none."""
        return next((reason for reason in (*self.pins.reasons(), *self.holds) if reason not in beside), "")

    @property
    def holds(self) -> tuple[str, ...]:
        """Why the primary's connection stays with the session, beside what also keeps reads on it."""
        return (*sorted(self.pins.holds), *(() if self.repeatable.complete else ("session-state",)))

    @property
    def text_settings(self) -> tuple[str, ...] | None:
        """What was set of all that changes the meaning of texts, equal for sessions that read them alike.

        None when it is not known.
        """
        return None if self.pins else self.repeatable.settings.of_texts

    # --- what a reply changes ----------------------------------------------------------------------------------------

    def apply(self, statement: Statement, text: bytes, seen: Seen) -> None:
        """Take over what a statement did, after a connection that has `seen` so much accepted it; `text` is its own."""
        for effect in statement.effects:
            _APPLY[type(effect)](self, effect, text, seen)
        if statement.writes:
            # LAST_INSERT_ID() asks the connection that wrote.
            self.insert_id = seen.insert_id = None
        if self.repeatable.settings.full:
            self.pins.add("many-settings")
        seen.version = self.repeatable.version
        self._judge()

    def leave_access(self, effects: Sequence[e.Effect], before: int) -> None:
        """A statement of these effects succeeded; `before` was the primary's status.

        SET autocommit that ends a transaction leaves to the next one whether it may write (observed on both vendors).
        """
        ended = before & SERVER_STATUS_IN_TRANS and not self._status & SERVER_STATUS_IN_TRANS
        if not ended or self.twins.read_only(before) == self.twins.read_only(self._status):
            return
        by_autocommit = any(isinstance(effect, e.SetVariable) and effect.name == _AUTOCOMMIT for effect in effects)
        if by_autocommit and not any(isinstance(effect, e.End) for effect in effects):
            self.pin_down(_NEXT_TRANSACTION, _ACCESS)

    def failed(self, statement: Statement, errno: int, begun: bool, seen: Seen) -> None:
        """A statement was answered with an error, `begun` after it had given a result; it may have done a part."""
        not_begun = errno in _NOT_BEGUN and not begun
        for effect in statement.effects:
            if errno == _NO_DEFAULT and isinstance(effect, e.SetVariable | e.SetNames):
                self._half_set(effect, seen)
            elif isinstance(effect, e.Prepare):
                self._not_prepared(effect, errno)
                if begun:
                    # It was one of several statements, and a later one may have failed.
                    self.pins.add(_TEXT_PREPARE, effect.name)
            elif not_begun:
                continue
            elif begun or not isinstance(effect, e.Pin) or may_hold_on_error(effect):
                self._may_have_happened(effect, seen)
        if statement.writes and not not_begun:
            self.insert_id = seen.insert_id = None
        self._judge()

    def _not_prepared(self, effect: e.Prepare, errno: int) -> None:
        """The error can be that of the text to be prepared, and what had the name before is gone then, too; but not if
        there was no text: the expression was wrong."""
        if errno != _NO_SUBQUERY and not (effect.textless and errno in _OF_EXPRESSION):
            self.repeatable.named.forget(effect.name)

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
            self.repeatable.variables.lose_all()

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
            self.repeatable.variables.lose_all()
        seen.version = self.repeatable.version
        self._judge()

    def _schema_reported(self, schema: str, effects: Sequence[e.Effect], seen: Seen) -> None:
        if not schema:
            self.pins.add(_NO_SCHEMA)
        elif not schema.isascii():
            if not any(isinstance(effect, e.UseSchema) for effect in effects):
                self.pins.add(_STATE_CHANGE)
        else:
            self.use(schema, schema.encode(), seen)

    def drops_schema(self, effect: e.Effect) -> bool:
        """Whether it is that the default schema is dropped."""
        return isinstance(effect, e.DropSchema) and effect.name.lower() == self.schema.lower()

    def pin_down(self, reason: str, name: str = "") -> None:
        """Keep the session on the primary."""
        self.pins.add(reason, name)
        self._judge()

    def use(self, schema: str, name: bytes, seen: Seen) -> None:
        """The default schema was set; `name` is the same in the character set of the client."""
        self.repeatable.use(schema, name)
        self.pins.end(_NO_SCHEMA)
        seen.version = self.repeatable.version
        self._judge()

    def lose_connection(self) -> None:
        """That to the primary is lost, and with it what only that connection knew."""
        if self.wrote:
            self.insert_id, self.insert_id_lost = 0, True

    @property
    def has_role(self) -> bool:
        """Whether the primary's connection has a role that a login would not give it."""
        return bool(self.repeatable.settings.roles) or _KEPT_ROLE in self.pins.reasons()

    def keep_role(self, roles: str) -> None:
        """A change of the user has left `roles`; empty if no other connection could be given them."""
        if roles:
            self.repeatable.settings.role(e.SetRole(roles))
        else:
            self.pin_down(_KEPT_ROLE)

    def set_option(self, packet: bytes, seen: Seen) -> None:
        """COM_SET_OPTION succeeded."""
        self.repeatable.settings.option(packet)
        seen.version = self.repeatable.version

    def reset(self) -> None:
        """COM_RESET_CONNECTION: everything but the default schema, the option and the roles is as after the login."""
        self.repeatable.reset()
        self.pins.clear_all_but(_NO_SCHEMA, _KEPT_ROLE)
        self.insert_id = 0
        self.insert_id_lost = False
        self.level = None
        self.twins.reset()
        self._judge()

    @property
    def transferable(self) -> bool:
        """Whether the primary's connection can be given to another session, and this one go on with another."""
        if self.pins or self.pins.holds or self._status & SERVER_STATUS_IN_TRANS or not self.schema.isascii():
            return False
        return self.repeatable.complete

    def _judge(self) -> None:
        self.free = not (self.pins or self.in_transaction or self.schema.lower() in SERVER_SCHEMAS)

    # --- one effect each ---------------------------------------------------------------------------------------------

    def _set_variable(self, effect: e.SetVariable, text: bytes, seen: Seen) -> None:
        self.repeatable.set_variable(effect)
        if effect.value:
            self.pins.end(f"set-expression:{effect.name}")
        else:
            self.pins.add(f"set-expression:{effect.name}")

    def _set_names(self, effect: e.SetNames, text: bytes, seen: Seen) -> None:
        self.repeatable.set_names(effect)

    def _set_role(self, effect: e.SetRole, text: bytes, seen: Seen) -> None:
        self.repeatable.settings.role(effect)
        self.pins.end(_KEPT_ROLE)

    def _set_user_variable(self, effect: e.SetUserVariable, text: bytes, seen: Seen) -> None:
        self.repeatable.set_user_variable(effect, seen)
        if effect.name == CHOICE:
            self.level = chosen(effect.value)

    def _set_transaction(self, effect: e.SetTransaction, text: bytes, seen: Seen) -> None:
        if not effect.session:
            self.pins.add(_NEXT_TRANSACTION, _ISOLATION if effect.isolation else _ACCESS)
            return
        self.repeatable.settings.transactions(effect)
        self.twins.of_session(effect.read_only, effect.isolation)

    def _use_schema(self, effect: e.UseSchema, text: bytes, seen: Seen) -> None:
        self.use(effect.name, self.reading.meaning.encoded(effect.name), seen)

    def _drop_schema(self, effect: e.DropSchema, text: bytes, seen: Seen) -> None:
        if self.drops_schema(effect):
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
        self.released = effect.release or (self.repeatable.releases and not effect.keep)

    def _pin(self, effect: e.Pin, text: bytes, seen: Seen) -> None:
        self.pins.pin(effect, self.schema)

    def _unpin(self, effect: e.Unpin, text: bytes, seen: Seen) -> None:
        self.pins.unpin(effect, self.schema)

    def _hold(self, effect: e.Hold, text: bytes, seen: Seen) -> None:
        if effect.reason in _SETS_INSERT_ID:
            self.insert_id = seen.insert_id = None
            return
        if effect.reason == _UNKNOWN_FUNCTION:
            self.repeatable.variables.lose_all()
        self.pins.hold(effect)

    def _renamed(self, effect: e.Renamed, text: bytes, seen: Seen) -> None:
        self.pins.renamed(effect, self.schema)

    def _prepare(self, effect: e.Prepare, text: bytes, seen: Seen) -> None:
        if effect.statement is None:
            self.repeatable.named.forget(effect.name)
            self.pins.add(_TEXT_PREPARE, effect.name)
        else:
            self.repeatable.prepare(effect.name, effect.statement, text, seen)
            self.pins.end(_TEXT_PREPARE, effect.name)

    def _deallocate(self, effect: e.Deallocate, text: bytes, seen: Seen) -> None:
        self.repeatable.named.forget(effect.name)
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
