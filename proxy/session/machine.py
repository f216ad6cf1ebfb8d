"""The session without any I/O: which request a packet makes, and what a reply changes."""

from dataclasses import replace
from typing import Final

from proxy.routing.forms import Forms
from proxy.routing.policy import READ_ONLY, REPLICA, Route, Target, decide, route_to
from proxy.routing.readonly import sees_snapshot
from proxy.routing.rules import Rules
from proxy.routing.state import Seen, SessionState
from proxy.routing.told import Told
from proxy.session.diagnostics import Kept, WholeReply, kept_from, next_question, retell
from proxy.session.prepared import Prepared
from proxy.session.request import Asked, Explained, Prelude, Request
from proxy.session.statements import Limits, Statements
from proxy.session.steps import Steps
from proxy.session.wording import malformed, no_clone, no_cursor, too_many_statements, unknown_command
from proxy.sql.cache import StatementCache
from proxy.sql.classify import MULTI_STATEMENT, UNKNOWN
from proxy.sql.comments import Unreadable
from proxy.sql.digest import digest_text
from proxy.sql.effects import Execute
from proxy.sql.hints import NO_HINT
from proxy.sql.kill import KILL, Kill, parse_kill
from proxy.sql.lexer import digest
from proxy.sql.own import SHOW_PROXY, show_proxy, without_explain
from proxy.sql.prepares import EXECUTE, with_parameters
from proxy.sql.settings import SET_STATEMENT
from proxy.sql.statement import (
    DIAGNOSTIC,
    NO_TABLES,
    OWN,
    PRIMARY,
    READ,
    SERVER_SCHEMAS,
    SESSION,
    TRANSACTION,
    Statement,
    Tables,
    primary,
    touched,
)
from proxy.wire import constants as c
from proxy.wire.commands import DUMPS, EXECUTIONS, REPLIES
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import frame
from proxy.wire.queryattributes import has_attributes, text_of
from proxy.wire.replies import Err
from proxy.wire.sessiontrack import SessionTrack
from topology.freshness import resolved
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
# In a transaction these commit first.
_COMMITTING: Final = frozenset({"lock", "unlock", "flush-lock", "backup"})
# Of a transaction that has written to more, any table is taken for written.
_MOST_WRITTEN: Final = 100
_LARGE: Final = route_to(Target.PRIMARY, "too-large")


class Machine:
    """One session. `cache` classifies its texts, `vendor` is that of the servers, `flags` the capabilities agreed.

    `rules` are for `user`, whose session it is. `steps` is its part about what connections lack. `kept` is there when
    the connection that ran the last statement has gone to another session. `written` are the tables, by their full
    names, that have been written since the last commit, the one under way included.
    """

    def __init__(
        self,
        cache: StatementCache,
        state: SessionState,
        vendor: Vendor = Vendor.MYSQL,
        limits: Limits | None = None,
        flags: int = 0,
        forms: Forms | None = None,
        rules: Rules | None = None,
        user: str = "",
    ) -> None:
        self.state = state
        self._attributes = bool(flags & c.CLIENT_QUERY_ATTRIBUTES)
        self.statements = Statements(vendor, limits or Limits(), forms or Forms(), named=self._attributes)
        self.steps = Steps(state, self.statements, self._attributes)
        self._cache = cache
        self._reading = state.reading
        self._statement_of = cache.reader(state.reading)
        self._vendor = vendor
        self._dirty = False
        self.written: Tables = NO_TABLES
        self._rules = rules
        self._user = user
        self.kept: Kept | None = None

    @property
    def movable(self) -> bool:
        """Whether the session can go on with another connection to the primary when it loses the one it has."""
        state = self.state
        return not (state.private or state.in_transaction or self.statements.bound_to(state.texts))

    def request(self, packet: bytes) -> Request | Err | Asked | None:
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
            request = Request(packet, statement, decide(statement, self.state), _RESULT)
            if statement.kind is READ:
                if statement.hint is not NO_HINT or self._rules is not None:
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
        if not wish.decides and self._rules is not None:
            rule = self._rules.decide(self._user, self.state.schema, statement.tally)
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
            if request.statement.reason == SHOW_PROXY:
                return show_proxy(self._cache.bare(text, self._reading).text) or request
            explained = without_explain(text)
            return request if explained is None else self._explained(explained)
        except Unreadable:
            return request

    def _explained(self, text: bytes) -> Explained:
        shown = digest_text(digest(self._cache.bare(text, self._reading).text))
        statement = self._statement_of(text)
        packet = frame(bytes((c.COM_QUERY,)) + text, 0)
        request = self._further(Request(packet, statement, decide(statement, self.state), _RESULT), text)
        self._steer(request)
        return Explained(request, shown)

    def text(self, request: Request) -> bytes:
        """The statement's text, of a request that has one."""
        if request.prepared is not None:
            return request.prepared.packet[5:]
        return text_of(request.packet) if self._attributes else request.packet[5:]

    def may_avoid(self, request: Request) -> bool:
        """Whether a request has query attributes, and need not go to a server that knows none."""
        if request.route.target is not REPLICA or request.route is READ_ONLY:
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
            made = self.request(head)
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
            if count := self.statements.full(packet):
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
        named = self.state.named.find(name)
        if named is None:
            execute.statement = _UNKNOWN_NAME
            return execute
        statement = with_parameters(named.statement, execute.statement.variables)
        same = named.meaning == (self.state.schema, self.state.texts)
        route = decide(statement, self.state) if same else _OTHER_MEANING
        request = Request(execute.packet, statement, route, _RESULT)
        request.named = name
        self._steer(request)
        return request

    def _execute(self, packet: bytes) -> Request | Err:
        code = packet[c.HEADER_SIZE]
        if code == c.COM_STMT_BULK_EXECUTE and self._vendor is not Vendor.MARIADB:
            return unknown_command()
        prepared = self.statements.find(packet)
        if isinstance(prepared, Err):
            return prepared
        try:
            prepared.types = prepared.types_in(packet) or prepared.types
        except MalformedPacket:
            return malformed(self._vendor)
        route = _BULK if code == c.COM_STMT_BULK_EXECUTE else self._route(prepared)
        request = Request(packet, prepared.statement, route, _RESULT, prepared)
        request.at = prepared.spilled
        if prepared.statement.hint is not NO_HINT or self._rules is not None:
            self._steer(request)
        if prepared.statement.reason == KILL:
            request.kill = parse_kill(prepared.packet[5:], prepared.integer_in(packet))
        return request

    def _route(self, prepared: Prepared) -> Route:
        if prepared.spilled is not None:
            # The execution that the long data is for has to run where it was sent.
            return _LONG_DATA
        if prepared.texts != self.state.texts:
            # Prepared on a replica now, the same text could mean something else.
            return _OTHER_MEANING
        if prepared.schema != self.state.schema and not self._can_visit(prepared.schema):
            return _OTHER_SCHEMA
        return decide(prepared.statement, self.state)

    def _can_visit(self, schema: str) -> bool:
        """Whether a text can be prepared in `schema` on a replica, and the session's own schema be returned to.

        The names of the session's character set are only known to be right as long as they are ASCII.
        """
        return schema.lower() not in SERVER_SCHEMAS and (schema + self.state.schema).isascii()

    def _prepared_command(self, packet: bytes) -> Request | Err | None:
        code = packet[c.HEADER_SIZE]
        if code == c.COM_STMT_SEND_LONG_DATA:
            return self._long_data(packet)
        prepared = self.statements.find(packet)
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
        prepared = self.statements.find(packet)
        if isinstance(prepared, Err):
            # An unknown statement is passed over in silence.
            return prepared if prepared.errno == c.ER_MALFORMED_PACKET else None
        if may_hold and self.statements.hold(prepared, packet):
            return None
        request = Request(packet, _NEUTRAL, _TO_PRIMARY, Reply.NONE, prepared)
        request.at = prepared.spilled
        return request

    # --- connections change hands ------------------------------------------------------------------------------------

    def may_part(self, seen: Seen, on_primary: bool) -> bool:
        """Whether a connection at rest can go to another session, and this one go on with another."""
        if self.statements.tied_to(seen) or seen.transaction:
            return False
        return not on_primary or (self.state.transferable and not self.statements.bound_to(self.state.texts))

    def left(self, seen: Seen, *, warned: bool) -> Told:
        """What a connection has of the session; `warned` says that its last statement there has left warnings.

        MariaDB keeps them through statements without a table, and nobody else may see them.
        """
        told = self.state.told(seen)
        leftover = warned or (seen.warned and self._vendor is Vendor.MARIADB)
        return replace(told, bare=False) if leftover else told

    def asks(self, on_primary: bool, *, last: bool) -> bool:
        """Whether a connection has to be asked something before it goes; `last` says that it ran the last statement."""
        return (last and self.kept is None) or (on_primary and self.state.wrote)

    def next_question(self, replies: list[bytes], *, warned: bool) -> bytes | None:
        """What it is asked after it has given these replies; None when that is all."""
        text = next_question(replies, warned=warned)
        return None if text is None else self.steps.query(text)

    def keep(self, replies: list[bytes], seen: Seen, on_primary: bool, *, last: bool) -> None:
        """A connection has answered the questions. Raises MalformedPacket."""
        kept = kept_from(replies)
        if on_primary:
            seen.insert_id = kept.insert_id
            if self.state.wrote:
                self.state.insert_id = kept.insert_id
        if last:
            self.kept = kept

    def retold(self, request: Request) -> Request | bytes | Err:
        """A question about the last statement, whose connection is another session's now; or the answer to it."""
        asks = request.statement.kind is DIAGNOSTIC and request.code != c.COM_STMT_PREPARE
        if self.kept is None or not asks:
            return request
        mariadb, prepared = self._vendor is Vendor.MARIADB, request.prepared is not None
        retold = retell(self.text(request), self.kept, prepared=prepared, mariadb=mariadb)
        if retold.err is not None:
            return retold.err
        if retold.reply:
            self.kept = retold.kept
            if request.prepared is not None:
                # The client has those of this reply from now on, which no server has sent.
                request.prepared.definitions = None
            return retold.reply
        request.before, request.kept = retold.before, retold.kept
        if retold.values:
            request.whole = WholeReply(retold.values, binary=prepared)
        if retold.text:
            request.packet = self.steps.query(retold.text)
        return request

    def leaves_warnings(self, request: Request) -> bool:
        """Whether the warnings of the statement before are there after this one, too."""
        statement = request.statement
        return self._vendor is Vendor.MARIADB and not statement.reads and not statement.written

    def gone(self, request: Request) -> Err:
        """The error for a request whose connection is gone: the statement's cursor, or its long data, went with it."""
        prepared = request.prepared
        assert prepared is not None
        if request.code == c.COM_STMT_FETCH:
            prepared.cursor = None
            message = f"{no_cursor(prepared.number, Vendor.MARIADB).message}: the connection that held it was lost"
            return Err(c.ER_STMT_HAS_NO_OPEN_CURSOR, message)
        prepared.spilled = None
        message = f"The long data sent for statement ({prepared.number}) was lost with its connection; send it again"
        return Err(c.ER_UNKNOWN_STMT_HANDLER, message)

    def relief(self, seen: Seen) -> bytes:
        """COM_STMT_CLOSEs for a server that takes no more prepared statements; empty if there is nothing to close."""
        return self.statements.relief(seen, self.state.texts)

    def close_statement(self, packet: bytes) -> Prepared | None:
        """COM_STMT_CLOSE: forget the statement and return it, so that it can be closed where it is known."""
        return self.statements.remove(packet)

    def sent(self, request: Request, seen: Seen) -> None:
        """A request is on its way on a connection."""
        if (prepared := request.prepared) is None:
            return
        if request.code in EXECUTIONS:
            prepared.ran, prepared.cursor = seen, None
        elif request.code == c.COM_STMT_SEND_LONG_DATA:
            prepared.spilled = seen
            self.statements.drop(prepared)

    def refused_as_write(self, request: Request, statement: Statement) -> None:
        """A replica refused what was taken for a read; `statement` is what it is taken for from now on."""
        request.statement, request.plain = statement, False
        if request.prepared is not None:
            request.prepared.statement = statement

    def wrote(self, request: Request, status: int = -1) -> bool:
        """Whether others may see changed data now that (a part of) the reply to `request` is here.

        `status` are the flags that the server has told in it, -1 when none are known.
        """
        statement = request.statement
        if request.code == c.COM_STMT_PREPARE:
            return False
        if statement.kind is TRANSACTION or statement.kind is SESSION or statement.reason in _COMMITTING:
            # COMMIT, or a SET autocommit that commits: counts only if something was written in the transaction.
            return self._dirty
        if statement.writes:
            self._dirty = True
            self._add_written(request)
            return True
        # The server has the last word on whether its transaction is over.
        ended = status >= 0 and not status & c.SERVER_STATUS_IN_TRANS
        return self._dirty and ended and statement.kind is PRIMARY

    def _add_written(self, request: Request) -> None:
        statement, schema = request.statement, self.state.schema
        if request.prepared is not None:
            schema = request.prepared.schema
        # The text that is executed may have been prepared, and one of several may be run, in another schema.
        uncertain = bool(request.named) or statement.reason == MULTI_STATEMENT
        tables = None if uncertain else resolved(touched(statement), schema)
        if self.written is None or tables is None or len(self.written) > _MOST_WRITTEN:
            self.written = None
        else:
            self.written |= tables

    def replied(self, request: Request, exchange: Exchange, seen: Seen, on_primary: bool) -> None:
        """The reply to `request` is complete."""
        if on_primary and exchange.status >= 0:
            self.state.status = exchange.status
            self._dirty = self._dirty and self.state.in_transaction
            if not self._dirty:
                self.written = NO_TABLES
        elif on_primary and exchange.errno and not self.state.status & c.SERVER_STATUS_AUTOCOMMIT:
            # An error does not tell the status, and what failed may have begun a transaction all the same.
            self.state.status |= c.SERVER_STATUS_IN_TRANS
        if request.code == c.COM_STMT_PREPARE:
            if exchange.errno:
                self.statements.failed()
            return
        if on_primary and self.state.in_transaction and self.state.has_twin and self._sees_snapshot(request):
            self.state.read_only.seen_on_primary()
        if request.prepared is not None:
            self._prepared_replied(request.code, request.prepared, exchange, seen)
        if request.code == c.COM_QUERY or request.code in EXECUTIONS:
            self._take_effect(request, exchange, seen)
        elif not exchange.errno:
            self._command_done(request, seen)
        if exchange.told is not None and on_primary and request.code in _TELLING:
            self._take_report(request, exchange.told, bool(exchange.errno), seen)
        if self.state.reading is not self._reading:
            self._read_anew()

    def _sees_snapshot(self, request: Request) -> bool:
        asks = request.code == c.COM_QUERY or request.code in EXECUTIONS
        return asks and sees_snapshot(request.statement, self.text(request))

    def leaves_twin(self, request: Request) -> bool:
        """Whether a request would read in another snapshot than the reads before it, which had one on a replica."""
        if request.route.target is REPLICA or not self.state.has_twin or not self._sees_snapshot(request):
            return False
        self.state.read_only.barred = True
        return True

    def twin_over(self, seen: Seen) -> Prelude | None:
        """The end of a read-only transaction on a replica, if the one that it is the twin of is over."""
        if self.state.has_twin and seen.transaction == self.state.read_only.number:
            return None
        return Prelude(self.steps.query(b"COMMIT"))

    def _prepared_replied(self, code: int, prepared: Prepared, exchange: Exchange, seen: Seen) -> None:
        if code == c.COM_STMT_FETCH:
            if exchange.errno or exchange.status & c.SERVER_STATUS_LAST_ROW_SENT:
                prepared.cursor = None
            return
        self.statements.drop(prepared)
        if not exchange.errno:
            # After an error the server may remember that the long data was wrong, until the statement is reset.
            prepared.spilled = prepared.cursor = None
            if exchange.status & c.SERVER_STATUS_CURSOR_EXISTS and code in EXECUTIONS:
                prepared.cursor = seen

    def _take_effect(self, request: Request, exchange: Exchange, seen: Seen) -> None:
        statement = request.statement
        if not (statement.effects or statement.writes):
            return
        if exchange.errno:
            self.state.failed(statement, exchange.errno, exchange.begun, seen)
            return
        self.state.apply(statement, self.text(request), seen)

    def _take_report(self, request: Request, told: SessionTrack, failed: bool, seen: Seen) -> None:
        """Believe the server over the text, in all that the text did not tell, or that did not come about."""
        if request.statement.reason == SET_STATEMENT:
            # What it sets for one statement is reported as if it were to stay.
            told = replace(told, variables={})
        if request.named:
            # EXECUTE as text always says that something has changed.
            told = replace(told, changed=None)
        self.state.reported(told, () if failed else request.statement.effects, seen)

    def _command_done(self, request: Request, seen: Seen) -> None:
        if request.code == c.COM_INIT_DB:
            name = request.packet[5:]
            self.state.use(name.decode("utf-8", "replace"), name, seen)
        elif request.code == c.COM_SET_OPTION:
            self.state.set_option(request.packet, seen)
        elif request.code == c.COM_RESET_CONNECTION:
            self.reset(seen)
        elif request.code == c.COM_REGISTER_SLAVE:
            # The primary's connection is that of a replica from now on.
            self.state.pin_down("replica")

    def reset(self, seen: Seen) -> None:
        """The primary's connection, and so the session, was set back to where its login had left it."""
        self.state.reset()
        self.statements.clear()
        seen.resets = self.state.resets
        seen.forget_all()
        self._read_anew()

    def _read_anew(self) -> None:
        """Texts mean something else from now on."""
        self._reading = self.state.reading
        self._statement_of = self._cache.reader(self._reading)

    def prepared(self, request: Request, exchange: Exchange, seen: Seen) -> int:
        """A COM_STMT_PREPARE succeeded on the primary: the number under which the client shall know the statement."""
        assert exchange.prepared is not None
        number, _, parameters = exchange.prepared
        prepared = self.statements.add(request.packet, request.statement, parameters, self.state)
        seen.statements[prepared.form] = number
        request.made = prepared
        if request.definitions is not None:
            prepared.definitions = seen.definitions[prepared.form] = request.definitions
        return prepared.number


# After other commands there is nothing to be told that is not known.
_TELLING: Final = frozenset({c.COM_QUERY, *EXECUTIONS})
_PREPARED_COMMANDS: Final = frozenset({c.COM_STMT_SEND_LONG_DATA, c.COM_STMT_RESET, c.COM_STMT_FETCH})
