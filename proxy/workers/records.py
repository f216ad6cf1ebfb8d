"""What a worker writes into its log for the others to see: which write was acknowledged, and what may be defined. Pure.

A record is a header (kind, length of the payload, checksum) and its payload. The checksum is over the record's place in
the log, too, so that one that was overwritten while it was read is never taken for another.
"""

import functools
import struct
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from topology.freshness import Table, Tables

_HEADER: Final = struct.Struct("<HHI")
_PLACE: Final = struct.Struct("<QHH")
# A write to more tables counts for all.
_LONGEST: Final = 2048
_MOST_KEPT: Final = 4096


class Kind(IntEnum):
    """What happened."""

    WRITE = 1  # to the tables of the payload; without a payload, to any
    DEFINES = 2  # a write to any that may have been DDL
    BEGINS = 3  # what may be DDL is on its way
    MARK = 4  # nothing: but the primary's position is asked for after it


@dataclass(frozen=True, slots=True)
class Record:
    """One of these."""

    kind: Kind
    tables: Tables = None


def record_of_write(tables: Tables, *, defines: bool) -> Record:
    """A write to `tables` (resolved) was acknowledged; `defines`: it may have been DDL."""
    return Record(Kind.DEFINES) if defines else Record(Kind.WRITE, tables)


def encode(record: Record, place: int) -> bytes:
    """The record as it is written at `place`, which counts the log's bytes from its beginning."""
    payload = _payload(record.tables)
    return _HEADER.pack(record.kind, len(payload), _checksum(place, record.kind, payload)) + payload


def decode(log: bytes, place: int) -> list[Record] | None:
    """The records of a part of a log that begins at `place`; None when that was overwritten meanwhile."""
    found, at = [], 0
    while at < len(log):
        if len(log) - at < _HEADER.size:
            return None
        kind, length, checksum = _HEADER.unpack_from(log, at)
        payload = log[at + _HEADER.size : at + _HEADER.size + length]
        if len(payload) < length or checksum != _checksum(place + at, kind, payload):
            return None
        found.append(_record(kind, payload))
        at += _HEADER.size + length
    return found


def _checksum(place: int, kind: int, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(_PLACE.pack(place, kind, len(payload))))


@functools.lru_cache(_MOST_KEPT)
def _payload(tables: Tables) -> bytes:
    if not tables:
        return b""
    payload = b"\0".join(part.encode() for table in sorted(tables) for part in table)
    return payload if len(payload) <= _LONGEST else b""


@functools.lru_cache(_MOST_KEPT)
def _record(kind: int, payload: bytes) -> Record:
    if not payload:
        return Record(Kind(kind))
    parts = payload.decode().split("\0")
    tables: frozenset[Table] = frozenset(zip(parts[::2], parts[1::2], strict=True))
    return Record(Kind(kind), tables)
