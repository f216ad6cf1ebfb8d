"""The session without any I/O: which request a packet makes, what a connection lacks for it, what a reply changes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from proxy.routing.policy import Route, Target, decide
from proxy.routing.state import OPTION, USE, Seen, SessionState
from proxy.session.prepared import Prepared, renumbered
from proxy.sql.statement import PRIMARY, READ, SESSION, TRANSACTION, Kind, Statement, primary
from proxy.wire import constants as c
from proxy.wire.commands import REPLIES, statement_id
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import frame
from proxy.wire.replies import Err

_RESULT: Final = Reply.RESULT
_NEUTRAL: Final = primary("command", writes=False)
_TO_PRIMARY: Final = Route(Target.PRIMARY, "command")
_TOO_LARGE: Final = primary("too-large", "unknown-statement")
_LONG_DATA: Final = Route(Target.PRIMARY, "long-data")
_OTHER_MEANING: Final = Route(Target.PRIMARY, "prepared-before-a-setting")
_RESET: Final = frame(bytes((c.COM_RESET_CONNECTION,)), 0)
# Of these a large one is not held but passed through to the primary.
STREAMED: Final = frozenset({c.COM_QUERY, c.COM_STMT_EXECUTE, c.COM_STMT_SEND_LONG_DATA})


class Request:
    """One command on its way to a server.

    `plain` marks a read in text, the common case: it leaves nothing behind anywhere and needs no translation.
    `server` is the name of the one that it must go to, empty when its route decides. `streamed` says that `packet` is
    only its beginning. `avoid` holds the names of servers that could not serve it.
    """

    server: str = ""
    streamed: bool = False
    avoid: frozenset[str] = frozenset()

    def __init__(
        self, packet: bytes, statement: Statement, route: Route, reply: Reply, prepared: Prepared | None = None
    ) -> None:
        self.code = packet[c.HEADER_SIZE]
        self.packet = packet
        self.statement = statement
        self.route = route
        self.reply = reply
        self.prepared = prepared
        self.plain = prepared is None and statement.kind is READ


@dataclass(frozen=True, slots=True)
class Prelude:
    """A command that a connection needs before a request; its reply is not for the client.

    Exactly one of the fields after `reply` says what the connection has seen once it succeeded.
    """

    packet: bytes
    reply: Reply = Reply.RESULT
    resets: int = -1
    version: int = -1
    number: int = -1


class Machine:
    """One session. `statement_of` classifies a text."""

    def __init__(self, statement_of: Callable[[bytes], Statement], state: SessionState) -> None:
        self.state = state
        self._statement_of = statement_of
        self._prepared: dict[int, Prepared] = {}
        self._last_number = 0
        self._dirty = False

    @property
    def movable(self) -> bool:
        """Whether the session can go on with another connection to the primary when it loses the one it has."""
        state = self.state
        return not (state.pin or state.private or state.in_transaction or self._prepared)

    def request(self, packet: bytes) -> Request | Err:
        """The request that a whole command packet makes, or the error that answers it."""
        code = packet[c.HEADER_SIZE]
        if code == c.COM_QUERY:
            statement = self._statement_of(packet[5:])
            return Request(packet, statement, decide(statement, self.state), _RESULT)
        if code == c.COM_STMT_EXECUTE:
            return self._execute(packet)
        if code in _PREPARED_COMMANDS:
            return self._prepared_command(packet)
        return self._other(packet)

    def streamed(self, head: bytes) -> Request | Err:
        """The request that a large command makes, from its first bytes: always for the primary."""
        if head[c.HEADER_SIZE] == c.COM_QUERY:
            request: Request | Err = Request(head, _TOO_LARGE, _TO_PRIMARY, Reply.RESULT)
        else:
            request = self.request(head)
        if isinstance(request, Request):
            request.route = Route(Target.PRIMARY, "too-large")
            request.streamed = True
        return request

    def _other(self, packet: bytes) -> Request | Err:
        code = packet[c.HEADER_SIZE]
        reply = REPLIES.get(code)
        if reply is None:
            return Err(c.ER_UNKNOWN_COM, "Unknown command", "08S01")
        statement = _NEUTRAL
        if code == c.COM_STMT_PREPARE:
            statement = self._statement_of(packet[5:])
        elif code == c.COM_INIT_DB:
            name = packet[5:].decode("utf-8", "replace")
            statement = Statement(Kind.SESSION, "session-setting", setting=USE, schema=name)
        elif code == c.COM_SET_OPTION:
            statement = Statement(Kind.SESSION, "session-setting", setting=OPTION)
        return Request(packet, statement, _TO_PRIMARY, reply)

    def _execute(self, packet: bytes) -> Request | Err:
        prepared = self._prepared.get(statement_id(packet))
        if prepared is None:
            return _unknown_statement(packet)
        try:
            prepared.types = prepared.types_in(packet) or prepared.types
        except MalformedPacket as error:
            return Err(c.ER_PROXY_INTERNAL, str(error))
        return Request(packet, prepared.statement, self._route(prepared), _RESULT, prepared)

    def _route(self, prepared: Prepared) -> Route:
        if prepared.long_data:
            # It was sent to the primary, so the execution that it is for has to run there.
            return _LONG_DATA
        if prepared.meaning != self.state.meaning:
            # Prepared on a replica now, the same text would name tables of another schema.
            return _OTHER_MEANING
        return decide(prepared.statement, self.state)

    def _prepared_command(self, packet: bytes) -> Request | Err:
        code = packet[c.HEADER_SIZE]
        prepared = self._prepared.get(statement_id(packet))
        if prepared is None:
            return _unknown_statement(packet)
        if code == c.COM_STMT_SEND_LONG_DATA:
            prepared.long_data = True
        request = Request(packet, _NEUTRAL, _TO_PRIMARY, REPLIES[code], prepared)
        if code == c.COM_STMT_FETCH or not prepared.long_data:
            # A cursor is where the statement was executed last.
            request.server = prepared.server
        return request

    def close_statement(self, packet: bytes) -> Prepared | None:
        """COM_STMT_CLOSE: forget the statement and return it, so that it can be closed where it is known."""
        return self._prepared.pop(statement_id(packet), None)

    def prelude(self, seen: Seen, request: Request) -> Prelude | None:
        """What a connection has to be told before `request`; None when it is in step."""
        state = self.state
        if seen.resets != state.resets:
            return Prelude(_RESET, resets=state.resets)
        if seen.version != state.version:
            if (setting := state.missing(seen.version)) is not None:
                return Prelude(setting.packet, version=setting.version)
            seen.version = state.version
        prepared = request.prepared
        if prepared is not None and prepared.number not in seen.statements:
            return Prelude(prepared.packet, Reply.PREPARED, number=prepared.number)
        return None

    def prelude_done(self, prelude: Prelude, seen: Seen, exchange: Exchange) -> None:
        """A prelude succeeded."""
        if prelude.resets >= 0:
            seen.resets = prelude.resets
            seen.statements.clear()
            seen.types.clear()
        elif prelude.version >= 0:
            seen.version = prelude.version
        elif exchange.prepared is not None:
            seen.statements[prelude.number] = exchange.prepared[0]

    def packet_for(self, seen: Seen, request: Request) -> bytes:
        """The request's packet as the server of a connection must get it: its statement number, its types."""
        prepared = request.prepared
        if prepared is None:
            return request.packet
        packet = request.packet
        if request.code == c.COM_STMT_EXECUTE and prepared.types:
            if seen.types.get(prepared.number) != prepared.types and not prepared.types_in(packet):
                packet = prepared.with_types(packet)
            seen.types[prepared.number] = prepared.types
        return renumbered(packet, seen.statements[prepared.number])

    def sent(self, request: Request, server: str) -> None:
        """A request is on its way to `server`: what must hold from now on, whatever the reply will be."""
        statement = request.statement
        if request.code == c.COM_STMT_PREPARE:
            return
        if statement.pin and statement.kind is PRIMARY:
            self.state.pin_down(statement.pin)
        if statement.kind is PRIMARY and (statement.writes or statement.reason.startswith(_PRIVATE)):
            # Also after a plain write: LAST_INSERT_ID() asks the connection that did it.
            self.state.private = True
        if request.code == c.COM_STMT_EXECUTE and request.prepared is not None:
            request.prepared.server = server

    def refused_as_write(self, request: Request, statement: Statement) -> None:
        """A replica refused what was taken for a read; `statement` is what it is taken for from now on."""
        request.statement, request.plain = statement, False
        if request.prepared is not None:
            request.prepared.statement = statement

    def wrote(self, request: Request) -> bool:
        """Whether others may see changed data now that (a part of) the reply to `request` is here."""
        statement = request.statement
        if request.code == c.COM_STMT_PREPARE:
            return False
        if statement.kind is TRANSACTION or statement.kind is SESSION:
            # COMMIT, or a SET autocommit that commits: counts only if something was written in the transaction.
            return self._dirty
        if statement.writes:
            self._dirty = True
        return statement.writes

    def replied(self, request: Request, exchange: Exchange, seen: Seen, on_primary: bool) -> None:
        """The reply to `request` is complete."""
        if on_primary and exchange.status >= 0:
            self.state.status = exchange.status
            self._dirty = self._dirty and self.state.in_transaction
        if request.code == c.COM_STMT_EXECUTE and request.prepared is not None:
            request.prepared.long_data = False
        if exchange.errno:
            return
        if request.statement.kind is SESSION and request.code != c.COM_STMT_PREPARE:
            self._apply(request, seen)
        elif request.code == c.COM_RESET_CONNECTION:
            self._reset(seen)
        elif request.code == c.COM_STMT_RESET and request.prepared is not None:
            request.prepared.long_data = False

    def _apply(self, request: Request, seen: Seen) -> None:
        packet = request.packet
        if request.prepared is not None:
            packet = frame(bytes((c.COM_QUERY,)) + request.prepared.packet[5:], 0)
        self.state.apply(request.statement, packet)
        seen.version = self.state.version

    def _reset(self, seen: Seen) -> None:
        self.state.reset()
        self._prepared.clear()
        seen.resets = self.state.resets
        seen.statements.clear()
        seen.types.clear()

    def prepared(self, request: Request, exchange: Exchange, seen: Seen) -> int:
        """A COM_STMT_PREPARE succeeded on the primary: the number under which the client shall know the statement."""
        assert exchange.prepared is not None
        number, _, parameters = exchange.prepared
        self._last_number += 1
        self._prepared[self._last_number] = Prepared(
            self._last_number, request.packet, request.statement, parameters, self.state.meaning
        )
        seen.statements[self._last_number] = number
        return self._last_number


_PREPARED_COMMANDS: Final = frozenset({c.COM_STMT_SEND_LONG_DATA, c.COM_STMT_RESET, c.COM_STMT_FETCH})
# Statements that may leave something behind in the primary's connection that does not change how reads are answered.
_PRIVATE: Final = (
    *("user-variable", "unknown-function", "primary-function", "do", "select-into", "node", "word", "not-a-query"),
    *("unparsed", "too-large", "multi-statement", "unlock"),
)


def _unknown_statement(packet: bytes) -> Err:
    return Err(
        c.ER_UNKNOWN_STMT_HANDLER,
        f"Unknown prepared statement handler ({statement_id(packet)}) given to the proxy",
    )
