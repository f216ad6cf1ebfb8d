"""Commands are cut from the client's bytes, however these arrive; the phases of a session."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.session.core.inbox import LARGE_HEAD, MAX_HELD, Inbox, check_header, is_one_packet
from proxy.session.core.phases import TRANSITIONS, Phase
from proxy.wire.constants import COM_INIT_DB, COM_QUERY, COM_STMT_EXECUTE, COM_STMT_PREPARE, MAX_PAYLOAD
from proxy.wire.errors import MalformedPacket
from proxy.wire.framing import frame


def taken(inbox: Inbox) -> list[bytes]:
    packets = []
    while (packet := inbox.take()) is not None:
        packets.append(packet)
    return packets


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.data())
def test_any_chunking_gives_the_same_commands(payloads: list[bytes], data: st.DataObject) -> None:
    packets = [frame(payload, 0) for payload in payloads]
    rest, inbox, found = b"".join(packets), Inbox(), list[bytes]()
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        inbox.add(rest[:size])
        rest = rest[size:]
        found += taken(inbox)
    assert found == packets
    assert len(inbox) == 0


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=30), max_size=8))
def test_any_bytes_are_commands_or_malformed(chunks: list[bytes]) -> None:
    inbox = Inbox()
    for chunk in chunks:
        inbox.add(chunk)
        try:
            for packet in taken(inbox):
                assert len(packet) > 4
        except MalformedPacket:
            return


@pytest.mark.parametrize("data", [b"\0\0\0\0", b"\0\0\0\0\3", b"\1\0\0\1\3", b"\1\0\0\xff\3"])
def test_what_cannot_begin_a_command_is_malformed(data: bytes) -> None:
    inbox = Inbox()
    inbox.add(data)
    with pytest.raises(MalformedPacket):
        inbox.take()


def test_headers_are_checked() -> None:
    check_header(1, 0)
    for length, sequence in ((0, 0), (1, 1)):
        with pytest.raises(MalformedPacket):
            check_header(length, sequence)


@pytest.mark.parametrize("code", [COM_QUERY, COM_STMT_EXECUTE])
@pytest.mark.parametrize("length", [MAX_HELD + 1, MAX_PAYLOAD - 1, MAX_PAYLOAD])
def test_a_large_command_is_passed_through_once_its_head_is_here(code: int, length: int) -> None:
    inbox = Inbox()
    head = length.to_bytes(3, "little") + bytes((0, code))
    inbox.add(head)
    assert inbox.take() is None
    assert inbox.take_large() is None
    inbox.add(bytes(LARGE_HEAD - len(head) - 1))
    assert inbox.take_large() is None
    inbox.add(b"xyz")
    large = inbox.take_large()
    assert large is not None
    assert (large[0], len(large[1]), large[1][:5]) == (length, LARGE_HEAD + 2, head)
    assert len(inbox) == 0


def test_other_large_commands_are_held_up_to_16_mib() -> None:
    inbox = Inbox()
    packet = frame(bytes((COM_STMT_PREPARE,)) + b"x" * MAX_HELD, 0)
    inbox.add(packet[:-1])
    assert inbox.take() is None
    assert inbox.take_large() is None
    inbox.add(packet[-1:] + b"\1")
    assert inbox.take() == packet
    assert inbox.take_all() == b"\1"
    inbox.add(b"\xff\xff\xff\0" + bytes((COM_INIT_DB,)))
    with pytest.raises(MalformedPacket, match="0x02"):
        inbox.take()


@pytest.mark.parametrize(
    ("data", "one"),
    [(frame(b"\3x", 0), True), (frame(b"\3", 0), True), (frame(b"\3x", 1), False), (frame(b"", 0), False),
     (frame(b"\3x", 0)[:-1], False), (frame(b"\3x", 0) + b"y", False), (frame(b"\3", 0) * 2, False), (b"\1", False),
     (frame(b"x" * MAX_HELD, 0), False)],
)  # fmt: skip
def test_one_packet_is_recognised(data: bytes, one: bool) -> None:
    assert is_one_packet(data) is one


def test_every_phase_can_be_closed_and_none_follows() -> None:
    assert set(TRANSITIONS) == set(Phase)
    for phase, following in TRANSITIONS.items():
        assert phase not in following
        assert (Phase.CLOSED in following) is (phase is not Phase.CLOSED)
    assert not TRANSITIONS[Phase.CLOSED]
