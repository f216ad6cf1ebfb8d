"""What a parent and its workers say to each other: frames of bytes with a version, and Python values inside.

Both ends are processes of one user that run the same code, joined by a pair of sockets that nobody else has. That is
what pickle is for; `multiprocessing` does the same. A worker of another release is told apart by the version.
"""

import pickle
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from importlib.metadata import version
from typing import Any, Final

_HEADER: Final = struct.Struct("<IBII")
# Bytes of one message: that of 10,000 sessions that are shown has 2 MiB.
LONGEST: Final = 64 << 20
# What was installed when this process began.
RELEASE: Final = version("manyreads")
_VERSION: Final = zlib.crc32(f"1 {RELEASE}".encode())


class Sort(IntEnum):
    """What a frame is."""

    TELLS = 0
    ASKS = 1
    ANSWERS = 2
    FAILS = 3


class Malformed(ValueError):
    """Bytes that are no message of this release."""


@dataclass(frozen=True, slots=True)
class Message:
    """`number` joins an answer to what was asked; `name` says what it is about, empty in an answer."""

    sort: Sort
    number: int
    name: str
    value: Any


def encode(message: Message) -> bytes:
    """The frame of a message."""
    body = pickle.dumps((message.name, message.value), pickle.HIGHEST_PROTOCOL)
    return _HEADER.pack(len(body), message.sort, message.number, _VERSION) + body


class Deframer:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are complete with this. Raises Malformed."""
        self._held += data
        found, at = [], 0
        while len(self._held) - at >= _HEADER.size:
            length, sort, number, release = _HEADER.unpack_from(self._held, at)
            if release != _VERSION or length > LONGEST or sort not in Sort._value2member_map_:
                raise Malformed("a message of another release")
            end = at + _HEADER.size + length
            if len(self._held) < end:
                break
            found.append(Message(Sort(sort), number, *pickle.loads(self._held[at + _HEADER.size : end])))
            at = end
        del self._held[:at]
        return found
