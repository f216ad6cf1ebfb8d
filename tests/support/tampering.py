"""Real conversations of clients, one message of which goes out damaged."""

import random
from collections.abc import Callable, Sequence
from socket import socket
from typing import Any, Final

Damage = Callable[[random.Random, bytes], bytes]

# Bytes that the protocol gives a meaning.
_SPECIAL: Final = (0x00, 0x01, 0x7F, 0x80, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF)
_LONGEST_NOISE: Final = 300


class Tampered(Exception):
    """The damaged message was sent."""


class TamperingSocket:
    """A socket of `WireClient` which damages message number `at`, and raises Tampered then. `sent` are the messages."""

    def __init__(self, below: socket, at: int = -1, damage: Callable[[bytes], bytes] = bytes) -> None:
        self._below = below
        self._at = at
        self._damage = damage
        self.sent: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        """As of a socket."""
        number = len(self.sent)
        self.sent.append(data)
        if number != self._at:
            self._below.sendall(data)
            return
        self._below.sendall(self._damage(data))
        raise Tampered

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)


def damaged(chance: random.Random, data: bytes, following: Sequence[bytes]) -> bytes:
    """`data` in some way that no client would send it, half of the time with what followed it once."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        data = chance.choice(_WAYS)(chance, data)
    return data + b"".join(following) if chance.random() < 0.5 else data


def _cut(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _flip(chance: random.Random, data: bytes) -> bytes:
    return _replaced(chance, data, chance.randrange(256))


def _special(chance: random.Random, data: bytes) -> bytes:
    return _replaced(chance, data, chance.choice(_SPECIAL))


def _replaced(chance: random.Random, data: bytes, byte: int) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + bytes((byte,)) + data[at + 1 :]


def _insert(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + _noise(chance, data) + data[at:]


def _remove(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + data[at + chance.randrange(1, 20) :]


def _repeat(chance: random.Random, data: bytes) -> bytes:
    return data * chance.choice((2, 3))


def _other_length(chance: random.Random, data: bytes) -> bytes:
    length = chance.choice((0, 1, len(data), len(data) + 1, 70_000, 1 << 20, 0xFFFFFE, 0xFFFFFF))
    return length.to_bytes(3, "little") + data[3:]


def _other_number(chance: random.Random, data: bytes) -> bytes:
    return data[:3] + bytes((chance.randrange(256),)) + data[4:]


def _other_command(chance: random.Random, data: bytes) -> bytes:
    return data[:4] + bytes((chance.randrange(256),)) + data[5:]


def _shorter(chance: random.Random, data: bytes) -> bytes:
    """A whole packet with less in it than belongs there."""
    content = data[4 : 4 + chance.randrange(max(1, len(data) - 3))]
    return len(content).to_bytes(3, "little") + data[3:4] + content


def _noise(chance: random.Random, data: bytes) -> bytes:
    return chance.randbytes(chance.randrange(1, _LONGEST_NOISE))


_WAYS: Final[tuple[Damage, ...]] = (
    _cut, _flip, _flip, _special, _special, _insert, _remove, _repeat, _other_length, _other_number, _other_command,
    _shorter, _shorter, _noise,
)  # fmt: skip
