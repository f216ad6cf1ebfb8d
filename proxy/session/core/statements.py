"""The prepared statements of one session: their numbers, what is held for them, which a connection lets go. Pure."""

import itertools
from dataclasses import dataclass
from typing import Final

from proxy.routing.forms import Form, Forms
from proxy.routing.state import Seen, SessionState
from proxy.session.core.memory import Memory
from proxy.session.core.prepared import Prepared
from proxy.session.core.wording import malformed, unknown_statement
from proxy.sql.statement import Statement
from proxy.wire import constants as c
from proxy.wire.commands import closing, statement_id
from proxy.wire.replies import Err
from topology.servers import Vendor

# MariaDB's name for the statement that was prepared last: clients send an execution right behind the preparation.
_LAST_PREPARED: Final = 0xFFFFFFFF
# All statements of a session may hold so much long data, in units of what one may.
_SESSION_SHARE: Final = 4
# Bounds what a client can make the proxy remember: the texts of its statements and so much for each of them.
_MOST_REMEMBERED: Final = 64 * 1024 * 1024
_OVERHEAD: Final = 1024
# What a piece of long data costs besides its bytes.
_PIECE: Final = 64
# Payloads without the command's first byte. MariaDB looks at the length of executions only.
_SHORTEST: Final = {
    c.COM_STMT_EXECUTE: 9,
    c.COM_STMT_FETCH: 8,
    c.COM_STMT_RESET: 4,
    c.COM_STMT_SEND_LONG_DATA: 6,
}
_SHORTEST_MARIADB: Final = {c.COM_STMT_EXECUTE: 9, c.COM_STMT_BULK_EXECUTE: 6}


@dataclass(frozen=True, slots=True)
class Limits:
    """`statements` is how many a server connection keeps prepared, `long_data` how many bytes a statement holds."""

    statements: int = 100
    long_data: int = 1024 * 1024


class Statements:
    """Prepared statements by the numbers that the client knows. `named`: executions name their parameters.

    `forms` are those of all sessions, and so is `memory`, in which long data is held.
    """

    def __init__(self, vendor: Vendor, limits: Limits, forms: Forms, memory: Memory, *, named: bool = False) -> None:
        self._memory = memory
        self._vendor = vendor
        self._named_parameters = named
        self._limits = limits
        self._all_forms = forms
        self._known: dict[int, Prepared] = {}
        self._forms: dict[Form, Prepared] = {}
        self._last: Prepared | None = None
        self._last_number = 0
        self._remembered = 0
        self._held = 0

    def __len__(self) -> int:
        return len(self._known)

    def find(self, packet: bytes) -> Prepared | Err:
        """The statement that a command is about, or what a server would answer."""
        code, number = packet[c.HEADER_SIZE], statement_id(packet)
        shortest = _SHORTEST_MARIADB if self._vendor is Vendor.MARIADB else _SHORTEST
        if len(packet) <= c.HEADER_SIZE + shortest.get(code, 0):
            return malformed(self._vendor)
        return self._named(number) or unknown_statement(code, number, self._vendor)

    def _named(self, number: int) -> Prepared | None:
        if number == _LAST_PREPARED and self._vendor is Vendor.MARIADB:
            return self._last
        return self._known.get(number)

    def of(self, form: Form) -> Prepared | None:
        """The session's statement of this form."""
        return self._forms.get(form)

    def full(self, packet: bytes) -> int:
        """How many statements there are, if there is no room for the one that `packet` prepares; else 0."""
        fits = self._remembered + len(packet) + _OVERHEAD <= _MOST_REMEMBERED
        return 0 if fits else len(self._known)

    def next_form(self, packet: bytes, state: SessionState) -> Form:
        """The form that a statement will have that is prepared now."""
        for ordinal in itertools.count():
            form = self._all_forms.of(packet, state.schema, state.text_settings, ordinal)
            if form not in self._forms:
                return form
        raise AssertionError("there is always a next number")

    def add(self, packet: bytes, statement: Statement, parameters: int, state: SessionState) -> Prepared:
        """A COM_STMT_PREPARE succeeded."""
        self._last_number += 1
        number, named, form = self._last_number, self._named_parameters, self.next_form(packet, state)
        prepared = Prepared(
            number, packet, statement, parameters, state.schema, state.reading.version, form, named=named
        )
        self._known[prepared.number] = self._forms[form] = self._last = prepared
        self._remembered += len(packet) + _OVERHEAD
        return prepared

    def failed(self) -> None:
        """A COM_STMT_PREPARE failed, so there is none that was prepared last."""
        self._last = None

    def remove(self, packet: bytes) -> Prepared | None:
        """COM_STMT_CLOSE: forget the statement; returns it if there was one."""
        prepared = self._named(statement_id(packet))
        if prepared is not None:
            del self._known[prepared.number]
            del self._forms[prepared.form]
            self._remembered -= len(prepared.packet) + _OVERHEAD
            self.drop(prepared)
            if prepared is self._last:
                self._last = None
        return prepared

    def clear(self) -> None:
        """The session was reset."""
        self._known.clear()
        self._forms.clear()
        self._last = None
        self._memory.take(-self._held)
        self._remembered = self._held = 0

    def hold(self, prepared: Prepared, packet: bytes) -> bool:
        """Keep a piece of long data for the next execution; False when it must go to the server now.

        Also for a parameter that does not exist: the server remembers that until the statement is reset.
        """
        limit, size = self._limits.long_data, len(packet) + _PIECE
        if prepared.spilled is not None or not prepared.has_parameter(packet):
            return False
        if self._memory.full or prepared.held_size + size > limit or self._held + size > _SESSION_SHARE * limit:
            return False
        prepared.held.append(packet)
        prepared.held_size += size
        self._held += size
        self._memory.take(size)
        return True

    def drop(self, prepared: Prepared) -> None:
        """Forget the long data that is held for a statement."""
        self._held -= prepared.held_size
        self._memory.take(-prepared.held_size)
        prepared.held, prepared.held_size = [], 0

    def bound_to(self, texts: int) -> bool:
        """Whether there is one that only the connection to the primary can run or go on with."""
        return any(prepared.texts != texts or prepared.spilled for prepared in self._known.values())

    def tied_to(self, seen: Seen) -> bool:
        """Whether there is one whose cursor or long data is on that connection."""
        return any(prepared.cursor is seen or prepared.spilled is seen for prepared in self._known.values())

    def missing(self, seen: Seen) -> Prepared | None:
        """One that is not prepared on a connection."""
        return next((prepared for form, prepared in self._forms.items() if form not in seen.statements), None)

    def room(self, seen: Seen, texts: int) -> bytes:
        """COM_STMT_CLOSEs that make room for one more on a connection: of those used longest ago."""
        excess = len(seen.statements) + 1 - (seen.most or self._limits.statements)
        return self._close(seen, texts, excess) if excess > 0 else b""

    def relief(self, seen: Seen, texts: int) -> bytes:
        """COM_STMT_CLOSEs of half of the idle ones, because their server takes no more; and keep fewer from now on."""
        closes = self._close(seen, texts, (len(seen.statements) + 1) // 2)
        seen.most = max(1, len(seen.statements))
        return closes

    def _close(self, seen: Seen, texts: int, count: int) -> bytes:
        idle = [form for form in seen.statements if self._may_go(form, seen, texts)][:count]
        return b"".join(closing(seen.forget(form)) for form in idle)

    def _may_go(self, form: Form, seen: Seen, texts: int) -> bool:
        """Whether a statement can be prepared on that connection again as it is."""
        prepared = self._forms.get(form)
        if prepared is None:
            return True
        idle = prepared.cursor is not seen and prepared.spilled is not seen
        return idle and prepared.texts == texts and prepared.schema.isascii()
