"""Query attributes: named values that a client of MySQL 8.0.23 or later sends along with a statement.

With CLIENT_QUERY_ATTRIBUTES a COM_QUERY has them between its first byte and its text, and an execution of a prepared
statement has them behind the statement's own parameters, each with a name.
"""

from typing import Final

from proxy.wire.constants import COM_QUERY, HEADER_SIZE
from proxy.wire.errors import MalformedPacket
from proxy.wire.primitives import Reader, read_lenenc_int

_BODY_AT: Final = HEADER_SIZE + 1
# Of a COM_STMT_EXECUTE: behind the statement, flags and iterations.
_COUNT_AT: Final = HEADER_SIZE + 10
# No attributes, in one set: what nearly every query has.
_NONE: Final = b"\x00\x01"
_ONE_SET: Final = 1
_NULL: Final = 6
# How many bytes a value takes, by its type; NULL takes none. Other types have their length before them.
_SIZES: Final = {1: 1, 2: 2, 13: 2, 3: 4, 9: 4, 4: 4, 8: 8, 5: 8, _NULL: 0}
# Dates and times: one byte of length.
_TIMES: Final = frozenset({7, 10, 11, 12})


def text_of(packet: bytes) -> bytes:
    """The text of a COM_QUERY (with its header), without its attributes. Raises MalformedPacket."""
    if packet[_BODY_AT : _BODY_AT + 2] == _NONE:
        return packet[_BODY_AT + 2 :]
    reader = Reader(packet[_BODY_AT:])
    count = reader.lenenc_int()
    if reader.lenenc_int() != _ONE_SET:
        raise MalformedPacket("query attributes come in one set")
    if count:
        _skip(reader, count)
    return reader.rest()


def has_attributes(packet: bytes) -> bool:
    """Whether a COM_QUERY (with its header) has any. Raises MalformedPacket."""
    return read_lenenc_int(packet, _BODY_AT)[0] > 0


def query_payload(text: bytes, *, attributes: bool) -> bytes:
    """A COM_QUERY, on a connection with or without CLIENT_QUERY_ATTRIBUTES."""
    return bytes((COM_QUERY,)) + (_NONE if attributes else b"") + text


def attribute(packet: bytes, name: bytes) -> bytes:
    """The attribute `name` of a COM_QUERY (with its header); empty if there is none. Raises MalformedPacket."""
    reader = Reader(packet[_BODY_AT:])
    count = reader.lenenc_int()
    reader.lenenc_int()
    return _named(reader, count, name) if count else b""


def attribute_of_execution(packet: bytes, name: bytes) -> bytes:
    """The same of a COM_STMT_EXECUTE that tells its number of parameters. Raises MalformedPacket.

    Also empty if the types are not there: then nothing tells where values begin. No value may have been sent before, as
    long data.
    """
    reader = Reader(packet[_COUNT_AT:])
    return _named(reader, reader.lenenc_int(), name)


def _named(reader: Reader, count: int, name: bytes) -> bytes:
    nulls = reader.take((count + 7) // 8)
    if reader.integer(1) != 1:
        return b""
    types = [(reader.integer(2) & 0xFF, reader.lenenc_bytes()) for _ in range(count)]
    for number, (kind, called) in enumerate(types):
        if nulls[number // 8] >> number % 8 & 1:
            continue
        value = _value(reader, kind)
        if called == name:
            return value
    return b""


def _skip(reader: Reader, count: int) -> None:
    nulls = reader.take((count + 7) // 8)
    if reader.integer(1) != 1:
        raise MalformedPacket("query attributes without their types")
    types = [_type(reader) for _ in range(count)]
    for number, kind in enumerate(types):
        if not nulls[number // 8] >> number % 8 & 1:
            _value(reader, kind)


def _type(reader: Reader) -> int:
    kind = reader.integer(2) & 0xFF
    reader.lenenc_bytes()
    return kind


def _value(reader: Reader, kind: int) -> bytes:
    size = _SIZES.get(kind)
    if size is None:
        size = reader.integer(1) if kind in _TIMES else reader.lenenc_int()
    return reader.take(size)
