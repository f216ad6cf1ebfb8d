"""Packets as text for those who read a failed comparison: not exact, but enough to see what differs."""

from typing import Final

from proxy.wire import constants as c
from proxy.wire.errors import MalformedPacket
from proxy.wire.primitives import Reader
from proxy.wire.replies import parse_err

_STATUS: Final = {
    0x0001: "in-trans",
    0x0002: "autocommit",
    0x0008: "more-results",
    0x0010: "no-good-index",
    0x0020: "no-index",
    0x0040: "cursor-exists",
    0x0080: "last-row-sent",
    0x0100: "db-dropped",
    0x0200: "no-backslash-escapes",
    0x0400: "metadata-changed",
    0x0800: "slow",
    0x1000: "ps-out-params",
    0x2000: "in-trans-readonly",
    0x4000: "session-state-changed",
}
_SHOWN: Final = 160


def describe(payload: bytes) -> str:
    """What a packet of a reply seems to be, in one line."""
    try:
        return f"{_kind(payload)}  [{len(payload)} bytes: {shown(payload)}]"
    except MalformedPacket:
        return f"[{len(payload)} bytes: {shown(payload)}]"


def shown(data: bytes) -> str:
    """Bytes as text, long ones cut."""
    text = "".join(chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\x{byte:02x}" for byte in data[:_SHOWN])
    return text + ("..." if len(data) > _SHOWN else "")


def status_names(status: int) -> str:
    """The names of status flags."""
    return "+".join(name for flag, name in _STATUS.items() if status & flag) or "0"


def _kind(payload: bytes) -> str:
    first = payload[:1]
    if first == bytes((c.ERR_HEADER,)):
        err = parse_err(payload)
        return f"ERR {err.errno} ({err.sqlstate}) {err.message}"
    if first == bytes((c.EOF_HEADER,)) and len(payload) == 5:
        reader = Reader(payload[1:])
        warnings, status = reader.integer(2), reader.integer(2)
        return f"EOF warnings={warnings} {status_names(status)}"
    if payload.startswith(b"\x03def"):
        return _column(payload)
    if first in (b"\0", bytes((c.EOF_HEADER,))) and len(payload) >= 7:
        return _ok(payload)
    if first == bytes((c.LOCAL_INFILE_HEADER,)) and len(payload) > 1:
        return f"LOCAL INFILE {shown(payload[1:])}?"
    return f"{payload[0]} columns?" if len(payload) == 1 else "row?"


def _ok(payload: bytes) -> str:
    reader = Reader(payload[1:])
    rows, insert_id, status, warnings = reader.lenenc_int(), reader.lenenc_int(), reader.integer(2), reader.integer(2)
    more = f" then {shown(reader.rest())}" if reader.left else ""
    return f"OK? rows={rows} insert_id={insert_id} {status_names(status)} warnings={warnings}{more}"


def _column(payload: bytes) -> str:
    reader = Reader(payload)
    _, schema, table, _, name, _ = (reader.lenenc_bytes().decode("utf-8", "replace") for _ in range(6))
    fixed = Reader(reader.rest())
    while fixed.left > 13:
        fixed.lenenc_bytes()
    length_of_rest, charset, length, kind, flags = (fixed.integer(size) for size in (1, 2, 4, 1, 2))
    del length_of_rest
    return f"column {schema}.{table}.{name} type={kind} flags={flags:#06x} charset={charset} length={length}"
