"""Session state information, in the bytes that MySQL 9.7 and MariaDB 10.11 sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.errors import MalformedPacket
from proxy.wire.primitives import lenenc_bytes
from proxy.wire.replies import Ok
from proxy.wire.sessiontrack import SessionTrack, parse_ok_track, parse_session_track, state_in, untracked, with_state

ANSI = "REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE,ONLY_FULL_GROUP_BY,ANSI"


@pytest.mark.parametrize(
    ("payload", "track"),
    [
        (b"\0\0\0\x02@\0\0\0\x08\x01\x03\x02rt\x02\x011", SessionTrack(schema="rt", changed=True)),
        (
            b"\0\0\0\x02@\0\0\0p\0X\x08sql_modeN" + ANSI.encode() + b"\0\x11\ttime_zone\x06+01:00\x02\x011",
            SessionTrack({"sql_mode": ANSI, "time_zone": "+01:00"}, changed=True),
        ),
        (
            b"\0\0\0\x03@\0\0\0 \x05\t\x08T_______\x04\x13\x12START TRANSACTION;",
            SessionTrack(transaction="T_______", characteristics="START TRANSACTION;"),
        ),
        (b"\0\x01\x04\x03\xc0\0\0\0\x0b\x05\t\x08T___W___", SessionTrack(transaction="T___W___")),
        (b"\xfe\0\0#@\0\0\0\x0b\x05\t\x08T_R_W_S_", SessionTrack(transaction="T_R_W_S_")),
        (
            b"\0\0\0\x02@\0\0\0:\x03*\0(93fb899b-e7d3-11f1-961b-02fc00000001:516\x05\t\x08________\x04\x01\0",
            SessionTrack(gtids="93fb899b-e7d3-11f1-961b-02fc00000001:516", transaction="________", characteristics=""),
        ),
        (b"\0\0\0\x02\0\0\0\0", SessionTrack()),
        (b"\0\0\0\x02\0\0\0", SessionTrack()),
        (b"\xfe\0\0\x02\x80\0\0", SessionTrack()),
        (b"\0\0\0\x02@\0\0\x05hello\x03\x02\x010", SessionTrack(changed=False)),
        (b"\0\0\0\x02\0\0\0\x05hello", SessionTrack()),
    ],
)
def test_ok_packets(payload: bytes, track: SessionTrack) -> None:
    assert parse_ok_track(payload) == track


@pytest.mark.parametrize("at", range(8, 40))
def test_a_packet_that_is_cut_off(at: int) -> None:
    payload = b"\0\0\0\x03@\0\0\0 \x05\t\x08T_______\x04\x13\x12START TRANSACTION;"
    if at == 8:
        # Nothing follows what every OK packet has.
        assert parse_ok_track(payload[:at]) == SessionTrack()
        return
    with pytest.raises(MalformedPacket):
        parse_ok_track(payload[:at])


def test_what_is_not_known_is_left_out() -> None:
    data = b"\x09" + lenenc_bytes(b"anything") + b"\x01" + lenenc_bytes(b"\x01a")
    assert parse_session_track(data) == SessionTrack(schema="a")


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_malformed(data: bytes) -> None:
    for parse in (parse_ok_track, parse_session_track):
        try:
            assert isinstance(parse(data), SessionTrack)
        except MalformedPacket:
            continue


def test_the_last_word_counts_and_a_change_stays_one() -> None:
    first = SessionTrack({"a": "1", "b": "1"}, "x", changed=True, gtids="1", transaction="T", characteristics="")
    later = SessionTrack({"b": "2"}, changed=None, schema="y")
    assert first.followed_by(later) == SessionTrack({"a": "1", "b": "2"}, "y", True, "1", "T", "")
    assert later.followed_by(first) == SessionTrack({"a": "1", "b": "1"}, "x", True, "1", "T", "")


@pytest.mark.parametrize(
    ("payload", "without"),
    [
        (b"\0\1\5\2@\0\0\0\x03\x02\x011", b"\0\1\5\2\0\0\0"),
        (b"\0\1\5\2@\0\0\5hello\x03\x02\x011", b"\0\1\5\2\0\0\0\5hello"),
        (b"\xfe\0\0\3@\1\0\0\x03\x02\x011", b"\xfe\0\0\3\0\1\0"),
    ],
)
def test_left_out_for_a_client_that_did_not_ask(payload: bytes, without: bytes) -> None:
    assert untracked(payload) == without


def test_what_a_login_tells() -> None:
    state = b"\x05\x01\x03\x02tr"
    assert state_in(Ok(status=0x4002, rest=b"\0" + state)) == state
    assert state_in(Ok(status=0x4002, rest=b"\5hello" + state)) == state
    assert state_in(Ok(status=0x4002)) == state_in(Ok(status=2, rest=b"\5hello")) == b""
    assert with_state(b"", state) == b"\0" + state
    assert with_state(b"\5hello", state) == b"\5hello" + state
    assert (with_state(b"\5hello", b""), with_state(b"", b"")) == (b"\5hello", b"")
