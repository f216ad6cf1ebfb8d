"""Talking SQL to one server on the control side: the only module that imports aiomysql.

Every driver error leaves here as a `topology.errors.ServerError` that names the server.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiomysql
import pymysql.err
from pymysql.constants import CLIENT, COMMAND
from pymysql.protocol import OKPacketWrapper

from topology.errors import AccessDenied, ServerError, ServerUnreachable, StatementRefused
from topology.servers import Server, ServerTls
from topology.servertls import server_context
from topology.tlsfiles import tls_reason

Row = dict[str, Any]
RawRow = tuple[bytes | None, ...]

_SLICE = 1 << 20

# ER_DBACCESS_DENIED, ER_ACCESS_DENIED, ER_HOST_NOT_PRIVILEGED, ER_TABLEACCESS_DENIED, ER_SPECIFIC_ACCESS_DENIED,
# ER_ACCESS_DENIED_NO_PASSWORD
_DENIED = frozenset({1044, 1045, 1130, 1142, 1227, 1698})
# Client-side numbers: cannot connect, server gone, connection lost.
_UNREACHABLE = frozenset({2002, 2003, 2006, 2013})


class _Connection(aiomysql.Connection):  # type: ignore[misc]  # aiomysql ships no types
    """A connection to `server` that obeys the server's TLS policy."""

    def __init__(self, server: Server, **options: Any) -> None:
        tls = None if server.tls.mode is ServerTls.OFF else server_context(server.tls).current()
        super().__init__(
            host=server.host, port=server.port, user=server.user, password=server.password, ssl=tls, **options
        )
        self._server = server

    async def _request_authentication(self) -> None:
        # The driver would go on without TLS, and the answer to the server's challenge is a secret too.
        if self._server.tls.required and not self.server_capabilities & CLIENT.SSL:
            raise ServerError(
                f"{self._server} offers no TLS, which server_tls = {self._server.tls.mode} requires",
                "give the server a certificate (ssl_cert, ssl_key)",
            )
        await super()._request_authentication()


class _QuietCursor(aiomysql.DictCursor):  # type: ignore[misc]  # aiomysql ships no types
    """A cursor that does not fetch and print the server's warnings after each statement."""

    async def _show_warnings(self, conn: aiomysql.Connection) -> None:
        """Do nothing: whoever needs the warnings asks for them with SHOW WARNINGS."""


class _RawCursor(aiomysql.SSCursor):  # type: ignore[misc]  # aiomysql ships no types
    """A cursor that hands rows on as they arrive and leaves the server's warnings alone."""

    async def _show_warnings(self, conn: aiomysql.Connection) -> None:
        """Do nothing, as `_QuietCursor` does."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a server says after LOAD DATA: it skips rows, and bends values, with a warning instead of an error."""

    rows: int
    warnings: int


class SqlClient:
    """One open connection to one server; statements run one after the other."""

    def __init__(self, server: Server, connection: aiomysql.Connection) -> None:
        self.server = server
        self._connection = connection

    @property
    def greeted_version(self) -> str:
        """The version string of the server's greeting, as drivers see it (MariaDB may put 5.5.5- before it)."""
        return str(self._connection.get_server_info())

    @property
    def greeted_collation(self) -> int:
        """The collation number of the server's greeting."""
        return int(self._connection.server_language)

    async def query(self, sql: str) -> list[Row]:
        """Run one statement and return its rows as dicts by column name; empty for a statement without a result."""
        async with _translated(self.server), self._connection.cursor(_QuietCursor) as cursor:
            await cursor.execute(sql)
            return list(await cursor.fetchall()) if cursor.description else []

    async def one(self, sql: str) -> Row:
        """The first row of a statement, or an empty dict when there is none."""
        rows = await self.query(sql)
        return rows[0] if rows else {}

    async def value(self, sql: str) -> Any:
        """The first column of the first row, or None."""
        row = await self.one(sql)
        return next(iter(row.values()), None)

    async def execute(self, sql: str | bytes) -> int:
        """Run one statement for its effect and return the number of affected rows. Bytes are sent as they are."""
        async with _translated(self.server), self._connection.cursor(_QuietCursor) as cursor:
            return int(await cursor.execute(sql) or 0)

    async def stream(self, sql: str) -> AsyncIterator[RawRow]:
        """The rows of one statement as undecoded bytes, one at a time: a result of any size needs little memory.

        Nothing else can run on this connection meanwhile. Left before its end, the connection is closed, since the
        server would otherwise send the rest.
        """
        complete = False
        cursor = await self._raw_cursor(sql)
        try:
            while True:
                async with _translated(self.server):
                    row = await cursor.fetchone()
                if row is None:
                    break
                yield row
            complete = True
        finally:
            if not complete:
                self.close()

    async def raw(self, sql: str) -> list[RawRow]:
        """All rows of one statement as undecoded bytes."""
        return [row async for row in self.stream(sql)]

    async def _raw_cursor(self, sql: str) -> Any:
        connection = self._connection
        decoders = connection.decoders
        # The driver fixes how each column is decoded when it reads the result's header, so only that needs the switch.
        connection.use_unicode, connection.decoders = False, {}
        try:
            async with _translated(self.server):
                cursor = await connection.cursor(_RawCursor)
                await cursor.execute(sql)
                return cursor
        finally:
            connection.use_unicode, connection.decoders = True, decoders

    async def load(self, sql: str, *pieces: bytes) -> Loaded:
        """Run a LOAD DATA LOCAL INFILE of a file with these `pieces`; the connection has to be opened for that."""
        connection = self._connection
        try:
            async with _translated(self.server):
                await connection._execute_command(COMMAND.COM_QUERY, sql)
                asked = await connection._read_packet()
                if not asked.is_load_local_packet():
                    raise ServerError(f"{self.server} did not ask for the rows of LOAD DATA")
                for piece in (memoryview(each) for each in pieces):
                    for start in range(0, len(piece), _SLICE):
                        connection.write_packet(piece[start : start + _SLICE])
                        await connection._writer.drain()
                connection.write_packet(b"")
                done = OKPacketWrapper(await connection._read_packet())
        except StatementRefused:
            raise
        except BaseException:
            # Whatever comes now is no answer to the next statement.
            self.close()
            raise
        return Loaded(int(done.affected_rows), int(done.warning_count))

    def literal(self, value: str | bytes | int | float | None) -> str:
        """`value` as a literal of the server's SQL, quoted and escaped."""
        return str(self._connection.escape(value))

    @property
    def streaming(self) -> bool:
        """Whether rows of a statement are still to come, on a connection that was not lost."""
        result = self._connection._result
        return not self._connection.closed and result is not None and bool(result.unbuffered_active)

    def close(self) -> None:
        """Drop the connection at once; safe to call twice."""
        self._connection.close()


async def connect(
    server: Server, *, within: float = 5.0, database: str | None = None, loading: bool = False
) -> SqlClient:
    """Log in at `server` with its service account, in autocommit mode and utf8mb4, within `within` seconds.

    `loading` allows `SqlClient.load`. The driver itself goes on refusing a server that asks for a file.
    """
    connection = _Connection(
        server,
        db=database,
        charset="utf8mb4",
        autocommit=True,
        program_name="manyreads",
        client_flag=CLIENT.LOCAL_FILES if loading else 0,
    )
    try:
        async with _translated(server), asyncio.timeout(within):
            # The driver's own timeout stops at the TCP connect; a server that accepts and then hangs needs ours around
            # the whole login, and a login cut off in the middle must not leave its socket to the garbage collector.
            await connection._connect()
    except BaseException:
        connection.close()
        raise
    return SqlClient(server, connection)


@asynccontextmanager
async def connected(server: Server, *, within: float = 5.0, loading: bool = False) -> AsyncIterator[SqlClient]:
    """A connection for the length of a `with` block."""
    client = await connect(server, within=within, loading=loading)
    try:
        yield client
    finally:
        client.close()


@asynccontextmanager
async def _translated(server: Server) -> AsyncIterator[None]:
    try:
        yield
    except pymysql.err.MySQLError as error:
        raise _server_error(server, error) from error
    except TimeoutError as error:
        raise ServerUnreachable(f"{server} did not answer in time") from error
    except RuntimeError as error:
        # The driver's answer to a server that asks for a file of ours, which none of our statements invites.
        raise ServerError(f"{server} broke the protocol: {error}") from error
    except (OSError, EOFError, asyncio.IncompleteReadError) as error:
        raise ServerUnreachable(f"the connection to {server} broke: {error}") from error


def _server_error(server: Server, error: pymysql.err.MySQLError) -> ServerError:
    errno, message = _parts(error)
    if isinstance(error.__cause__, ssl.SSLError):
        return ServerUnreachable(f"no TLS with {server}: {tls_reason(error.__cause__)}", "check server_tls_ca")
    if errno in _UNREACHABLE:
        cause = error.__cause__ or message
        return ServerUnreachable(f"cannot reach {server}: {cause}", "check that the server runs and listens there")
    if errno in _DENIED:
        return AccessDenied(f"{server} refused: {message} (error {errno})")
    return StatementRefused(f"{server} answered error {errno}: {message}", errno=errno)


def _parts(error: pymysql.err.MySQLError) -> tuple[int, str]:
    match error.args:
        case (int(errno), message, *_):
            return errno, str(message)
        case _:
            return 0, str(error)
