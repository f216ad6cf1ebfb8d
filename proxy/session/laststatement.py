"""What can still be asked about the last statement when its connection is another session's. Pure."""

import re
from typing import Final

from proxy.routing.state import Seen, SessionState
from proxy.session.diagnostics import Kept, WholeReply, kept_from, next_question, retell
from proxy.session.request import Request
from proxy.session.requests import Requests
from proxy.session.steps import Steps
from proxy.session.wording import insert_id_lost
from proxy.sql.statement import DIAGNOSTIC
from proxy.wire import constants as c
from proxy.wire.commands import EXECUTIONS
from proxy.wire.framing import payload_length
from proxy.wire.replies import Err, parse_ok
from topology.servers import Vendor

_OK: Final = bytes((c.OK_HEADER,))
_TEXTS: Final = frozenset({c.COM_QUERY, *EXECUTIONS})
# LAST_INSERT_ID(), @@last_insert_id, @@identity
_ASKS: Final = re.compile(rb"last_insert_id|@@(?:\w+\.)?identity", re.IGNORECASE)


class LastStatement:
    """One session's. `kept` is what its connection has told before it went; None while that is there to be asked."""

    def __init__(self, state: SessionState, steps: Steps, requests: Requests, vendor: Vendor) -> None:
        self.kept: Kept | None = None
        self._state = state
        self._steps = steps
        self._requests = requests
        self._mariadb = vendor is Vendor.MARIADB

    def asks(self, on_primary: bool, *, last: bool) -> bool:
        """Whether a connection has to be asked something before it goes; `last` says that it ran the last statement."""
        return (last and self.kept is None) or (on_primary and self._state.wrote)

    def next_question(self, replies: list[bytes], *, warned: bool) -> bytes | None:
        """What it is asked after it has given these replies; None when that is all."""
        text = next_question(replies, warned=warned)
        return None if text is None else self._steps.query(text)

    def keep(self, replies: list[bytes], seen: Seen, on_primary: bool, *, last: bool) -> None:
        """A connection has answered the questions. Raises MalformedPacket."""
        kept = kept_from(replies)
        if on_primary:
            seen.insert_id = kept.insert_id
            if self._state.wrote:
                self._state.insert_id = kept.insert_id
        if last:
            self.kept = kept

    def retold(self, request: Request) -> Request | bytes | Err:
        """A question about the last statement, whose connection is another session's now; or the answer to it."""
        if self._state.insert_id_lost and self._wants_insert_id(request):
            return insert_id_lost()
        asks = request.statement.kind is DIAGNOSTIC and request.code != c.COM_STMT_PREPARE
        if self.kept is None or not asks:
            return request
        mariadb, prepared = self._mariadb, request.prepared is not None
        retold = retell(self._requests.text(request), self.kept, prepared=prepared, mariadb=mariadb)
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
            request.packet = self._steps.query(retold.text)
        return request

    def _wants_insert_id(self, request: Request) -> bool:
        return request.code in _TEXTS and bool(_ASKS.search(self._requests.text(request)))

    def learn(self, reply: bytes) -> None:
        """A write was answered after it was lost: with that there may be another one."""
        payload = reply[c.HEADER_SIZE :]
        if payload[:1] == _OK and payload_length(reply) == len(payload) and parse_ok(payload).last_insert_id:
            self._state.insert_id_lost = False

    def leaves_warnings(self, request: Request) -> bool:
        """Whether the warnings of the statement before are there after this one, too."""
        statement = request.statement
        return self._mariadb and not statement.reads and not statement.written
