"""Records what a client receives, made comparable, and shows how two recordings differ."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final

from proxy.wire import constants as c
from proxy.wire.exchange import Reply
from tests.support.packets import describe, shown
from tests.support.wireclient import Login, Packet, Value, WireClient, execute, first_error, query, statement_command

NAMES: Final = {value: name for name, value in vars(c).items() if name.startswith("COM_") and isinstance(value, int)}
_OF_STATEMENTS: Final = {value for value, name in NAMES.items() if name.startswith("COM_STMT_")} - {c.COM_STMT_PREPARE}


@dataclass(frozen=True)
class Turn:
    """One command and the packets that answered it."""

    command: str
    packets: tuple[Packet, ...]


@dataclass
class Recorder:
    """A client, and what it received so far. What has no reply is recorded as a turn without packets."""

    client: WireClient
    turns: list[Turn] = field(default_factory=list)

    def command(self, payload: bytes, reply: Reply = Reply.RESULT, label: str = "") -> list[Packet]:
        """Send a command and record its whole reply; `label` is for commands that differ between connections."""
        packets = [] if reply is Reply.NONE else self.client.command(payload, reply)
        if reply is Reply.NONE:
            self.client.send(payload)
        self._record(payload[0], packets, label or _label(payload))
        return packets

    def change_user(self, login: Login) -> None:
        """COM_CHANGE_USER, with its dialogue."""
        packets = [(sequence, _without_challenge(payload)) for sequence, payload in self.client.change_user(login)]
        self._record(c.COM_CHANGE_USER, packets, f"COM_CHANGE_USER {login.user}")

    def behind(self, label: str) -> None:
        """Record the reply to a COM_QUERY that was sent behind something else."""
        self._record(c.COM_QUERY, self.client.reply(), label)

    def _record(self, code: int, packets: list[Packet], label: str) -> None:
        self.turns.append(Turn(label, normalised(code, packets)))

    def query(self, sql: str | bytes) -> list[Packet]:
        """COM_QUERY."""
        return self.command(query(sql))

    def prepare(self, sql: str) -> int:
        """COM_STMT_PREPARE; the statement's number, 0 if it could not be prepared."""
        packets = self.command(bytes((c.COM_STMT_PREPARE,)) + sql.encode(), Reply.PREPARED)
        return 0 if first_error(packets) else int.from_bytes(packets[0][1][1:5], "little")

    def execute(
        self, number: int, values: Iterable[Value] = (), *, cursor: int = 0, types: bool = True
    ) -> list[Packet]:
        """COM_STMT_EXECUTE."""
        return self.command(execute(number, values, cursor=cursor, types=types, named=self.client.attributes))

    def fetch(self, number: int, count: int) -> list[Packet]:
        """COM_STMT_FETCH."""
        return self.command(statement_command(c.COM_STMT_FETCH, number, count.to_bytes(4, "little")), Reply.ROWS)

    def reset(self, number: int) -> list[Packet]:
        """COM_STMT_RESET."""
        return self.command(statement_command(c.COM_STMT_RESET, number))

    def close(self, number: int) -> None:
        """COM_STMT_CLOSE."""
        self.command(statement_command(c.COM_STMT_CLOSE, number), Reply.NONE)

    def long_data(self, number: int, parameter: int, data: bytes) -> None:
        """COM_STMT_SEND_LONG_DATA."""
        rest = parameter.to_bytes(2, "little") + data
        self.command(statement_command(c.COM_STMT_SEND_LONG_DATA, number, rest), Reply.NONE)

    def file(self, *pieces: bytes, behind: bytes = b"") -> list[Packet]:
        """The file that the server has asked for, and what goes out with its end."""
        packets = self.client.send_file(pieces, behind=behind)
        self._record(c.COM_QUERY, packets, f"a file of {len(pieces)} pieces")
        return packets

    def end(self) -> None:
        """Record whether the connection was closed."""
        self.turns.append(Turn("closed" if self.client.is_closed() else "still open", ()))


Script = Callable[[Recorder], None]


def _label(payload: bytes) -> str:
    # The number of a statement is whatever the server gave it.
    body = payload[5:] if payload[0] in _OF_STATEMENTS else payload[1:]
    return f"{NAMES.get(payload[0], f'command {payload[0]:#04x}')} {shown(body)}"


# --- what differs from connection to connection -----------------------------------------------------------------------

_ERROR_NUMBERS: Final = re.compile(rb"(handler \(|statement \(|thread id: |[Cc]onnection )\d+")
_GTID: Final = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9:-]+")
_NUMBERS: Final = re.compile(rb"[0-9.]+")


def normalised(code: int, packets: Iterable[Packet]) -> tuple[Packet, ...]:
    """A reply without what differs from one connection to the next: ids, salts, times, positions."""
    kept = list(packets)
    if code == c.COM_PROCESS_INFO:
        # How many threads there are changes as well, and with it the numbers of what follows the rows.
        payloads = [payload for _, payload in kept if not _is_row(payload)]
        kept = list(enumerate(payloads, 1))
    return tuple((sequence, _packet(code, number, payload)) for number, (sequence, payload) in enumerate(kept))


def _packet(code: int, number: int, payload: bytes) -> bytes:
    first = payload[:1]
    if first == bytes((c.ERR_HEADER,)):
        return _ERROR_NUMBERS.sub(rb"\1#", payload)
    if code == c.COM_STATISTICS:
        return _NUMBERS.sub(b"#", payload)
    if code == c.COM_STMT_PREPARE and number == 0:
        return first + b"####" + payload[5:]
    return _GTID.sub(b"#", payload)


def _without_challenge(payload: bytes) -> bytes:
    """A packet of a login's dialogue, without challenges and keys."""
    if payload[:1] == bytes((c.EOF_HEADER,)):
        return payload.partition(b"\0")[0]
    return payload[:2] if payload[:1] == bytes((c.AUTH_MORE_DATA,)) else payload


def _is_row(payload: bytes) -> bool:
    return len(payload) > 9 and not payload.startswith((b"\x03def", b"\xff", b"\xfe"))


# --- how two recordings differ ----------------------------------------------------------------------------------------


def differences(wanted: list[Turn], got: list[Turn]) -> str:
    """Where two recordings differ, packet by packet; empty if they do not."""
    return "\n".join(line for left, right in zip_longest(wanted, got) for line in _turn(left, right))


def _turn(wanted: Turn | None, got: Turn | None) -> Iterator[str]:
    if wanted == got:
        return
    yield f"{(wanted or got or Turn('', ())).command}"
    if wanted is None or got is None or wanted.command != got.command:
        yield f"    direct:  {wanted.command if wanted else 'nothing'}"
        yield f"    proxied: {got.command if got else 'nothing'}"
        return
    for left, right in zip_longest(wanted.packets, got.packets):
        if left == right:
            yield f"    both:    {_line(left)}"
        else:
            yield f"    direct:  {_line(left)}"
            yield f"    proxied: {_line(right)}"


def _line(packet: Packet | None) -> str:
    return "-" if packet is None else f"#{packet[0]} {describe(packet[1])}"
