"""The text of a query is found behind whatever attributes come before it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import frame
from proxy.wire.primitives import lenenc_bytes, lenenc_int
from proxy.wire.queryattributes import query_payload, text_of

TEXT = b"SELECT 1"
# (type, value as the protocol writes it)
VALUES = {
    "tiny": (1, b"\x80"),
    "short": (2, b"ab"),
    "year": (13, b"ab"),
    "long": (3, b"abcd"),
    "int24": (9, b"abcd"),
    "float": (4, b"abcd"),
    "longlong": (8, b"abcdefgh"),
    "double": (5, b"abcdefgh"),
    "null": (6, b""),
    "date": (10, b"\4\xe8\7\1\2"),
    "datetime": (12, b"\x0b\xe8\7\1\2\3\4\5\0\0\0\1"),
    "timestamp": (7, b"\0"),
    "time": (11, b"\x08\0\1\0\0\0\2\3\4"),
    "string": (254, b"\3abc"),
    "long string": (253, lenenc_bytes(b"x" * 300)),
    "decimal": (246, b"\0041.25"),
    "json": (245, b"\2{}"),
    "unsigned": (3 | 0x8000, b"abcd"),
}
some_values = st.lists(
    st.tuples(st.sampled_from(sorted(VALUES)), st.booleans(), st.binary(max_size=5)), min_size=1, max_size=20
)


def attributed(values: list[tuple[str, bool, bytes]], text: bytes = TEXT) -> bytes:
    """A COM_QUERY; each value is (one of VALUES, whether it is NULL instead, its name)."""
    nulls = sum(1 << index for index, (_, null, _) in enumerate(values) if null)
    types = b"".join(VALUES[kind][0].to_bytes(2, "little") + lenenc_bytes(name) for kind, _, name in values)
    data = b"".join(VALUES[kind][1] for kind, null, _ in values if not null)
    bitmap = nulls.to_bytes((len(values) + 7) // 8, "little")
    return frame(b"\x03" + lenenc_int(len(values)) + b"\1" + bitmap + b"\1" + types + data + text, 0)


@pytest.mark.parametrize("kind", VALUES)
def test_each_type_of_value_is_skipped(kind: str) -> None:
    assert text_of(attributed([(kind, False, b"name")])) == TEXT
    assert text_of(attributed([(kind, False, b""), (kind, True, b"x"), (kind, False, b"y")])) == TEXT


@given(some_values, st.binary(max_size=30))
def test_any_attributes_are_skipped(values: list[tuple[str, bool, bytes]], text: bytes) -> None:
    assert text_of(attributed(values, text)) == text


def test_queries_without_attributes() -> None:
    assert query_payload(TEXT, attributes=False) == b"\x03SELECT 1"
    assert query_payload(TEXT, attributes=True) == b"\x03\0\1SELECT 1"
    assert text_of(frame(query_payload(TEXT, attributes=True), 0)) == TEXT
    assert text_of(frame(query_payload(b"", attributes=True), 0)) == b""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        b"\0\2SELECT 1",
        b"\1\1\0\0",
        b"\1\1\0\2\3\0\0abcd",
        b"\1\1\0\1\3\0",
        b"\1\1\0\1\3\0\5n",
        b"\1\1\0\1\3\0\0abc",
        b"\1\1\0\1\xfd\0\0\x10abc",
        b"\1\1\0\1\x0c\0\0\x0babc",
        b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\1\0",
        b"\xff\1",
    ],
)
def test_what_ends_too_early_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedPacket):
        text_of(frame(b"\x03" + body, 0))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_text_or_malformed(body: bytes) -> None:
    try:
        text = text_of(frame(b"\x03" + body, 0))
    except MalformedPacket:
        return
    assert body.endswith(text)
