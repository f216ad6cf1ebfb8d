"""One step of a sequence: what a client sends, the same to the server and to the proxy but for the names it uses."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from proxy.wire import constants as c
from proxy.wire.constants import SERVER_SESSION_STATE_CHANGED
from proxy.wire.errors import MalformedPacket
from proxy.wire.exchange import Reply
from proxy.wire.replies import ok_payload, parse_whole_ok
from tests.support.recorder import Recorder, Turn, normalised
from tests.support.wireclient import Login, Packet, Value

# In the texts of steps they stand for what the names of one side begin with: those of schemas, and those of locks and
# the like, which no other sequence shall meet.
_OWN: Final = "~"
_ONCE: Final = "~#"
_PREFIX: Final = re.compile(rb"df[dp](\d+)_")
# MariaDB counts on from what the connection did before, where an error is not about a row of a table.
_ROW: Final = re.compile(rb"at row \d+")
# A number that no server has given to a statement.
_NO_STATEMENT: Final = 99_999


class Kind(StrEnum):
    """What a step sends."""

    QUERY = "query"
    PREPARE = "prepare"
    EXECUTE = "execute"
    FETCH = "fetch"
    RESET = "reset"
    CLOSE = "close"
    LONG_DATA = "long data"
    INIT_DB = "init db"
    FIELD_LIST = "field list"
    OPTION = "option"
    PING = "ping"
    RESET_CONNECTION = "reset connection"
    CHANGE_USER = "change user"


# MySQL's replies to these repeat the count of warnings of the statement that the same connection ran before.
_OF_NO_STATEMENT: Final = frozenset({Kind.PING, Kind.INIT_DB, Kind.OPTION, Kind.RESET, Kind.RESET_CONNECTION})


@dataclass(frozen=True, slots=True)
class Step:
    """`text` is a statement, a schema, or data; `handle` is the sequence's own number of a prepared statement, `values`
    are parameters, and `number` is how many rows are fetched, which parameter, which cursor or which option is meant.
    `pause` asks for a moment before the step, in which replicas become fresh."""

    kind: Kind
    text: str = ""
    handle: int = 0
    values: tuple[Value, ...] = ()
    number: int = 0
    pause: bool = False

    def __str__(self) -> str:
        parts = [f"#{self.handle}"] if self.handle else []
        parts += [self.text] if self.text else []
        parts += [str(self.values)] if self.values else []
        parts += [f"({self.number})"] if self.number else []
        return f"{'.. ' if self.pause else ''}{self.kind}: {' '.join(parts)}"


def query(text: str) -> Step:
    """A COM_QUERY."""
    return Step(Kind.QUERY, text)


@dataclass
class Side:
    """One of the two connections that a sequence runs on: `prefix` is what its names begin with, `run` the number of
    the sequence's run."""

    recorder: Recorder
    prefix: str
    run: int
    login: Login
    handles: dict[int, int] = field(default_factory=dict)

    def own(self, text: str) -> str:
        """A step's text with this side's names."""
        return text.replace(_ONCE, f"{self.prefix}{self.run}_").replace(_OWN, self.prefix)

    def number(self, handle: int) -> int:
        """The number that the other end gave to a prepared statement."""
        return self.handles.get(handle, _NO_STATEMENT)

    def perform(self, step: Step) -> Turn:
        """Send a step and return what came back, without what differs from side to side."""
        turns = self.recorder.turns
        try:
            _PERFORM[step.kind](self, step)
        except (ConnectionResetError, BrokenPipeError):
            turns.append(Turn("closed", ()))
        except TimeoutError as error:
            error.add_note(f"{self.prefix} at {step}")
            raise
        last = turns[-1]
        size = len(last.packets)
        return Turn(
            str(step) if last.command != "closed" else "closed",
            tuple(_neutral(packet, at in (0, size - 1), step.kind) for at, packet in enumerate(last.packets)),
        )


def _neutral(packet: Packet, at_either_end: bool, kind: Kind) -> Packet:
    """Without a side's names, without the flag about session state, which a client that asks for none ignores, and
    without the count of warnings where it is that of another statement."""
    sequence, payload = packet
    payload = _PREFIX.sub(rb"df-\1_", payload)
    if payload[:1] == b"\xff":
        payload = _ROW.sub(b"at row #", payload)
    # In the middle a packet that begins with 0x00 can be a row.
    if payload[:1] == b"\xfe" or (payload[:1] == b"\0" and at_either_end):
        payload = _without_state_flag(payload, warnings=kind not in _OF_NO_STATEMENT)
    return sequence, payload


def _without_state_flag(payload: bytes, warnings: bool) -> bytes:
    if len(payload) == 5:
        status = int.from_bytes(payload[3:], "little") & ~SERVER_SESSION_STATE_CHANGED
        return payload[:1] + (payload[1:3] if warnings else bytes(2)) + status.to_bytes(2, "little")
    try:
        ok, rest = parse_whole_ok(payload)
    except MalformedPacket:
        return payload
    status = ok.status & ~SERVER_SESSION_STATE_CHANGED
    return ok_payload(replace(ok, status=status, warnings=ok.warnings if warnings else 0), payload[0], rest)


def _query(side: Side, step: Step) -> None:
    side.recorder.query(side.own(step.text).encode("utf-8", "surrogateescape"))


def _prepare(side: Side, step: Step) -> None:
    # The one of that handle is let go, as a driver does with a cursor that is used again.
    if number := side.handles.pop(step.handle, 0):
        side.recorder.close(number)
    if number := side.recorder.prepare(side.own(step.text)):
        side.handles[step.handle] = number


def _execute(side: Side, step: Step) -> None:
    side.recorder.execute(side.number(step.handle), step.values, cursor=step.number)


def _fetch(side: Side, step: Step) -> None:
    side.recorder.fetch(side.number(step.handle), step.number)


def _reset(side: Side, step: Step) -> None:
    side.recorder.reset(side.number(step.handle))


def _close(side: Side, step: Step) -> None:
    side.recorder.close(side.handles.pop(step.handle, _NO_STATEMENT))


def _long_data(side: Side, step: Step) -> None:
    side.recorder.long_data(side.number(step.handle), step.number, step.text.encode())


def _init_db(side: Side, step: Step) -> None:
    side.recorder.command(bytes((c.COM_INIT_DB,)) + side.own(step.text).encode())


def _field_list(side: Side, step: Step) -> None:
    side.recorder.command(bytes((c.COM_FIELD_LIST,)) + step.text.encode() + b"\0", Reply.ROWS)


def _option(side: Side, step: Step) -> None:
    side.recorder.command(bytes((c.COM_SET_OPTION,)) + step.number.to_bytes(2, "little"))


def _ping(side: Side, step: Step) -> None:
    side.recorder.command(bytes((c.COM_PING,)))


def _reset_connection(side: Side, step: Step) -> None:
    side.handles.clear()
    side.recorder.command(bytes((c.COM_RESET_CONNECTION,)))


def _change_user(side: Side, step: Step) -> None:
    side.handles.clear()
    login = Login(side.login.user, side.login.password, side.own(step.text))
    # Only the verdict: what goes before it depends on whom the other end has in its cache.
    packets = side.recorder.client.change_user(login)[-1:]
    side.recorder.turns.append(Turn("", normalised(c.COM_CHANGE_USER, [(0, payload) for _, payload in packets])))


_PERFORM: Final[Mapping[Kind, Callable[[Side, Step], None]]] = {
    Kind.QUERY: _query,
    Kind.PREPARE: _prepare,
    Kind.EXECUTE: _execute,
    Kind.FETCH: _fetch,
    Kind.RESET: _reset,
    Kind.CLOSE: _close,
    Kind.LONG_DATA: _long_data,
    Kind.INIT_DB: _init_db,
    Kind.FIELD_LIST: _field_list,
    Kind.OPTION: _option,
    Kind.PING: _ping,
    Kind.RESET_CONNECTION: _reset_connection,
    Kind.CHANGE_USER: _change_user,
}
