"""Result sets of the proxy's own, in the text protocol. Source: "COM_QUERY Response" in both vendors' manuals."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from proxy.wire import constants as c
from proxy.wire.capabilities import layout_of
from proxy.wire.collations import BINARY, UTF8MB4, collation_of
from proxy.wire.framing import frame
from proxy.wire.primitives import lenenc_bytes, lenenc_int
from proxy.wire.replies import Ok, eof_payload, ok_payload

Cell: TypeAlias = str | int | None

_LONGLONG: Final = 8
_VAR_STRING: Final = 253
_LONGEST_NUMBER: Final = 20
_LONGEST_TEXT: Final = 1 << 16
# Behind the number of columns: their definitions follow.
_FULL: Final = b"\x01"
_NULL: Final = b"\xfb"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, and whether its values are whole numbers."""

    name: str
    number: bool = False


@dataclass(frozen=True, slots=True)
class ResultForm:
    """How a session gets its results: the capabilities agreed, its character set and Python's name for that."""

    capabilities: int
    charset: str = "utf8mb4"
    codec: str = "utf-8"
    status: int = 0


def result_set(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], form: ResultForm) -> bytes:
    """All packets of the reply to a command, numbered from 1."""
    layout = layout_of(form.capabilities)
    end = Ok(status=form.status)
    payloads = [lenenc_int(len(columns)) + (_FULL if layout.metadata_flag else b"")]
    payloads += [_definition(column, form) for column in columns]
    if not layout.deprecate_eof:
        payloads.append(eof_payload(end))
    payloads += [b"".join(_cell(cell, form.codec) for cell in row) for row in rows]
    payloads.append(ok_payload(end, c.EOF_HEADER) if layout.deprecate_eof else eof_payload(end))
    return b"".join(frame(payload, number) for number, payload in enumerate(payloads, 1))


def _definition(column: Column, form: ResultForm) -> bytes:
    nowhere = lenenc_bytes(b"")
    collation = BINARY if column.number else collation_of(form.charset) or UTF8MB4
    return b"".join(
        (
            lenenc_bytes(b"def"),
            nowhere * 3,  # schema, table, and that table's own name
            lenenc_bytes(column.name.encode()),
            nowhere,
            # What MariaDB has to say of types that are special.
            nowhere if form.capabilities & c.MARIADB_CLIENT_EXTENDED_METADATA else b"",
            b"\x0c",
            collation.to_bytes(2, "little"),
            (_LONGEST_NUMBER if column.number else _LONGEST_TEXT).to_bytes(4, "little"),
            bytes((_LONGLONG if column.number else _VAR_STRING,)),
            bytes(5),  # flags, decimals, and two of no meaning
        )
    )


def _cell(cell: Cell, codec: str) -> bytes:
    return _NULL if cell is None else lenenc_bytes(str(cell).encode(codec, "replace"))
