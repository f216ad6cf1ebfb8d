"""Where a sequence went another way through the proxy than on the server."""

from dataclasses import dataclass

from tests.differential.steps import Step
from tests.support.recorder import Turn, differences
from tests.support.wireclient import Packet, first_error

_DEFINITION = b"\x03def"


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


def _definitions(turn: Turn) -> list[Packet]:
    return [packet for packet in turn.packets if packet[1][:4] == _DEFINITION]


def _without_definitions(turn: Turn) -> list[Packet]:
    return [packet for packet in turn.packets if packet[1][:4] != _DEFINITION]
