"""Which request a command packet makes. Pure."""

from typing import Final

from proxy.routing.policy import REPLICA, Route, Target, decide, route_to
from proxy.routing.rules import Rules
from proxy.routing.state import SessionState
from proxy.routing.twins import sees_snapshot
from proxy.session.core.prepared import Prepared
from proxy.session.core.request import Asked, Explained, Request
from proxy.session.core.statements import Statements
from proxy.session.core.wording import malformed, no_clone, no_cursor, too_many_statements, unknown_command
from proxy.sql.cache import StatementCache
from proxy.sql.classify import UNKNOWN
from proxy.sql.comments import Unreadable
from proxy.sql.digest import digest_text
from proxy.sql.effects import Execute
from proxy.sql.hints import NO_HINT
from proxy.sql.kill import KILL, Kill, parse_kill
from proxy.sql.lexer import digest
from proxy.sql.own import ORDER, SHOW_PROXY, WRITES, proxy_order, show_proxy, without_explain, writes_held
from proxy.sql.prepares import EXECUTE, with_parameters
from proxy.sql.statement import OWN, PRIMARY, READ, SERVER_SCHEMAS, primary
from proxy.wire import constants as c
from proxy.wire.commands import DUMPS, EXECUTIONS, REPLIES
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Reply
from proxy.wire.framing import frame
from proxy.wire.queryattributes import has_attributes, text_of
from proxy.wire.replies import Err
from topology.servers import Vendor

_RESULT: Final = Reply.RESULT
_NEUTRAL: Final = primary("command", writes=False)
_TO_PRIMARY: Final = route_to(Target.PRIMARY, "command")
_TOO_LARGE: Final = primary("too-large", UNKNOWN, variables=None)
_UNKNOWN_NAME: Final = primary(EXECUTE, UNKNOWN, variables=None)
_LONG_DATA: Final = route_to(Target.PRIMARY, "long-data")
_OTHER_MEANING: Final = route_to(Target.PRIMARY, "prepared-before-a-setting")
_OTHER_SCHEMA: Final = route_to(Target.PRIMARY, "server-local")
_BULK: Final = route_to(Target.PRIMARY, "bulk")
_LARGE: Final = route_to(Target.PRIMARY, "too-large")


class Requests:
    """Makes one session's. `cache` classifies its texts, `vendor` is that of the servers, `rules` are for `user`, whose
    session it is. `attributes`: the client's queries have room for query attributes."""

    def __init__(
        self,
        cache: StatementCache,
        state: SessionState,
        statements: Statements,
        vendor: Vendor,
        rules: Rules | None,
        user: str,
        *,
        attributes: bool,
    ) -> None:
        self._cache = cache
        self._state = state
        self._statements = statements
        self._vendor = vendor
        self.rules = rules
        self._user = user
        self._attributes = attributes
        self.read_anew()

    def read_anew(self) -> None:
        """Texts mean something else from now on, if a setting has changed that they depend on."""
        self.reading = self._state.reading.meaning
        self._statement_of = self._cache.reader(self.reading)

    def make(self, packet: bytes) -> Request | Err | Asked | None:
        """The request that a whole command packet makes, or the error that answers it; None: nothing is to be done.

        What is asked of the proxy itself is to be answered with what is known of all sessions.
        """
        code = packet[c.HEADER_SIZE]
        if code == c.COM_QUERY:
            try:
                text = text_of(packet) if self._attributes else packet[5:]
            except MalformedPacket:
                return malformed(self._vendor)
            statement = self._statement_of(text)
            request = Request(packet, statement, decide(statement, self._state), _RESULT)
            if statement.kind is READ:
                if statement.hint is not NO_HINT or self.rules is not None:
                    self._steer(request)
                return request
            return self._own(request, text) if statement.kind is OWN else self._further(request, text)
        if code in EXECUTIONS:
            return self._execute(packet)
        if code in _PREPARED_COMMANDS:
            return self._prepared_command(packet)
        return self._other(packet)

    def _steer(self, request: Request) -> None:
        """Heed a hint, or else the rules, about a read that may run on a replica."""
        if request.route.target is not REPLICA:
            return
        statement = request.statement
        wish = statement.hint
        if self.rules is not None:
            rule = self.rules.decide(self._user, self._state.schema, statement.tally)
            request.limit = rule.timeout
            if not wish.decides:
                wish, request.rule = rule.wish, rule.number
        if wish.primary:
            request.route = route_to(Target.PRIMARY, "rule")
        elif wish.decides:
            request.wish = wish

    def _further(self, request: Request, text: bytes) -> Request:
        """What there is to know of a text that is no read."""
        if request.statement.reason == KILL:
            request.kill = parse_kill(text)
        return self._named(request) if request.statement.reason == EXECUTE else request

    def _own(self, request: Request, text: bytes) -> Asked | Request:
        """A statement for the proxy itself; if its words are hidden in comments, it is for the primary to refuse."""
        try:
            if request.statement.reason == WRITES:
                return writes_held(self._cache.bare(text, self.reading).text) or request
            if request.statement.reason == SHOW_PROXY:
                return show_proxy(self._cache.bare(text, self.reading).text) or request
            if request.statement.reason == ORDER:
                return proxy_order(self._cache.bare(text, self.reading).text) or request
            explained = without_explain(text)
            return request if explained is None else self._explained(explained)
        except Unreadable:
            return request

    def _explained(self, text: bytes) -> Explained:
        shown = digest_text(digest(self._cache.bare(text, self.reading).text))
        statement = self._statement_of(text)
        packet = frame(bytes((c.COM_QUERY,)) + text, 0)
        request = self._further(Request(packet, statement, decide(statement, self._state), _RESULT), text)
        self._steer(request)
        return Explained(request, shown)

    def text(self, request: Request) -> bytes:
        """The statement's text, of a request that has one."""
        if request.prepared is not None:
            return request.prepared.packet[5:]
        return text_of(request.packet) if self._attributes else request.packet[5:]

    def binds(self, request: Request) -> bool:
        """Whether a request that runs on the primary binds its transaction to what that has: to its snapshot, if it
        reads there; to its locks and changes, if it may write."""
        if request.code != c.COM_QUERY and request.code not in EXECUTIONS:
            return False
        if not self._state.reads_only:
            return request.statement.kind in (READ, PRIMARY)
        return sees_snapshot(request.statement, self.text(request))

    def may_avoid(self, request: Request) -> bool:
        """Whether a request has query attributes, and need not go to a server that knows none."""
        if request.route.target is not REPLICA or request.route.twin:
            return False
        try:
            prepared = request.prepared
            return has_attributes(request.packet) if prepared is None else prepared.has_attributes(request.packet)
        except MalformedPacket:
            return False

    def streamed(self, head: bytes) -> Request | Err | None:
        """The request that a large command makes, from its first bytes: always for the primary."""
        if head[c.HEADER_SIZE] == c.COM_QUERY:
            request: Request | Err | None = Request(head, _TOO_LARGE, _TO_PRIMARY, Reply.RESULT)
        elif head[c.HEADER_SIZE] == c.COM_STMT_SEND_LONG_DATA:
            request = self._long_data(head, may_hold=False)
        else:
            made = self.make(head)
            # Texts are not among these.
            assert not isinstance(made, Asked)
            request = made
        if isinstance(request, Request):
            request.route = _LARGE
            request.streamed = True
        return request

    def _other(self, packet: bytes) -> Request | Err:
        code = packet[c.HEADER_SIZE]
        if code == c.COM_CLONE and self._vendor is Vendor.MYSQL:
            return no_clone()
        reply = REPLIES.get(code)
        if reply is None or (code == c.COM_BINLOG_DUMP_GTID and self._vendor is Vendor.MARIADB):
            return unknown_command()
        statement = _NEUTRAL
        if code == c.COM_STMT_PREPARE:
            if count := self._statements.full(packet):
                return too_many_statements(count)
            statement = self._statement_of(packet[5:])
        request = Request(packet, statement, _TO_PRIMARY, reply)
        request.streamed = code in DUMPS
        if code == c.COM_PROCESS_KILL:
            request.kill = Kill(int.from_bytes(packet[5:9], "little"))
        return request

    def _named(self, execute: Request) -> Request:
        """EXECUTE as text: it is what the text is that was prepared, with the variables that give it its values."""
        name = next((effect.name for effect in execute.statement.effects if isinstance(effect, Execute)), "")
        named = self._state.repeatable.named.find(name)
        if named is None:
            execute.statement = _UNKNOWN_NAME
            return execute
        statement = with_parameters(named.statement, execute.statement.variables)
        same = named.meaning == (self._state.schema, self._state.reading.version)
        route = decide(statement, self._state) if same else _OTHER_MEANING
        request = Request(execute.packet, statement, route, _RESULT)
        request.named = name
        self._steer(request)
        return request

    def _execute(self, packet: bytes) -> Request | Err:
        code = packet[c.HEADER_SIZE]
        if code == c.COM_STMT_BULK_EXECUTE and self._vendor is not Vendor.MARIADB:
            return unknown_command()
        prepared = self._statements.find(packet)
        if isinstance(prepared, Err):
            return prepared
        try:
            prepared.types = prepared.types_in(packet) or prepared.types
        except MalformedPacket:
            return malformed(self._vendor)
        route = _BULK if code == c.COM_STMT_BULK_EXECUTE else self._route(prepared)
        request = Request(packet, prepared.statement, route, _RESULT, prepared)
        request.at = prepared.spilled
        if prepared.statement.hint is not NO_HINT or self.rules is not None:
            self._steer(request)
        if prepared.statement.reason == KILL:
            request.kill = parse_kill(prepared.packet[5:], prepared.integer_in(packet))
        return request

    def _route(self, prepared: Prepared) -> Route:
        if prepared.spilled is not None:
            # The execution that the long data is for has to run where it was sent.
            return _LONG_DATA
        if prepared.texts != self._state.reading.version:
            # Prepared on a replica now, the same text could mean something else.
            return _OTHER_MEANING
        if prepared.schema != self._state.schema and not self._can_visit(prepared.schema):
            return _OTHER_SCHEMA
        return decide(prepared.statement, self._state)

    def _can_visit(self, schema: str) -> bool:
        """Whether a text can be prepared in `schema` on a replica, and the session's own schema be returned to.

        The names of the session's character set are only known to be right as long as they are ASCII.
        """
        return schema.lower() not in SERVER_SCHEMAS and (schema + self._state.schema).isascii()

    def _prepared_command(self, packet: bytes) -> Request | Err | None:
        code = packet[c.HEADER_SIZE]
        if code == c.COM_STMT_SEND_LONG_DATA:
            return self._long_data(packet)
        prepared = self._statements.find(packet)
        if isinstance(prepared, Err):
            return prepared
        if code == c.COM_STMT_FETCH and prepared.cursor is None:
            return no_cursor(prepared.number, self._vendor)
        request = Request(packet, _NEUTRAL, _TO_PRIMARY, REPLIES[code], prepared)
        # What there is to reset is where the statement was executed last.
        request.at = (
            prepared.cursor if code == c.COM_STMT_FETCH else prepared.spilled or prepared.cursor or prepared.ran
        )
        return request

    def _long_data(self, packet: bytes, may_hold: bool = True) -> Request | Err | None:
        """Hold a piece of long data here, or have it sent to the primary: then it stays there until the execution."""
        prepared = self._statements.find(packet)
        if isinstance(prepared, Err):
            # An unknown statement is passed over in silence.
            return prepared if prepared.errno == c.ER_MALFORMED_PACKET else None
        if may_hold and self._statements.hold(prepared, packet):
            return None
        request = Request(packet, _NEUTRAL, _TO_PRIMARY, Reply.NONE, prepared)
        request.at = prepared.spilled
        return request


_PREPARED_COMMANDS: Final = frozenset({c.COM_STMT_SEND_LONG_DATA, c.COM_STMT_RESET, c.COM_STMT_FETCH})
