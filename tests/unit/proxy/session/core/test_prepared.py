"""The bytes of COM_STMT_EXECUTE: where the types are, and how they are put in."""

import pytest

from proxy.routing.forms import Form
from proxy.session.core.prepared import Prepared, renumbered
from proxy.sql.statement import primary
from proxy.wire.constants import MAX_PAYLOAD
from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import frame, payload_length
from proxy.wire.primitives import lenenc_bytes, lenenc_int


def prepared(parameters: int, named: bool = False) -> Prepared:
    return Prepared(1, b"", primary("write"), parameters, "", 0, Form(), named=named)


def execution(parameters: int, types: bytes | None, values: bytes) -> bytes:
    bitmap = bytes((parameters + 7) // 8)
    flag = b"\0" if types is None else b"\1" + types
    return frame(b"\x17\1\0\0\0\0\1\0\0\0" + bitmap + flag + values, 0)


@pytest.mark.parametrize("parameters", [1, 2, 7, 8, 9, 16, 17, 300])
def test_types_are_found_and_put_back(parameters: int) -> None:
    types = bytes(number % 251 for number in range(2 * parameters))
    statement = prepared(parameters)
    full, bare = execution(parameters, types, b"values"), execution(parameters, None, b"values")
    assert statement.types_in(full) == types
    assert statement.types_in(bare) == b""
    statement.types = types
    assert statement.with_types(bare) == full


@pytest.mark.parametrize("parameters", [1, 2, 7, 8, 9, 300])
@pytest.mark.parametrize("flags", [0, 64])
def test_types_of_bulk_executions_are_found_and_put_back(parameters: int, flags: int) -> None:
    types = bytes(number % 251 for number in range(2 * parameters))
    statement = prepared(parameters)
    full = frame(b"\xfa\1\0\0\0" + bytes((flags | 128, 0)) + types + b"\0values", 0)
    bare = frame(b"\xfa\1\0\0\0" + bytes((flags, 0)) + b"\0values", 0)
    assert statement.types_in(full) == types
    assert statement.types_in(bare) == b""
    statement.types = types
    assert statement.with_types(bare) == full


def named_execution(names: list[bytes], types: bool, own: int, values: bytes = b"values") -> bytes:
    """An execution with CLIENT_QUERY_ATTRIBUTES: `own` parameters of the statement, and attributes behind them."""
    count = len(names)
    bitmap = bytes((count + 7) // 8)
    given = b"".join(b"\xfd\0" + lenenc_bytes(name) for name in names)
    flags = b"\x08" if count > own else b"\0"
    body = lenenc_int(count) + bitmap + (b"\1" + given if types else b"\0") + values
    return frame(b"\x17\1\0\0\0" + flags + b"\1\0\0\0" + body, 0)


@pytest.mark.parametrize("parameters", [1, 2, 7, 8, 9, 250, 251, 300])
@pytest.mark.parametrize("attributes", [[], [b"a"], [b"a", b"x" * 300]])
def test_types_with_names_are_found_and_put_back(parameters: int, attributes: list[bytes]) -> None:
    statement = prepared(parameters, named=True)
    own = [b""] * (parameters - 1) + [b"n"]
    types = b"\xfd\0\0" * (parameters - 1) + b"\xfd\0\1n"
    assert statement.types_in(named_execution(own + attributes, True, parameters)) == types
    bare = named_execution(own, False, parameters)
    assert statement.types_in(bare) == b""
    statement.types = types
    assert statement.with_types(bare) == named_execution(own, True, parameters)


def test_attributes_alone_are_no_types_of_the_statement() -> None:
    assert prepared(0, named=True).types_in(named_execution([b"a"], True, 0)) == b""
    assert prepared(0, named=True).types_in(frame(b"\x17\1\0\0\0\0\1\0\0\0", 0)) == b""
    assert prepared(2, named=True).types_in(named_execution([b"a"], True, 2)) == b""


@pytest.mark.parametrize(
    "body", [b"", b"\xfc\1", b"\2\0\1\xfd", b"\2\0\1\xfd\0\0\xfd\0\5n", b"\2\0\1\xfd\0\0\xfd\0\xff"]
)
def test_types_with_names_that_were_cut_off_are_malformed(body: bytes) -> None:
    with pytest.raises(MalformedPacket):
        prepared(2, named=True).types_in(frame(b"\x17\1\0\0\0\0\1\0\0\0" + body, 0))


def test_a_statement_without_parameters_has_no_types() -> None:
    assert prepared(0).types_in(frame(b"\x17\1\0\0\0\0\1\0\0\0", 0)) == b""
    assert prepared(3).types_in(frame(b"\x17\1\0\0\0\0\1\0\0\0", 0)) == b""


@pytest.mark.parametrize("missing", [1, 2, 3, 4])
def test_types_that_were_cut_off_are_malformed(missing: int) -> None:
    with pytest.raises(MalformedPacket):
        prepared(2).types_in(execution(2, bytes(4)[missing:], b""))


def test_the_beginning_of_a_large_execution_gets_the_length_of_its_whole_packet() -> None:
    statement = prepared(1)
    statement.types = b"\xfd\0"
    whole = (5_000_000).to_bytes(3, "little") + execution(1, None, b"x" * 100)[3:]
    assert payload_length(statement.with_types(whole)) == 5_000_002
    with pytest.raises(MalformedPacket):
        statement.with_types((MAX_PAYLOAD - 2).to_bytes(3, "little") + whole[3:])


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [(1, b"\7", 7), (2, b"\7\1", 263), (3, b"\7\0\1\0", 65543), (8, b"\1" + bytes(7), 1), (253, b"\00212", 12),
     (254, b"\0011", 1), (3, b"\7", None), (253, b"\002x1", None), (253, b"\0", None), (5, bytes(8), None)],
)  # fmt: skip
def test_the_integer_that_is_bound(kind: int, value: bytes, expected: int | None) -> None:
    statement = prepared(1)
    types = bytes((kind, 0))
    assert statement.integer_in(execution(1, types, value)) == expected
    statement.types = types
    assert statement.integer_in(execution(1, None, value)) == expected
    assert prepared(0).integer_in(execution(0, None, b"")) is None
    assert prepared(1).integer_in(execution(1, None, value)) is None


def test_renumbering_changes_four_bytes() -> None:
    packet = frame(b"\x17\1\2\3\4rest", 0)
    assert renumbered(packet, 0x04030201) is packet
    assert renumbered(packet, 7) == frame(b"\x17\7\0\0\0rest", 0)
    assert renumbered(packet, 0xFFFFFFFF) == frame(b"\x17\xff\xff\xff\xffrest", 0)
