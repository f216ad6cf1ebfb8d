"""A session without I/O, driven with command packets and the servers' replies."""

from proxy.routing.policy import Target
from proxy.routing.state import Seen, SessionState
from proxy.session.core.machine import Machine
from proxy.session.core.request import Prelude, Request
from proxy.session.core.statements import Limits
from proxy.wire import constants as c
from proxy.wire.capabilities import Layout
from proxy.wire.exchange import Exchange, Reply
from proxy.wire.framing import frame, payload_length
from tests.support.statements import MARIADB, MYSQL, cache_of
from topology.servers import Vendor

AUTOCOMMIT, IN_TRANS = c.SERVER_STATUS_AUTOCOMMIT, c.SERVER_STATUS_IN_TRANS
PRIMARY, REPLICA = "dbwrite", "dbread1"


def command(code: int, body: bytes = b"") -> bytes:
    return frame(bytes((code,)) + body, 0)


def query(text: str) -> bytes:
    return command(c.COM_QUERY, text.encode())


def ok(status: int = AUTOCOMMIT) -> bytes:
    return b"\0\0\0" + status.to_bytes(2, "little") + b"\0\0"


def err(errno: int = 1064) -> bytes:
    return b"\xff" + errno.to_bytes(2, "little") + b"#42000no"


class Session:
    """A machine with its connections; `run` does for one command what the I/O side does."""

    def __init__(
        self, schema: str = "app", vendor: Vendor = Vendor.MYSQL, limits: Limits | None = None, flags: int = 0
    ) -> None:
        self.state = SessionState(schema, AUTOCOMMIT)
        cache = cache_of(MYSQL if vendor is Vendor.MYSQL else MARIADB)
        self.machine = Machine(cache, self.state, vendor, limits, flags)
        self.links = {PRIMARY: Seen(), REPLICA: Seen()}
        self.log: list[tuple[str, bytes]] = []
        self.wrote = False
        self.written_ahead = False
        self.parameters = 0
        self._server_numbers = {PRIMARY: 100, REPLICA: 200}

    def request(self, packet: bytes) -> Request:
        request = self.machine.requests.make(packet)
        assert isinstance(request, Request)
        return request

    def server_of(self, request: Request) -> str:
        for name, seen in self.links.items():
            if seen is request.at:
                return name
        return REPLICA if request.route.target is Target.REPLICA else PRIMARY

    def run(self, packet: bytes, reply: bytes = b"") -> str:
        """Run a command; returns the server that it went to. `log` has (server, packet) of all that was
        sent, `written_ahead` says whether the command could be written in one with what had to come before it."""
        request = self.request(packet)
        server = self.server_of(request)
        seen = self.links[server]
        self.log = []
        ahead: list[bytes] = []
        while (prelude := self.machine.steps.prelude(seen, request)) is not None:
            assert not ahead or ahead.pop(0) == prelude.packet
            ahead = ahead or self.machine.steps.ahead(seen, request)
            self._log(server, prelude.packet)
            self.machine.steps.prelude_done(prelude, seen, self.answered(prelude, server))
        packet = self.machine.steps.packet_for(seen, request)
        assert ahead in ([], [packet])
        self.written_ahead = bool(ahead)
        self._log(server, packet)
        self.machine.sent(request, seen)
        self.answer(request, server, reply)
        return server

    def answer(self, request: Request, server: str, reply: bytes = b"") -> None:
        """The reply to a request that was sent arrives."""
        seen = self.links[server]
        exchange = Exchange(request.reply, Layout(deprecate_eof=True))
        if not exchange.done:
            exchange.feed(frame(reply, 1) if reply else self._ordinary(request.reply, server))
        self.wrote = self.machine.outcomes.wrote(request, exchange.status)
        self.number = 0
        if exchange.prepared is not None:
            self.number = self.machine.outcomes.prepared(request, exchange, seen)
        if request.reply is not Reply.NONE:
            self.machine.outcomes.replied(request, exchange, seen, server == PRIMARY)

    def hold(self, number: int, data: bytes, parameter: int = 0) -> None:
        """Send a piece of long data that the session keeps."""
        assert self.machine.requests.make(long_data(number, data, parameter)) is None

    def query(self, text: str, reply: bytes = b"") -> str:
        return self.run(query(text), reply)

    def prepare(self, text: str, parameters: int = 0) -> int:
        self.parameters = parameters
        self.run(command(c.COM_STMT_PREPARE, text.encode()))
        return self.number

    def sent(self) -> list[tuple[str, bytes]]:
        return [(server, packet[4:]) for server, packet in self.log]

    def _log(self, server: str, data: bytes) -> None:
        while data:
            end = c.HEADER_SIZE + payload_length(data)
            self.log.append((server, data[:end]))
            data = data[end:]

    def answered(self, prelude: Prelude, server: str) -> Exchange:
        exchange = Exchange(prelude.reply, Layout(deprecate_eof=True))
        exchange.feed(self._ordinary(prelude.reply, server))
        return exchange

    def _ordinary(self, reply: Reply, server: str) -> bytes:
        if reply is not Reply.PREPARED:
            return frame(ok() if reply is not Reply.ROWS else b"\xfe" + ok()[1:], 1)
        self._server_numbers[server] += 1
        numbers = self._server_numbers[server].to_bytes(4, "little") + bytes(2) + self.parameters.to_bytes(2, "little")
        return frame(b"\0" + numbers + bytes(3), 1) + frame(b"\x03def", 2) * self.parameters


def execute(number: int, parameters: int = 0, types: bytes = b"", values: bytes = b"", bound: bool = False) -> bytes:
    body = number.to_bytes(4, "little") + b"\0" + (1).to_bytes(4, "little")
    if parameters:
        body += bytes((parameters + 7) // 8) + (b"\x01" + types if bound else b"\0") + values
    return command(c.COM_STMT_EXECUTE, body)


def long_data(number: int, data: bytes, parameter: int = 0) -> bytes:
    head = number.to_bytes(4, "little") + parameter.to_bytes(2, "little")
    return command(c.COM_STMT_SEND_LONG_DATA, head + data)


def about(code: int, number: int, rest: bytes = b"") -> bytes:
    """A COM_STMT_* about statement `number`."""
    return command(code, number.to_bytes(4, "little") + rest)
