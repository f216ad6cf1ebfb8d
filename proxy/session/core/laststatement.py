"""What can still be asked about the last statement when its connection is another session's. Pure."""

import re
from dataclasses import replace
from typing import Final

from proxy.routing.policy import LAST, Target, route_to
from proxy.routing.state import Seen, SessionState
from proxy.session.core.diagnostics import (
    LOST,
    NO_LIST,
    NO_WARNINGS,
    SPLIT,
    UNKNOWN,
    Kept,
    kept_from,
    next_question,
    retell,
    with_numbers,
    with_warnings,
    without_warnings,
)
from proxy.session.core.lastran import LastRan
from proxy.session.core.ownerror import signal
from proxy.session.core.request import Request
from proxy.session.core.requests import Requests
from proxy.session.core.steps import Steps
from proxy.session.core.transactionflags import with_flags
from proxy.session.core.wholereply import WholeReply
from proxy.session.core.wording import insert_id_lost
from proxy.sql.classify import MULTI_STATEMENT
from proxy.sql.lexer import DEFAULT_QUOTING
from proxy.sql.meaning import DEFAULT_MEANING
from proxy.sql.questions import FOUND_ROWS, WARNINGS
from proxy.sql.statement import DIAGNOSTIC
from proxy.wire import constants as c
from proxy.wire.commands import EXECUTIONS
from proxy.wire.framing import payload_length
from proxy.wire.replies import Err, parse_ok
from topology.servers import Vendor

_AGAIN: Final = route_to(Target.PRIMARY, "diagnostic")
_OK: Final = bytes((c.OK_HEADER,))
_TEXTS: Final = frozenset({c.COM_QUERY, *EXECUTIONS})
# Other commands that begin a new list of warnings, and those without a reply.
_BEGINNING: Final = frozenset({c.COM_STMT_PREPARE, c.COM_RESET_CONNECTION, c.COM_STMT_CLOSE, c.COM_STMT_SEND_LONG_DATA})
# LAST_INSERT_ID(), @@last_insert_id, @@identity
_ASKS: Final = re.compile(rb"last_insert_id|@@(?:\w+\.)?identity", re.IGNORECASE)


class LastStatement:
    """One session's. `kept` is what its connection has told before it went; None while that is there to be asked.
    `ran` tells where it ran. `warned` is the same about warnings, which some statements leave as they are. `_own` is
    the last error that the proxy has answered a command with, `_signalled_for` the question before which a server is
    told of it."""

    def __init__(self, state: SessionState, steps: Steps, requests: Requests, vendor: Vendor) -> None:
        self.kept: Kept | None = None
        self.warned: Kept | None = None
        self.ran = LastRan()
        self._own: Err | None = None
        self._signalled_for: Request | None = None
        self._state = state
        self._steps = steps
        self._requests = requests
        self._mariadb = vendor is Vendor.MARIADB

    def asks(self, server: str, on_primary: bool, *, last: bool, under_way: bool = False) -> bool:
        """Whether a connection has to be asked something before it goes; `last` says that it ran the last statement,
        `under_way` that another connection is just running one."""
        if (last and self.kept is None) or (on_primary and self._state.wrote):
            return True
        return self.ran.rows_at(server, under_way=under_way)

    def next_question(self, replies: list[bytes], *, warned: bool) -> bytes | None:
        """What it is asked after it has given these replies; None when that is all."""
        text = next_question(replies, warned=warned)
        return None if text is None else self._steps.query(text)

    def keep(self, replies: list[bytes], seen: Seen, server: str, on_primary: bool, *, last: bool) -> None:
        """A connection has answered the questions; `last` says that it had run the last statement when it was asked.

        A statement that was waiting for another connection may run there since. Raises MalformedPacket.
        """
        kept = kept_from(replies)
        if on_primary:
            seen.insert_id = kept.insert_id
            if self._state.wrote:
                self._state.insert_id = kept.insert_id
        if last and self.ran.server == server:
            self.kept = kept
        if last and self.ran.warnings == server:
            self.ran.warnings, self.warned = "", kept
        self.ran.rows_told(server, kept.found_rows)

    def retold(self, request: Request) -> Request | bytes | Err:
        """A question about the last statement, changed if it cannot be asked as it is; or the answer to it."""
        if self._state.insert_id_lost and self._wants_insert_id(request):
            return insert_id_lost()
        asks = request.statement.asks
        if not asks or request.code == c.COM_STMT_PREPARE:
            return request
        if self._own is not None and self.ran.is_own(asks):
            return self._signal(request, self._own)
        if self._mariadb and self.ran.may_have_older_warnings(self.ran.server):
            self._remember(NO_LIST)
        beside = asks & WARNINGS != 0 and self._warned_before()
        if (beside or self._has_other_list(asks)) and asks != WARNINGS and not self._gone(asks):
            return LOST
        again = () if beside else self._again(self.ran.reads_for(asks))
        if self._gone(asks):
            told = self._from_memory(request)
            if told == LOST and asks == WARNINGS and self.warned is NO_LIST:
                request.before = NO_WARNINGS
                return request
            return self._on_the_primary(request, again) if isinstance(told, Err) and again else told
        split = self.ran.is_split(asks)
        if request.route.target is LAST and not request.statement.effects and not split:
            return request
        if beside:
            return LOST
        if again:
            return self._on_the_primary(request, again)
        if split:
            return SPLIT
        if not self.ran.is_away(asks):
            return request
        return SPLIT if asks & FOUND_ROWS else LOST

    def _signal(self, request: Request, err: Err) -> Request | Err:
        """A question about an error of the proxy's own: the primary is told of it first."""
        if not self.ran.is_own(request.statement.asks, wholly=True):
            return LOST
        if request.statement.asks & FOUND_ROWS:
            again = self._again(self.ran.reads_for(FOUND_ROWS))
            if self._gone(FOUND_ROWS) or (not again and self.ran.is_away(FOUND_ROWS)):
                return LOST
            request.again = again
        request.before, self._signalled_for = signal(err), request
        if request.route.target is LAST:
            request.route = _AGAIN
        return request

    def _gone(self, asks: int) -> bool:
        """Whether the connection that could answer serves another session."""
        if asks == FOUND_ROWS:
            return self.ran.found_rows is not None
        return self._known(asks) is not None and not (asks == WARNINGS and self.ran.warnings)

    def _known(self, asks: int) -> Kept | None:
        """What the connection has told that could answer, or several have."""
        kept = self.warned if asks == WARNINGS else self.kept
        if asks & WARNINGS and self.kept is not None and self.warned is not None and self._warned_before():
            kept = None if self.ran.warnings else with_warnings(self.kept, self.warned)
        if not asks & FOUND_ROWS:
            return kept
        if asks == FOUND_ROWS:
            kept = kept or UNKNOWN
        if kept is None or self.ran.found_rows is None:
            return None
        return replace(kept, found_rows=self.ran.found_rows)

    def _has_other_list(self, asks: int) -> bool:
        """Whether a question is about warnings of which there are none, where the server may have older ones."""
        return asks & WARNINGS != 0 and self.warned is NO_LIST and not self.ran.warnings

    def _warned_before(self) -> bool:
        """Whether what the last statement left and the warnings that are there are of two statements."""
        return self.ran.has_warnings_beside(self.ran.server) and (self.warned is not self.kept or self.kept is None)

    def _from_memory(self, request: Request) -> Request | bytes | Err:
        kept, prepared = self._known(request.statement.asks), request.prepared is not None
        assert kept is not None
        text = self._requests.text(request)
        if request.statement.kind is not DIAGNOSTIC:
            return self._with_numbers(request, text, kept)
        retold = retell(text, kept, prepared=prepared, mariadb=self._mariadb)
        if retold.err is not None:
            return retold.err
        after = retold.kept if self.kept is not None else None
        if retold.reply:
            self.kept = after
            if request.prepared is not None:
                # The client has those of this reply from now on, which no server has sent.
                request.prepared.definitions = None
            return with_flags(retold.reply, self._state.status)
        request.before, request.kept = retold.before, after
        if retold.values or retold.text.startswith(b"SET"):
            request.whole = WholeReply(retold.values, binary=prepared)
            if self._state.in_transaction and request.route.target is LAST:
                # Its reply has the flags of that.
                request.route = _AGAIN
        if retold.text:
            request.packet = self._steps.query(retold.text)
        return request

    def _with_numbers(self, request: Request, text: bytes, kept: Kept) -> Request | Err:
        """A statement that only uses what it asks for: it is given that."""
        reading = self._requests.reading
        # Bytes are looked at, and in some character sets those of a quote are a part of a letter.
        readable = reading.quoting is DEFAULT_QUOTING and (text.isascii() or reading == DEFAULT_MEANING)
        # In a text of several, the others ask about those before them.
        alone = request.code == c.COM_QUERY and request.statement.reason != MULTI_STATEMENT
        known = kept.listed or request.statement.asks == FOUND_ROWS
        if not (alone and readable and known and (told := with_numbers(text, kept))):
            return LOST
        request.packet = self._steps.query(told)
        return request

    def _again(self, reads: tuple[Request, ...]) -> tuple[Request, ...]:
        """Those of these reads that may run on the primary: none in a transaction that they were no part of, which
        would begin with them, or see what was there now for its whole length."""
        return () if self._state.in_transaction and not self._state.has_twin else reads

    def _on_the_primary(self, request: Request, again: tuple[Request, ...]) -> Request:
        """What a replica was asked, the primary is asked as well: then it can tell of that and of its own."""
        request.again = again
        if request.route.target is LAST:
            request.route = _AGAIN
        asks = request.statement.asks
        read_at = self.ran.rows if asks == FOUND_ROWS else self.ran.server
        if self._mariadb and not asks & WARNINGS and self.ran.has_warnings_beside(read_at):
            # What is read again leaves none of those that were there.
            self._remember(UNKNOWN)
        return request

    def _wants_insert_id(self, request: Request) -> bool:
        return request.code in _TEXTS and bool(_ASKS.search(self._requests.text(request)))

    def learn(self, reply: bytes) -> None:
        """A write was answered after it was lost: with that there may be another one."""
        payload = reply[c.HEADER_SIZE :]
        if payload[:1] == _OK and payload_length(reply) == len(payload) and parse_ok(payload).last_insert_id:
            self._state.insert_id_lost = False

    def began(self, server: str) -> None:
        """The session is reset on the server of that name."""
        self.kept = self.warned = None
        self.ran.began(server)

    def keep_apart(self, request: Request) -> None:
        """Have the error of a command not added to warnings that another session, or a question of the proxy, has left
        on a connection: MySQL begins a new list only for statements."""
        begins = self._mariadb or request.code in _TEXTS or request.code in _BEGINNING
        if self.kept is not None and not begins:
            request.before = NO_WARNINGS

    def commanded(self, request: Request, server: str, *, on_primary: bool) -> None:
        """Another command than a statement runs on the server of that name, which knows ROW_COUNT() from now on.

        Observed on MariaDB 10.11 and MySQL 9.7: FOUND_ROWS() and warnings are those of the statement before, except
        that COM_STMT_PREPARE, which leaves ROW_COUNT(), leaves no warnings; on MariaDB it does if it names no table.
        """
        if on_primary:
            self.ran.primary = server
        if request.code != c.COM_STMT_PREPARE:
            self.kept, self.ran.server, self.ran.again = None, server, ()
        if request.code == c.COM_INIT_DB:
            self.ran.changed()
        if request.code == c.COM_FIELD_LIST and not self._mariadb:
            # It warns of itself: it is deprecated.
            self.warned = None
            self.ran.left_warnings(server)
        if request.code == c.COM_STMT_PREPARE and not request.statement.keeps_warnings:
            self.ran.warnings, self.ran.warned, self.warned = server, False, None
            if self.kept is not None:
                self.kept = without_warnings(self.kept)

    def refused(self, err: Err) -> None:
        """The proxy has answered a command with an error of its own, which can be asked about like a server's."""
        self.kept = self.warned = None
        self._own = err
        self.ran.own()

    def left_warnings(self, request: Request, server: str) -> None:
        """What has run on the server of that name has left warnings, or an error."""
        if request.whole is not None and request.kept is not None:
            # They are about the words in which the server was asked to repeat what is kept.
            return
        # If it was a question about what is kept, it asked for a condition that is not there, which makes it one.
        if request.code not in _TEXTS or self.kept is not None:
            self.kept, self.ran.server, self.ran.again = None, server, ()
        self.ran.left_warnings(server)

    def failed(self, request: Request, errno: int, *, begun: bool) -> None:
        """The last statement was answered with an error, `begun` after it had given a result."""
        request.errno = errno
        self.ran.failed(request, errno, begun=begun, mariadb=self._mariadb)

    def _remember(self, warned: Kept) -> None:
        """Nothing is asked at any server about warnings: it is answered with these."""
        self.ran.warnings, self.warned = "", warned

    def _may_keep(self, server: str) -> bool:
        """What runs on the server of that name may leave the warnings as they are: whether that is assumed."""
        if self.ran.has_warnings_beside(server):
            self._remember(UNKNOWN)
        elif self.ran.may_have_older_warnings(server):
            # Of its own it tells.
            self._remember(NO_LIST)
        # If they are there the server is asked.
        return self.ran.warned or not self.ran.warnings

    def sent(self, request: Request, server: str, *, on_replica: bool) -> None:
        """A statement runs on the server of that name: from now on the session may ask about it."""
        before, kept = self.kept, request.kept
        self.kept = kept
        if request is self._signalled_for:
            self._signalled_for = None
            self.ran.left_warnings(server)
        if kept is None:
            keeps = request.statement.keeps_warnings
            if keeps is None and self._mariadb:
                keeps = self._may_keep(server)
            self.ran.sent(request, server, on_replica=on_replica, keeps_warnings=bool(keeps))
            return
        if not on_replica:
            self.ran.primary = server
        if not self.ran.warnings and (request.statement.asks & WARNINGS or self.warned is before):
            self.warned = kept
        if not request.statement.keeps_found_rows:
            # It is a SELECT, or SHOW COUNT, wherever the rows before it were found.
            self.ran.rows, self.ran.rows_again, self.ran.found_rows = "", (), kept.found_rows
