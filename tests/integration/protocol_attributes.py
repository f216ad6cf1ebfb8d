"""Queries with attributes, past the test client's own way of writing them."""

from proxy.wire.framing import frame
from tests.support.recorder import Recorder, Turn

# One attribute of each kind of value: name, type, value.
ATTRIBUTES = (
    (b"tiny", 1, b"\x05"),
    (b"long", 3, b"abcd"),
    (b"double", 5, bytes(8)),
    (b"nothing", 6, b""),
    (b"date", 10, b"\4\xe8\7\1\2"),
    (b"moment", 12, b"\x0b\xe8\7\1\2\3\4\5\0\0\0\1"),
    (b"trace", 253, b"\x20" + b"t" * 32),
)


def attributes(count: int = len(ATTRIBUTES)) -> bytes:
    """What stands before the text of a query."""
    if not count:
        return b"\0\1"
    chosen = ATTRIBUTES[:count]
    types = b"".join(kind.to_bytes(2, "little") + bytes((len(name),)) + name for name, kind, _ in chosen)
    return bytes((count, 1)) + bytes((count + 7) // 8) + b"\1" + types + b"".join(value for _, _, value in chosen)


def attributed(talk: Recorder, text: bytes, count: int = len(ATTRIBUTES)) -> None:
    """A COM_QUERY with the first `count` attributes."""
    talk.client.send_bytes(frame(b"\x03" + attributes(count) + text, 0))
    talk.turns.append(Turn(f"attributed {text!r}", tuple(talk.client.reply())))
