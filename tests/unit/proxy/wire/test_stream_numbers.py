"""Packets renumbered, or kept whole, on their way: fed whole, byte by byte, with payloads of all sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.framing import frame
from proxy.wire.stream import PacketNumbers, WholePackets


def renumbered(numbers: PacketNumbers, data: bytes, pace: int) -> bytes:
    return b"".join(numbers.renumbered(data[at : at + pace]) for at in range(0, len(data), pace))


@pytest.mark.parametrize("pace", [1, 2, 3, 5, 1000])
def test_numbers_follow_each_other(pace: int) -> None:
    numbers = PacketNumbers(2)
    data = frame(b"one", 9) + frame(b"", 9) + frame(b"x" * 300, 0)
    assert renumbered(numbers, data, pace) == frame(b"one", 2) + frame(b"", 3) + frame(b"x" * 300, 4)
    assert numbers.last == 4


def test_the_rest_of_a_payload_that_began_before_is_left_alone() -> None:
    numbers = PacketNumbers(1, left=3)
    assert numbers.renumbered(b"\1\2\3" + frame(b"next", 7)) == b"\1\2\3" + frame(b"next", 1)


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=10), st.integers(0, 400), st.integers(1, 40))
def test_any_packets_at_any_pace(payloads: list[bytes], first: int, pace: int) -> None:
    numbers = PacketNumbers(first)
    data = b"".join(frame(payload, 77) for payload in payloads)
    expected = b"".join(frame(payload, first + index) for index, payload in enumerate(payloads))
    assert renumbered(numbers, data, pace) == expected
    assert numbers.last == (first + len(payloads) - 1) & 0xFF


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=10), st.integers(1, 40))
def test_packets_are_let_go_whole(payloads: list[bytes], pace: int) -> None:
    packets = [frame(payload, index) for index, payload in enumerate(payloads)]
    data, holding, gone = b"".join(packets), WholePackets(), b""
    ends = {len(b"".join(packets[:count])) for count in range(len(packets) + 1)}
    for at in range(0, len(data), pace):
        gone += holding.ready(data[at : at + pace])
        assert len(gone) in ends
    assert gone == data


def test_a_large_packet_is_not_waited_for() -> None:
    holding = WholePackets()
    small, large = frame(b"small", 1), frame(bytes(2 * 1024 * 1024), 2)
    assert holding.ready(small + large[:1000]) == small + large[:1000]
    assert holding.ready(large[1000:5000]) == large[1000:5000]
    assert holding.ready(large[5000:] + small[:6]) == large[5000:]
    assert holding.ready(small[6:]) == small
