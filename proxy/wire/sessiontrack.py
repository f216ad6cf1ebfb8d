"""Session state information: what a server tells of its session behind the usual fields of an OK packet.

Sent under CLIENT_SESSION_TRACK when the status has SERVER_SESSION_STATE_CHANGED, about what the session's
session_track_* variables ask for. Observed with MySQL 9.7 and MariaDB 10.11; source: "OK_Packet" in the documentation
of the MySQL client/server protocol, and the MariaDB knowledge base on the same.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from proxy.wire.constants import SERVER_SESSION_STATE_CHANGED
from proxy.wire.primitives import Reader, lenenc_bytes
from proxy.wire.replies import Ok, ok_payload, parse_whole_ok

_SYSTEM_VARIABLES: Final = 0
_SCHEMA: Final = 1
_STATE_CHANGE: Final = 2
_GTIDS: Final = 3
_CHARACTERISTICS: Final = 4
_TRANSACTION_STATE: Final = 5


@dataclass(slots=True)
class SessionTrack:
    """What one OK packet tells. None: nothing is told about that.

    `variables` are system variables with the values that they have now, as the server writes them; `schema` is the new
    default schema. `changed` is True when some state of the session is another one, user variables and temporary tables
    among it. `gtids` is the position of what was written. `transaction` are eight letters: T or I for an explicit or
    implicit transaction, then reads, unsafe reads, writes and so on, L for locked tables, `_` for what is not so.
    `characteristics` are the statements that would begin such a transaction again, empty when there is none and none is
    prepared for.
    """

    variables: dict[str, str] = field(default_factory=dict)
    schema: str | None = None
    changed: bool | None = None
    gtids: str | None = None
    transaction: str | None = None
    characteristics: str | None = None

    def followed_by(self, later: "SessionTrack") -> "SessionTrack":
        """What both tell, the later one having the last word; a change stays one."""
        return SessionTrack(
            variables=self.variables | later.variables,
            schema=self.schema if later.schema is None else later.schema,
            changed=self.changed or later.changed,
            gtids=self.gtids if later.gtids is None else later.gtids,
            transaction=self.transaction if later.transaction is None else later.transaction,
            characteristics=self.characteristics if later.characteristics is None else later.characteristics,
        )


def parse_ok_track(payload: bytes) -> SessionTrack:
    """Read what an OK packet tells, also one with the header of an EOF. Raises MalformedPacket."""
    reader = Reader(payload)
    reader.take(1)
    reader.lenenc_int()
    reader.lenenc_int()
    status = reader.integer(2)
    reader.take(2)
    if reader.left:
        reader.lenenc_bytes()
    if not reader.left or not status & SERVER_SESSION_STATE_CHANGED:
        return SessionTrack()
    return parse_session_track(reader.lenenc_bytes())


def parse_session_track(data: bytes) -> SessionTrack:
    """Read the entries of session state information; those of an unknown type are left out. Raises MalformedPacket."""
    track = SessionTrack()
    reader = Reader(data)
    while reader.left:
        kind = reader.integer(1)
        _read_entry(track, kind, Reader(reader.lenenc_bytes()))
    return track


def _read_entry(track: SessionTrack, kind: int, entry: Reader) -> None:
    if kind == _SYSTEM_VARIABLES:
        name = _text(entry.lenenc_bytes())
        track.variables[name] = _text(entry.lenenc_bytes())
    elif kind == _SCHEMA:
        track.schema = _text(entry.lenenc_bytes())
    elif kind == _STATE_CHANGE:
        track.changed = entry.rest() == b"1"
    elif kind == _GTIDS:
        # The first byte says how they are encoded, of which there is one way.
        entry.take(1)
        track.gtids = _text(entry.lenenc_bytes())
    elif kind == _CHARACTERISTICS:
        track.characteristics = _text(entry.lenenc_bytes())
    elif kind == _TRANSACTION_STATE:
        track.transaction = _text(entry.lenenc_bytes())


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def without_track(ok: Ok, rest: bytes) -> tuple[Ok, bytes]:
    """An OK packet as a client gets it that did not ask for session state information; `rest` is behind its numbers."""
    message = Reader(rest).lenenc_bytes() if rest else b""
    unchanged = replace(ok, status=ok.status & ~SERVER_SESSION_STATE_CHANGED)
    return unchanged, lenenc_bytes(message) if message else b""


def untracked(payload: bytes) -> bytes:
    """The same for a whole payload."""
    ok, rest = without_track(*parse_whole_ok(payload))
    return ok_payload(ok, payload[0], rest)


def state_in(ok: Ok) -> bytes:
    """The session state information in the OK packet of a login, as it is written; empty when there is none."""
    if not ok.rest or not ok.status & SERVER_SESSION_STATE_CHANGED:
        return b""
    reader = Reader(ok.rest)
    reader.lenenc_bytes()
    return reader.rest()


def with_state(message: bytes, state: bytes) -> bytes:
    """What stands behind the numbers of an OK packet: both as they are written, or empty."""
    return (message or b"\0") + state if state else message
