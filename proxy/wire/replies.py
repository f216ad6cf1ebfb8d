"""The generic replies: OK, EOF and ERR packets, as payloads."""

from dataclasses import dataclass

from proxy.wire.constants import EOF_HEADER, ERR_HEADER, OK_HEADER
from proxy.wire.errors import MalformedPacket
from proxy.wire.primitives import Reader, lenenc_int


@dataclass(frozen=True, slots=True)
class Ok:
    """What an OK packet says, in the part that every capability set shares.

    `rest` is what stands behind that as it is written, of the OK that ends a login.
    """

    affected_rows: int = 0
    last_insert_id: int = 0
    status: int = 0
    warnings: int = 0
    rest: bytes = b""


@dataclass(frozen=True, slots=True)
class Err:
    """What an ERR packet says. `sqlstate` is empty in the form used before the handshake."""

    errno: int
    message: str
    sqlstate: str = "HY000"


def ok_payload(ok: Ok, header: int = OK_HEADER, rest: bytes = b"") -> bytes:
    """An OK packet; `rest` are its message and session state information, as they are written."""
    return (
        bytes((header,))
        + lenenc_int(ok.affected_rows)
        + lenenc_int(ok.last_insert_id)
        + ok.status.to_bytes(2, "little")
        + ok.warnings.to_bytes(2, "little")
        + rest
    )


def eof_payload(ok: Ok) -> bytes:
    """An EOF packet, which says less than an OK."""
    return bytes((EOF_HEADER,)) + ok.warnings.to_bytes(2, "little") + ok.status.to_bytes(2, "little")


def parse_eof(payload: bytes) -> Ok:
    """Read an EOF packet."""
    reader = Reader(payload)
    if reader.integer(1) != EOF_HEADER:
        raise MalformedPacket("an EOF packet begins with 0xFE")
    warnings = reader.integer(2)
    return Ok(status=reader.integer(2), warnings=warnings)


def parse_ok(payload: bytes) -> Ok:
    """Read an OK packet, also one with the 0xFE header that ends a result set under CLIENT_DEPRECATE_EOF."""
    return parse_whole_ok(payload)[0]


def parse_whole_ok(payload: bytes) -> tuple[Ok, bytes]:
    """Read an OK packet, and what stands behind its numbers as it is written."""
    reader = Reader(payload)
    if reader.integer(1) not in (OK_HEADER, EOF_HEADER):
        raise MalformedPacket("an OK packet begins with 0x00 or 0xFE")
    affected_rows, last_insert_id = reader.lenenc_int(), reader.lenenc_int()
    return Ok(affected_rows, last_insert_id, reader.integer(2), reader.integer(2)), reader.rest()


def err_payload(err: Err) -> bytes:
    """An ERR packet, with the sqlstate that clients of protocol 4.1 expect, or without one when it is empty."""
    state = f"#{err.sqlstate:<5.5}".encode("ascii", "replace") if err.sqlstate else b""
    return bytes((ERR_HEADER,)) + err.errno.to_bytes(2, "little") + state + err.message.encode()


def parse_err(payload: bytes) -> Err:
    """Read an ERR packet, with or without a sqlstate."""
    reader = Reader(payload)
    if reader.integer(1) != ERR_HEADER:
        raise MalformedPacket("an ERR packet begins with 0xFF")
    errno, rest = reader.integer(2), reader.rest()
    if rest[:1] == b"#" and len(rest) >= 6:
        return Err(errno, rest[6:].decode("utf-8", "replace"), rest[1:6].decode("ascii", "replace"))
    return Err(errno, rest.decode("utf-8", "replace"), "")
