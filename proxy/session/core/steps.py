"""What a connection lacks for a request, and the request's packet as that connection's server has to get it. Pure."""

from dataclasses import replace
from typing import Final

from proxy.routing.reading import changes_texts
from proxy.routing.state import Seen, SessionState
from proxy.routing.variables import set_text
from proxy.session.core.diagnostics import NO_WARNINGS
from proxy.session.core.prepared import Prepared, renumbered
from proxy.session.core.request import Prelude, Request
from proxy.session.core.statements import Statements
from proxy.sql.effects import Deallocate, Execute, Pin, UseSchema
from proxy.sql.statement import READ
from proxy.wire import constants as c
from proxy.wire.commands import EXECUTIONS, closing
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import frame
from proxy.wire.queryattributes import query_payload

# So many commands, of so many bytes, go in one write.
_MOST_AHEAD: Final = 8
_LARGEST_AHEAD: Final = 16 * 1024
_TWIN: Final = b"START TRANSACTION"
# Nothing is open behind this: the first read of a table begins it, as it would on the primary.
_LATER: Final = b"COMMIT"
_READ_ONLY_TWIN: Final = b"START TRANSACTION READ ONLY"
_RESET: Final = frame(bytes((c.COM_RESET_CONNECTION,)), 0)


class Steps:
    """The way of a request on a connection, from preludes to its packet. `attributes`: COM_QUERY has room for them."""

    def __init__(self, state: SessionState, statements: Statements, attributes: bool) -> None:
        self._state = state
        self._repeatable = state.repeatable
        self._statements = statements
        self._attributes = attributes

    def query(self, text: bytes) -> bytes:
        """A COM_QUERY, as the connections of the session take it."""
        return frame(query_payload(text, attributes=self._attributes), 0)

    def prelude(self, seen: Seen, request: Request, *, again: bool = False) -> Prelude | None:
        """What a connection has to be told before `request`; None when it is in step. `again`: it ran elsewhere before,
        and takes part in what is open here, not in a twin.
        """
        state, has = self._state, self._repeatable
        if seen.resets != has.resets or seen.version != has.version or state.insert_id != seen.insert_id:
            step = self.next_setting(seen, request)
            if step is not None:
                return step
        if request.route.twin and not again and seen.transaction != state.twins.number:
            begin = _LATER if state.begins_itself else _READ_ONLY_TWIN if state.reads_only else _TWIN
            return Prelude(self.query(begin), transaction=state.twins.number)
        if has.variables.known and (step := self._variables(seen)) is not None:
            return step
        if request.plain:
            return self._name_again(seen, request.named) if request.named else None
        if request.named and (step := self._name_again(seen, request.named)) is not None:
            return step
        prepared = request.prepared
        if prepared is not None and prepared.form not in seen.statements:
            return self._reach(seen, prepared)
        if request.code == c.COM_INIT_DB or (request.statement.effects and request.code != c.COM_STMT_PREPARE):
            step = self._names_again(seen, request) or self._before_other_meaning(seen, request)
            if step is not None:
                return step
        if request.again:
            return self._again(seen, request)
        return self._before(seen, request) if request.before else None

    def _before(self, seen: Seen, request: Request) -> Prelude:
        text, request.before = request.before, b""
        # It may leave an error on purpose, which nobody else shall see.
        fails = text != NO_WARNINGS
        seen.warned = seen.warned or fails
        return Prelude(self.query(text), lenient=fails)

    def _again(self, seen: Seen, request: Request) -> Prelude:
        """What the session has read elsewhere, and the request asks about, is read here, too."""
        first = request.again[0]
        if (step := self.prelude(seen, first, again=True)) is not None:
            return step
        request.again = request.again[1:]
        return Prelude(self.packet_for(seen, first), first.reply, again=True, errno=first.errno)

    def _variables(self, seen: Seen) -> Prelude | None:
        """Set the user variables that can be told, all of them: a trigger, or a view's function, may read any."""
        if missing := self._repeatable.missing_variables(seen):
            versions = {name: variable.version for name, variable in missing.items()}
            return Prelude(self.query(set_text(missing).encode()), variables=versions)
        return None

    def _name_again(self, seen: Seen, name: str) -> Prelude | None:
        """Prepare as text, on this connection, what the session has prepared under a name."""
        statement = self._repeatable.named.find(name)
        if statement is None or seen.named.get(name) == statement.version:
            return None
        return Prelude(self.query(statement.text), named=(name, statement.version))

    def next_setting(self, seen: Seen, request: Request | None = None) -> Prelude | None:
        """What the session has set that a connection has to be told first; None when it has been told everything."""
        state, has = self._state, self._repeatable
        if seen.resets != has.resets:
            return Prelude(_RESET, resets=has.resets)
        if seen.version != has.version and (step := self._catch_up(seen, request)) is not None:
            return step
        if seen.insert_id == state.insert_id or state.insert_id is None:
            return None
        return Prelude(self.query(b"SET last_insert_id = %d" % state.insert_id), insert_id=state.insert_id)

    def _names_again(self, seen: Seen, request: Request) -> Prelude | None:
        """Prepare as text what the request executes or gives up, maybe among other statements; all, where that may be
        any, as a procedure can execute them, too."""
        effects = request.statement.effects
        for effect in effects:
            if isinstance(effect, Execute | Deallocate) and (step := self._name_again(seen, effect.name)) is not None:
                return step
        return self._all_names_again(seen) if any(isinstance(effect, Pin) for effect in effects) else None

    def _all_names_again(self, seen: Seen) -> Prelude | None:
        for name in self._repeatable.named.names():
            if (step := self._name_again(seen, name)) is not None:
                return replace(step, lenient=True)
        return None

    def _catch_up(self, seen: Seen, request: Request | None) -> Prelude | None:
        if seen.detour is not None and (step := self._on_detour(seen, request)) is not None:
            return step
        if (setting := self._repeatable.missing(seen.version)) is not None:
            return Prelude(setting.packet or self.query(setting.text.encode()), version=setting.version)
        seen.version = self._repeatable.version
        return None

    def _reach(self, seen: Seen, prepared: Prepared) -> Prelude:
        """Prepare a statement: in the schema in which the client did, if its text can depend on that."""
        if not prepared.schema or prepared.schema == self._state.schema:
            return self._preparing(seen, prepared)
        self._repeatable.leave_schema()
        packet = frame(bytes((c.COM_INIT_DB,)) + prepared.schema.encode(), 0)
        return Prelude(packet, detour=prepared.form)

    def out_of_reach(self, prepared: Prepared) -> bool:
        """Whether a statement cannot be prepared as it was: the client has closed it, and its schema, or what texts
        mean, was another one."""
        alike = prepared.schema in ("", self._state.schema) and prepared.texts == self._state.reading.version
        return not alike and self._statements.of(prepared.form) is not prepared

    def _on_detour(self, seen: Seen, request: Request | None) -> Prelude | None:
        """The connection is in the schema of a statement: prepare that now, and then come back."""
        assert seen.detour is not None
        prepared, seen.detour = self._statements.of(seen.detour), None
        if prepared is None or prepared.form in seen.statements:
            return None
        step = self._preparing(seen, prepared)
        return step if request is not None and prepared is request.prepared else replace(step, optional=prepared.form)

    def _preparing(self, seen: Seen, prepared: Prepared) -> Prelude:
        packet = self._statements.room(seen, self._state.reading.version) + prepared.packet
        return Prelude(packet, Reply.PREPARED, form=prepared.form)

    def _before_other_meaning(self, seen: Seen, request: Request) -> Prelude | None:
        """Tell the primary's connection what it lacks and could not be told any more: behind the request the same text
        could mean something else, or name a table of another schema."""
        effects = request.statement.effects
        # No connection comes back to having no schema, to which dropping the default one leads.
        ends = any(map(changes_texts, effects)) or any(map(self._state.drops_schema, effects))
        if not (ends or request.code == c.COM_INIT_DB or any(isinstance(effect, UseSchema) for effect in effects)):
            return None
        if (step := self._all_names_again(seen)) is not None:
            return step
        return self._before_other_texts(seen) if ends else None

    def _before_other_texts(self, seen: Seen) -> Prelude | None:
        seen.most = max(seen.most, len(self._statements))
        missing = self._statements.missing(seen)
        return replace(self._reach(seen, missing), optional=missing.form) if missing is not None else None

    def ahead(self, seen: Seen, request: Request) -> list[bytes]:
        """What may be written in one with the next prelude: the others, and the request at the end; empty if that
        cannot be told yet, or the request is anything but a read.

        A read that ran although a prelude in front of it failed has changed nothing, and its reply is given to nobody.
        """
        readable = request.statement.kind is READ and not (
            request.named or request.before or request.again or request.streamed
        )
        if not readable or request.statement.effects or request.route.twin or seen.detour is not None:
            return []
        seen, prepared = seen.copy(), request.prepared
        packets: list[bytes] = []
        while len(packets) <= _MOST_AHEAD:
            told = self.next_setting(seen, request) or self._variables(seen)
            if told is None:
                if prepared is not None and prepared.form not in seen.statements:
                    return []
                packets.append(request.packet if request.plain else self.packet_for(seen, request))
                return packets[1:] if sum(map(len, packets)) <= _LARGEST_AHEAD else []
            packets.append(told.packet)
            self.prelude_done(told, seen)
        return []

    def prelude_done(self, prelude: Prelude, seen: Seen, exchange: Exchange | None = None) -> None:
        """A prelude succeeded; only of those that prepare a statement the reply matters."""
        if prelude.resets >= 0:
            seen.resets = prelude.resets
            seen.forget_all()
        elif prelude.transaction:
            seen.transaction = prelude.transaction
        elif prelude.insert_id >= 0:
            seen.insert_id = prelude.insert_id
        elif prelude.version >= 0:
            seen.version = prelude.version
        elif prelude.detour is not None:
            seen.detour = prelude.detour
        elif prelude.variables is not None:
            seen.variables.update(prelude.variables)
        elif prelude.named[0]:
            seen.named[prelude.named[0]] = prelude.named[1]
        elif exchange is not None and exchange.prepared is not None and prelude.form is not None:
            seen.statements[prelude.form] = exchange.prepared[0]

    def prelude_failed(self, prelude: Prelude, seen: Seen) -> bool:
        """A prelude was answered with an error; returns whether the request can do without it."""
        if prelude.optional is not None:
            # No statement has this number: when it is executed, the server's error says why it cannot be.
            seen.statements[prelude.optional] = 0
        elif prelude.lenient:
            self.prelude_done(prelude, seen)
        return prelude.optional is not None or prelude.lenient

    def _before_prepare(self, seen: Seen, packet: bytes) -> bytes:
        """COM_STMT_CLOSEs that make room, one of them for what another session has left there under the same text."""
        form = self._statements.next_form(packet, self._state)
        twin = closing(seen.forget(form)) if form in seen.statements else b""
        return twin + self._statements.room(seen, self._state.reading.version)

    def packet_for(self, seen: Seen, request: Request) -> bytes:
        """The request's packet as the server of a connection must get it: its statement number, its types.

        Before it goes what belongs to it: long data that was held, and COM_STMT_CLOSEs that make room.
        """
        prepared, packet = request.prepared, request.packet
        if prepared is None:
            return self._before_prepare(seen, packet) + packet if request.code == c.COM_STMT_PREPARE else packet
        if request.code in EXECUTIONS and prepared.types:
            if seen.types.get(prepared.form) != prepared.types and not prepared.types_in(packet):
                packet = prepared.with_types(packet)
            seen.types[prepared.form] = prepared.types
        number = seen.used(prepared.form)
        packet = renumbered(packet, number)
        if prepared.held and request.code != c.COM_STMT_FETCH:
            return b"".join(renumbered(piece, number) for piece in prepared.held) + packet
        return packet
