"""The client's address among its connection attributes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.attributes import value_of, with_attribute
from proxy.wire.primitives import Reader, lenenc_bytes

ADDED = b"\4addr\x0810.0.0.1"


def pairs(attributes: bytes) -> list[tuple[bytes, bytes]]:
    reader, found = Reader(attributes), []
    while reader.left:
        found.append((reader.lenenc_bytes(), reader.lenenc_bytes()))
    return found


def added_to(attributes: bytes) -> bytes:
    return with_attribute(attributes, "addr", "10.0.0.1")


def test_it_comes_first_because_servers_cut_the_end_off() -> None:
    assert added_to(b"") == ADDED
    assert added_to(b"\4_pid\0015") == ADDED + b"\4_pid\0015"


def test_a_client_cannot_say_it_itself() -> None:
    assert added_to(b"\4_pid\0015\4addr\7forged!\4addr\0") == ADDED + b"\4_pid\0015"


def test_attributes_that_a_server_would_refuse_with_it_stay_as_they_are() -> None:
    room = 0xFFFF - len(ADDED)
    largest = b"\1x" + b"\xfc" + (room - 5).to_bytes(2, "little") + b"y" * (room - 5)
    assert len(added_to(largest)) == 0xFFFF
    larger = b"\1x" + b"\xfc" + (room - 4).to_bytes(2, "little") + b"y" * (room - 4)
    assert added_to(larger) == larger


@pytest.mark.parametrize("broken", [b"\5ab", b"\1a", b"\xff\xff", b"\4_pid\0015\1b", b"\xfe\xff"])
def test_what_is_no_attributes_is_left_to_the_server(broken: bytes) -> None:
    assert added_to(broken) == broken


@given(st.lists(st.tuples(st.binary(max_size=300), st.binary(max_size=300)), max_size=8))
def test_the_others_are_kept_in_their_order(given_pairs: list[tuple[bytes, bytes]]) -> None:
    attributes = b"".join(lenenc_bytes(key) + lenenc_bytes(value) for key, value in given_pairs)
    others = [pair for pair in given_pairs if pair[0] != b"addr"]
    assert pairs(added_to(attributes)) == [(b"addr", b"10.0.0.1"), *others]


def test_what_a_client_says_is_found_by_its_name() -> None:
    attributes = b"\4_pid\0015\x0c_client_name\x0alibmariadb"
    assert value_of(attributes, "_client_name") == "libmariadb"
    assert value_of(attributes, "client") == ""
    assert value_of(b"", "_pid") == ""


def test_what_is_no_pair_says_nothing() -> None:
    assert value_of(b"\4_pid\0015\x0c_client", "_client_name") == ""
