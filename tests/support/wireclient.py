"""A client that speaks raw packets: it sees what drivers hide, and can send what no driver would."""

import hashlib
import os
import socket
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from proxy.wire import constants as c
from proxy.wire.capabilities import layout_of
from proxy.wire.changeuser import ChangeUser, change_user_payload
from proxy.wire.clientlogin import ClientLogin, Safety
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import frame
from proxy.wire.handshake import Greeting, HandshakeResponse, parse_greeting, response_payload
from proxy.wire.primitives import Reader, lenenc_int
from proxy.wire.queryattributes import query_payload
from proxy.wire.replies import Err, Ok, parse_err
from proxy.wire.secret import secret_of

CAPABILITIES: Final = (
    c.CLIENT_LONG_PASSWORD
    | c.CLIENT_LONG_FLAG
    | c.CLIENT_PROTOCOL_41
    | c.CLIENT_TRANSACTIONS
    | c.CLIENT_SECURE_CONNECTION
    | c.CLIENT_MULTI_STATEMENTS
    | c.CLIENT_MULTI_RESULTS
    | c.CLIENT_PS_MULTI_RESULTS
    | c.CLIENT_PLUGIN_AUTH
)
TIMEOUT: Final = 60.0
UTF8MB4: Final = 45

Packet = tuple[int, bytes]
# A parameter's field type and its encoding, None for NULL.
Value = tuple[int, bytes | None]


@dataclass
class Login:
    """Whom to log in as, and how. `pace` sends each packet in pieces of so many bytes, 0 for all at once."""

    user: str
    password: str = field(repr=False)
    database: str = ""
    capabilities: int = CAPABILITIES
    pace: int = 0


class Refused(Exception):
    """The login was answered with an error packet."""

    def __init__(self, err: Err) -> None:
        super().__init__(f"{err.errno} ({err.sqlstate}): {err.message}")
        self.err = err


class WireClient(AbstractContextManager["WireClient"]):
    """One TCP connection. `greeting` is the server's first packet; `log_in` or anything else may follow."""

    def __init__(self, host: str, port: int, source: str = "", receive_buffer: int = 0) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(TIMEOUT)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.bind((source, 0))
        self.socket.connect((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # What was received, and how much of it is read.
        self._buffer, self._at = b"", 0
        self.capabilities = 0
        self.connection_id = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close()

    def log_in(self, login: Login) -> Self:
        """Go through the whole login. Raises Refused."""
        return self.respond(login, self.greeting())

    def respond(self, login: Login, greeting: Greeting, sequence: int = 1) -> Self:
        """Go through the login from the handshake response on, which is packet number `sequence`. Raises Refused."""
        state = ClientLogin(
            secret_of(login.password.encode()), greeting.nonce, greeting.plugin, os.urandom(32), Safety(private=True)
        )
        self.capabilities = login.capabilities | (c.CLIENT_CONNECT_WITH_DB if login.database else 0)
        self.capabilities &= greeting.capabilities
        response = HandshakeResponse(
            capabilities=self.capabilities,
            max_packet_size=1 << 30,
            collation_id=UTF8MB4,
            user=login.user,
            auth=state.first_answer(),
            database=login.database,
            plugin=state.plugin,
        )
        self.send_bytes(frame(response_payload(response), sequence), login.pace)
        while True:
            sequence, payload = self.packet()
            match state.answer(payload):
                case Ok():
                    return self
                case Err() as err:
                    raise Refused(err)
                case bytes(answer):
                    self.send_bytes(frame(answer, sequence + 1), login.pace)
                case None:
                    continue

    def change_user(self, login: Login, collation_id: int = UTF8MB4, attributes: bytes = b"") -> list[Packet]:
        """COM_CHANGE_USER and its dialogue; the packets received, the verdict last."""
        command = ChangeUser(login.user, login.database, collation_id, attributes)
        self.send_bytes(frame(change_user_payload(command, self.capabilities), 0))
        dialogue = ClientLogin(secret_of(login.password.encode()), b"", "", os.urandom(32), Safety(private=True))
        packets: list[Packet] = []
        answer: bytes | Ok | Err | None = None
        while not isinstance(answer, Ok | Err):
            sequence, payload = self.packet()
            packets.append((sequence, payload))
            answer = dialogue.answer(payload)
            if isinstance(answer, bytes):
                self.send_bytes(frame(answer, sequence + 1))
        return packets

    def greeting(self) -> Greeting:
        """The server's greeting. Raises Refused when there is an error in its place."""
        _, payload = self.packet()
        if payload[:1] == bytes((c.ERR_HEADER,)):
            raise Refused(parse_err(payload))
        greeting = parse_greeting(payload)
        self.connection_id = greeting.connection_id
        return greeting

    def send_bytes(self, data: bytes, pace: int = 0) -> None:
        """Send these very bytes, in pieces of `pace` bytes if it is not 0."""
        for at in range(0, len(data), pace or max(1, len(data))):
            self.socket.sendall(data[at : at + (pace or len(data))])

    @property
    def attributes(self) -> bool:
        """Whether commands come with query attributes."""
        return bool(self.capabilities & c.CLIENT_QUERY_ATTRIBUTES)

    def payload(self, command: bytes) -> bytes:
        """A command as it is sent: a COM_QUERY gets no query attributes, if they were agreed on."""
        if self.attributes and command[:1] == bytes((c.COM_QUERY,)):
            return query_payload(command[1:], attributes=True)
        return command

    def send(self, command: bytes) -> None:
        """Send one command."""
        self.send_bytes(frame(self.payload(command), 0))

    def command(self, payload: bytes, reply: Reply = Reply.RESULT) -> list[Packet]:
        """Send one command; all packets of its reply."""
        self.send(payload)
        return self.reply(reply)

    def query(self, sql: str) -> list[Packet]:
        """One COM_QUERY; all packets of its reply."""
        return self.command(query(sql))

    def reply(self, shape: Reply = Reply.RESULT) -> list[Packet]:
        """The packets of the next reply, those of 16 MiB and their continuations as they came.

        They end early where the server asks for a file: the rest is the reply to that.
        """
        self._exchange = Exchange(shape, layout_of(self.capabilities))
        return self._rest_of_reply()

    @property
    def file_wanted(self) -> bool:
        """Whether the server has asked for a file."""
        return self._exchange.file_wanted

    def send_file(self, pieces: Iterable[bytes], pace: int = 0, behind: bytes = b"") -> list[Packet]:
        """Send a file that was asked for, one packet or more for each piece; the rest of the reply.

        The bytes `behind` go out with the end of the file.
        """
        sequence = self._exchange.sequence + 1
        for piece in pieces:
            self.send_bytes(frame(piece, sequence), pace)
            sequence += 1 + len(piece) // c.MAX_PAYLOAD
        self.send_bytes(frame(b"", sequence) + behind, pace)
        self._exchange.file_wanted = False
        return self._rest_of_reply()

    def _rest_of_reply(self) -> list[Packet]:
        exchange, packets = self._exchange, []
        while not (exchange.done or exchange.file_wanted):
            packet = self.packet()
            exchange.feed(len(packet[1]).to_bytes(3, "little") + bytes((packet[0],)) + packet[1])
            packets.append(packet)
        return packets

    def packet(self) -> Packet:
        """The next packet as (sequence, payload). Raises ConnectionResetError at the end."""
        header = self._read(c.HEADER_SIZE)
        return header[3], self._read(int.from_bytes(header[:3], "little"))

    def is_closed(self) -> bool:
        """Whether the server closes the connection, whatever it may say before."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        return True

    def _read(self, count: int) -> bytes:
        if self._at + count > len(self._buffer):
            self._receive(count)
        self._at += count
        return self._buffer[self._at - count : self._at]

    def _receive(self, count: int) -> None:
        """At least so many bytes are to be read."""
        pieces = [self._buffer[self._at :]]
        have = len(pieces[0])
        while have < count:
            piece = self.socket.recv(1 << 20)
            if not piece:
                raise ConnectionResetError("the server closed the connection")
            pieces.append(piece)
            have += len(piece)
        self._buffer, self._at = b"".join(pieces), 0


def query(sql: str | bytes) -> bytes:
    """A COM_QUERY."""
    return bytes((c.COM_QUERY,)) + (sql.encode() if isinstance(sql, str) else sql)


def statement_command(code: int, number: int, rest: bytes = b"") -> bytes:
    """A COM_STMT_* about statement `number`."""
    return bytes((code,)) + number.to_bytes(4, "little") + rest


def execute(
    number: int, values: Iterable[Value] = (), cursor: int = 0, types: bool = True, named: bool = False
) -> bytes:
    """A COM_STMT_EXECUTE; `named` for connections with query attributes."""
    parameters = list(values)
    rest = bytes((cursor,)) + (1).to_bytes(4, "little")
    if parameters:
        nulls = sum(1 << index for index, (_, value) in enumerate(parameters) if value is None)
        rest += lenenc_int(len(parameters)) if named else b""
        rest += nulls.to_bytes((len(parameters) + 7) // 8, "little") + bytes((types,))
        if types:
            rest += b"".join(kind.to_bytes(2, "little") + b"\0" * named for kind, _ in parameters)
        rest += b"".join(value for _, value in parameters if value is not None)
    return statement_command(c.COM_STMT_EXECUTE, number, rest)


def first_error(packets: list[Packet]) -> Err | None:
    """The error that a reply is, if it is one."""
    return parse_err(packets[-1][1]) if packets[-1][1][:1] == bytes((c.ERR_HEADER,)) else None


def text_rows(packets: list[Packet]) -> list[tuple[bytes | None, ...]]:
    """The rows of a text result that ends with an EOF packet; none for a reply that is no result."""
    if len(packets) < 2:
        return []
    columns = packets[0][1][0]
    return [_text_row(payload) for _, payload in packets[columns + 2 : -1]]


def _text_row(payload: bytes) -> tuple[bytes | None, ...]:
    reader = Reader(payload)
    values: list[bytes | None] = []
    while reader.left:
        if payload[len(payload) - reader.left] == c.LOCAL_INFILE_HEADER:
            reader.take(1)
            values.append(None)
        else:
            values.append(reader.lenenc_bytes())
    return tuple(values)


def digest(packets: list[Packet]) -> list[tuple[int, int, str]]:
    """Packets as (sequence, length, hash), for those too large to be shown."""
    return [(sequence, len(payload), hashlib.sha256(payload).hexdigest()[:16]) for sequence, payload in packets]
