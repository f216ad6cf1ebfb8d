"""Where a sequence went another way through the proxy than on the server."""

from dataclasses import dataclass
from typing import Final

from proxy.wire.primitives import Reader
from tests.differential.steps import Step
from tests.support.recorder import Turn, differences
from tests.support.wireclient import Packet, first_error

_DEFINITION: Final = b"\x03def"
_SHORTEST_OK: Final = 7
_EOF: Final = 5
# SERVER_QUERY_NO_GOOD_INDEX_USED and SERVER_QUERY_NO_INDEX_USED.
_PLAN: Final = 0x0030


@dataclass(frozen=True)
class Difference:
    """`steps` end with the one that was answered with `wanted` by the server and with `got` by the proxy."""

    steps: tuple[Step, ...]
    wanted: Turn
    got: Turn

    @property
    def text(self) -> str:
        """The two replies, side by side."""
        return differences([self.wanted], [self.got])

    @property
    def refusal(self) -> str:
        """The message of the error that the proxy's reply is; empty if it is none."""
        error = first_error(list(self.got.packets)) if self.got.packets else None
        return error.message if error is not None else ""

    @property
    def in_definitions(self) -> bool:
        """Whether columns' definitions differ, and both replies have as many."""
        wanted, got = _definitions(self.wanted), _definitions(self.got)
        return wanted != got and len(wanted) == len(got)

    @property
    def only_in_definitions(self) -> bool:
        """Whether nothing but columns' definitions differs."""
        return _without_definitions(self.wanted) == _without_definitions(self.got)

    @property
    def only_in_use_of_indexes(self) -> bool:
        """Whether nothing but what EOF packets and the OK at the end tell of the plan's use of indexes differs."""
        return _without_plans(self.wanted) == _without_plans(self.got)


def _without_plans(turn: Turn) -> list[object]:
    last = len(turn.packets) - 1
    return [_without_plan(payload, last=at == last) for at, (_, payload) in enumerate(turn.packets)]


def _without_plan(payload: bytes, *, last: bool) -> object:
    """An EOF, or an OK if it is the last packet, without those flags; any other as it is: rows can begin as an OK."""
    if payload[:1] == b"\xfe" and len(payload) == _EOF:
        return payload[:3], int.from_bytes(payload[3:], "little") & ~_PLAN
    if not last or payload[:1] not in (b"\0", b"\xfe") or len(payload) < _SHORTEST_OK:
        return payload
    reader = Reader(payload)
    reader.take(1)
    rows, insert_id, flags = reader.lenenc_int(), reader.lenenc_int(), reader.integer(2)
    return payload[0], rows, insert_id, flags & ~_PLAN, reader.rest()


def _definitions(turn: Turn) -> list[Packet]:
    return [packet for packet in turn.packets if packet[1][:4] == _DEFINITION]


def _without_definitions(turn: Turn) -> list[Packet]:
    return [packet for packet in turn.packets if packet[1][:4] != _DEFINITION]
