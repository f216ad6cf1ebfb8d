"""Where the statements ran that a session may ask about. Pure."""

from typing import Final

from proxy.session.core.request import Request
from proxy.sql.classify import MULTI_STATEMENT
from proxy.sql.effects import UNTOLD, DropSchema, SetNames, SetRole, SetUserVariable, SetVariable, UseSchema
from proxy.sql.questions import FOUND_ROWS, ROW_COUNT, WARNINGS
from proxy.sql.statement import DIAGNOSTIC, READ, Statement
from proxy.wire import constants as c

# A read that is longer is not kept, to be run again; nor are more questions about it than these.
_LONGEST: Final = 64 * 1024
_MOST_QUESTIONS: Final = 4
# Stands for the proxy among the names of servers.
_PROXY: Final = "\0"
# Of a COM_STMT_EXECUTE: which kind of cursor is to be opened.
_CURSOR: Final = c.HEADER_SIZE + 5
# What these set may decide which rows a read finds.
_DECIDING: Final = (SetVariable, SetNames, SetRole, UseSchema, DropSchema)
# Errors that MariaDB finds when a statement has not begun: about the syntax, a schema, a table, a lock, a column, a
# variable, a function, their number and types, arguments of EXECUTE, collations that do not mix, and rights to them;
# what exists, or is not there. Behind others, which are met in rows (1062, 1172, 1242, 1292, 1366, 1406, 1442),
# FOUND_ROWS() is another.
_NOT_BEGUN: Final = frozenset(
    {1044, 1046, 1049, 1050, 1051, 1052, 1054, 1060, 1064, 1065, 1066, 1086, 1091, 1096, 1099, 1100, 1104, 1109}
    | {1111, 1126, 1136, 1142, 1143, 1146, 1193, 1210, 1221, 1222, 1231, 1234, 1238, 1241, 1243, 1253, 1267, 1270}
    | {1271, 1284, 1289, 1304, 1305, 1350, 1351, 1360, 1370, 1372, 1373, 1396, 1397, 1399, 1539, 1575, 1582, 1630}
    | {1644, 1792, 4015, 4078, 4090, 4124, 4161}
)


class LastRan:
    """Names of servers: `server` ran the last statement, `rows` the last one that changed FOUND_ROWS(), and `warnings`
    the last one that changed what SHOW WARNINGS tells; `warned` says that there is something to be told. `found_rows`
    is what FOUND_ROWS() gives, if no connection knows it (any more): 0 behind a login, as on MySQL.
    `again` are reads after which another server would know what the last one knows: the last statement, if it was a
    read on a replica that can run once more, and questions about it behind it. `rows_again` are the same for
    FOUND_ROWS(). `primary` is the one that ran the last statement which was no read for a replica.
    """

    __slots__ = (
        *("_before", "_request", "again", "found_rows", "primary", "rows", "rows_again", "server", "warned"),
        "warnings",
    )

    def __init__(self) -> None:
        self.server = self.rows = self.warnings = self.primary = ""
        self.warned = False
        self.found_rows: int | None = 0
        self.again: tuple[Request, ...] = ()
        self.rows_again: tuple[Request, ...] = ()
        self._request: Request | None = None
        self._before: tuple[str, int | None, tuple[Request, ...]] = ("", None, ())

    def read(self, request: Request, name: str) -> None:
        """The same as `sent` for the common case: a plain read, in text and of tables, runs on a replica."""
        if request is not self._request:
            self._request, self._before = request, (self.rows, self.found_rows, self.rows_again)
        self.server = self.warnings = self.rows = name
        self.warned, self.found_rows = False, None
        self.again = self.rows_again = (request,) if len(request.packet) <= _LONGEST else ()

    def sent(self, request: Request, name: str, *, on_replica: bool, keeps_warnings: bool) -> None:
        """A statement runs on the server `name`: from now on the session may ask about it.

        Again for one that was tried elsewhere before.
        """
        self.server = name
        if not on_replica:
            self.primary = name
        if not keeps_warnings:
            self.warnings, self.warned = name, False
        if request is not self._request:
            self._request, self._before = request, (self.rows, self.found_rows, self.rows_again)
        if not on_replica:
            self.again = ()
        elif request.statement.kind is READ:
            self.again = self._read_again(request)
        elif request.statement.kind is not DIAGNOSTIC or len(self.again) > _MOST_QUESTIONS:
            self.again = ()
        elif self.again:
            self.again = (*self.again, request)
        if not request.statement.keeps_found_rows:
            self.rows, self.found_rows, self.rows_again = name, None, self.again
        elif request.statement.writes or _changes_reads(request.statement, self.rows_again):
            self.changed()

    def _read_again(self, request: Request) -> tuple[Request, ...]:
        """The reads after which another server knows what a replica knows behind `request`: with those before it, as
        long as the warnings of one of them are still there."""
        if not _can_run_again(request):
            return ()
        if not self.warned or self.warnings in ("", self.primary):
            return (request,)
        return (*self.again, request) if 0 < len(self.again) <= _MOST_QUESTIONS else ()

    def began(self, name: str) -> None:
        """The session is reset on the server `name`: ROW_COUNT() and warnings are as after its login, FOUND_ROWS() is
        what it was (observed on MariaDB 10.11 and MySQL 9.7)."""
        self.server = self.warnings = self.primary = name
        self.warned, self.again = False, ()
        self.changed()

    def changed(self) -> None:
        """What the session has changed, of data or of itself, may have a read from before it find other rows."""
        self.rows_again = ()

    def own(self) -> None:
        """The last command was answered with an error of the proxy's own."""
        self.server = self.warnings = _PROXY
        self.warned, self.again = True, ()

    def is_own(self, asks: int, *, wholly: bool = False) -> bool:
        """Whether a question, or all of it but FOUND_ROWS(), is about such an error."""
        about = [self.server == _PROXY] * (asks & ROW_COUNT != 0) + [self.warnings == _PROXY] * (asks & WARNINGS != 0)
        return (all if wholly else any)(about)

    def left_warnings(self, name: str) -> None:
        """What has run on the server `name` has left warnings, or an error."""
        self.warnings, self.warned = name, True

    def rows_at(self, server: str, *, under_way: bool) -> bool:
        """Whether FOUND_ROWS() is known there, or will be that again if the statement `under_way` fails."""
        return self.rows == server or (under_way and self._before[0] == server)

    def rows_told(self, server: str, found: int) -> None:
        """The connection to `server` goes, and has told what it knows."""
        if self.rows == server:
            self.rows, self.found_rows = "", found
        if self._before[0] == server:
            self._before = ("", found, self._before[2])

    def failed(self, request: Request, errno: int, *, begun: bool, mariadb: bool) -> None:
        """It was answered with an error, `begun` after it had given a result."""
        if request is not self._request:
            return  # a command that finds no rows
        # Of several statements, one before may have changed it.
        several = begun and request.statement.reason == MULTI_STATEMENT
        if not several and (not mariadb or errno in _NOT_BEGUN):
            self.rows, self.found_rows, self.rows_again = self._before
            if request.statement.kind is READ and self.rows_again:
                self.again = (*self.rows_again, request)

    def has_warnings_beside(self, server: str) -> bool:
        """Whether there is something to be told that `server` does not know."""
        return self.warned and self.warnings != server

    def may_have_older_warnings(self, server: str) -> bool:
        """Whether there is nothing to be told, but `server` may have what a statement left before that."""
        return not self.warned and self.warnings not in ("", server)

    def is_split(self, asks: int) -> bool:
        """Whether no server alone knows the answer to a question."""
        return asks & FOUND_ROWS != 0 and asks != FOUND_ROWS and self.rows != self.server

    def is_away(self, asks: int) -> bool:
        """Whether a replica knows the answer to a question."""
        return self.asked(asks) not in ("", self.primary)

    def reads_for(self, asks: int) -> tuple[Request, ...]:
        """The reads after which another server knows the answer to a question; none if none does."""
        if asks == FOUND_ROWS:
            return self.rows_again
        elsewhere = asks & FOUND_ROWS != 0 and self.rows not in ("", self.primary)
        return () if elsewhere and not self.rows_again else self.again

    def asked(self, asks: int) -> str:
        """The server where the answer to a question is known."""
        if asks == FOUND_ROWS:
            return self.rows
        return self.warnings if asks == WARNINGS else self.server


def _changes_reads(statement: Statement, reads: tuple[Request, ...]) -> bool:
    """Whether these reads may find other rows behind a statement, by what it sets."""
    for effect in statement.effects:
        if isinstance(effect, _DECIDING):
            return True
        if isinstance(effect, SetUserVariable) and any(_uses(read.statement, effect.name) for read in reads):
            return True
    return False


def _uses(statement: Statement, variable: str) -> bool:
    return variable == UNTOLD or statement.variables is None or variable in statement.variables


def _can_run_again(request: Request) -> bool:
    if len(request.packet) > _LONGEST:
        return False
    prepared = request.prepared
    return prepared is None or not (prepared.held or request.packet[_CURSOR])
