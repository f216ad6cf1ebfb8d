"""OK and ERR packets as values."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.errors import MalformedPacket
from proxy.wire.replies import Err, Ok, err_payload, ok_payload, parse_err, parse_ok

numbers = st.integers(0, 2**64 - 1)
words = st.integers(0, 2**16 - 1)


@given(numbers, numbers, words, words, st.binary(max_size=9))
def test_ok_packets(rows: int, insert_id: int, status: int, warnings: int, behind: bytes) -> None:
    ok = Ok(rows, insert_id, status, warnings)
    payload = ok_payload(ok)
    assert parse_ok(payload) == ok
    assert parse_ok(b"\xfe" + payload[1:] + behind) == ok


@given(words, st.text(max_size=20), st.text("ABCXYZ0123456789", min_size=5, max_size=5))
def test_err_packets(errno: int, message: str, sqlstate: str) -> None:
    err = Err(errno, message, sqlstate)
    assert parse_err(err_payload(err)) == err


def test_err_packets_before_the_handshake_have_no_sqlstate() -> None:
    assert parse_err(b"\xff\x10\x04Too many connections") == Err(1040, "Too many connections", "")
    assert parse_err(b"\xff\x10\x04#42") == Err(1040, "#42", "")
    assert err_payload(Err(1, "x", "é"))[3:9] == b"#?    "


@pytest.mark.parametrize("parse", [parse_ok, parse_err])
@given(data=st.binary(max_size=12))
def test_any_bytes_are_a_value_or_malformed(parse: object, data: bytes) -> None:
    assert callable(parse)
    with contextlib.suppress(MalformedPacket):
        assert isinstance(parse(data), Ok | Err)
