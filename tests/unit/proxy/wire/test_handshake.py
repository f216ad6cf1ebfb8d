"""The packets of the connection phase, written and read back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire import constants as c
from proxy.wire.errors import MalformedPacket
from proxy.wire.handshake import (
    Greeting,
    HandshakeResponse,
    auth_switch_payload,
    greeting_payload,
    parse_auth_switch,
    parse_greeting,
    parse_response,
    response_payload,
)
from proxy.wire.primitives import lenenc_bytes

NONCE = bytes(range(1, 21))
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
# What a server of MySQL 9.7 has.
OFFERED = 0xDFFFFFFF
BASE = c.CLIENT_PROTOCOL_41 | c.CLIENT_SECURE_CONNECTION


def test_greetings() -> None:
    greeting = Greeting("8.0.36-x", 2**31, NONCE, OFFERED, 45, 2, c.CACHING_SHA2)
    payload = greeting_payload(greeting)
    assert parse_greeting(payload) == greeting
    assert payload[:10] == b"\x0a8.0.36-x\0"
    assert payload[-23:] == b"\0" + c.CACHING_SHA2.encode() + b"\0"


def test_a_greeting_recorded_from_a_server_of_mariadb() -> None:
    payload = bytes.fromhex(
        "0a 31302e31312e362d4d61726961444200 05000000 6162636465666768 00 fef7 2d 0200 ffc1 15"
        "000000000000 1d000000 696a6b6c6d6e6f7071727374 00 6d7973716c5f6e61746976655f70617373776f726400"
    )
    greeting = parse_greeting(payload)
    assert (greeting.server_version, greeting.connection_id, greeting.nonce) == (
        "10.11.6-MariaDB",
        5,
        b"abcdefghijklmnopqrst",
    )
    assert (greeting.capabilities, greeting.collation_id, greeting.status) == (0x1D_C1FF_F7FE, 45, 2)
    assert greeting.plugin == c.NATIVE_PASSWORD


@pytest.mark.parametrize("flag", [0, c.CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA])
@given(names, st.binary(max_size=250), names, names, st.binary(max_size=300))
def test_responses(flag: int, user: str, auth: bytes, database: str, plugin: str, attributes: bytes) -> None:
    capabilities = BASE | flag | c.CLIENT_CONNECT_WITH_DB | c.CLIENT_PLUGIN_AUTH | c.CLIENT_CONNECT_ATTRS
    response = HandshakeResponse(capabilities, 2**24, 45, user, auth, database, plugin, attributes)
    assert parse_response(response_payload(response)) == response


def test_flags_of_mariadb_are_kept_apart_from_those_of_mysql() -> None:
    flags = c.MARIADB_CLIENT_PROGRESS | c.MARIADB_CLIENT_CACHE_METADATA
    response = response_payload(HandshakeResponse(BASE | flags, 1, 8, "u", b"abc"))
    assert response[28:32] == b"\x11\0\0\0"
    assert parse_response(response).capabilities == BASE | flags
    other = response_payload(HandshakeResponse(BASE | c.CLIENT_LONG_PASSWORD | flags, 1, 8, "u", b"abc"))
    assert other[28:32] == bytes(4)
    stray = other[:28] + b"\x11\0\0\0" + other[32:]
    assert parse_response(stray).capabilities == BASE | c.CLIENT_LONG_PASSWORD


def test_a_server_of_mysql_has_no_flags_of_mariadb() -> None:
    greeting = Greeting("8.4", 1, NONCE, OFFERED | c.MARIADB_CLIENT_PROGRESS, 45, 2, "p")
    assert parse_greeting(greeting_payload(greeting)).capabilities == OFFERED


@pytest.mark.parametrize("flags", [0, c.CLIENT_CONNECT_WITH_DB, c.CLIENT_PLUGIN_AUTH, c.CLIENT_CONNECT_ATTRS])
def test_parts_that_a_response_lacks_at_its_end_are_empty(flags: int) -> None:
    short = response_payload(HandshakeResponse(BASE, 1, 8, "u", b"abc"))
    parsed = parse_response((BASE | flags).to_bytes(4, "little") + short[4:])
    assert (parsed.user, parsed.auth, parsed.database, parsed.plugin, parsed.attributes) == ("u", b"abc", "", "", b"")


def test_a_response_never_shows_its_secret() -> None:
    assert "hunter2" not in repr(HandshakeResponse(BASE, 1, 8, "u", b"hunter2"))


def test_a_request_for_tls_is_malformed_here() -> None:
    with pytest.raises(MalformedPacket):
        parse_response((BASE | c.CLIENT_SSL).to_bytes(4, "little") + bytes(28))


@given(names, st.binary(min_size=20, max_size=20))
def test_switches(plugin: str, nonce: bytes) -> None:
    assert parse_auth_switch(auth_switch_payload(plugin, nonce)) == (plugin, nonce)


@pytest.mark.parametrize("payload", [b"", b"\xfe", b"\xfemysql_native_password", b"\x00a\0b"])
def test_what_is_no_switch_is_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedPacket):
        parse_auth_switch(payload)


@settings(max_examples=300)
@given(
    st.binary(max_size=120), st.sampled_from([b"", b"\x0a", b"\x0a5.5\0", OFFERED.to_bytes(4, "little") + bytes(28)])
)
def test_any_bytes_are_a_value_or_malformed(data: bytes, begin: bytes) -> None:
    for parse in (parse_greeting, parse_response, parse_auth_switch):
        try:
            parse(begin + data)
        except MalformedPacket:
            continue


def test_every_cut_of_a_good_packet_is_a_value_or_malformed() -> None:
    attributes = lenenc_bytes(b"key") + lenenc_bytes(b"value")
    capabilities = BASE | c.CLIENT_CONNECT_WITH_DB | c.CLIENT_PLUGIN_AUTH | c.CLIENT_CONNECT_ATTRS
    response = response_payload(HandshakeResponse(capabilities, 1, 8, "u", b"abc", "db", "plugin", attributes))
    greeting = greeting_payload(Greeting("5", 1, NONCE, OFFERED, 45, 2, "p"))
    for size in range(len(response)):
        try:
            assert parse_response(response[:size]).user == "u"
        except MalformedPacket:
            continue
    for size in range(len(greeting)):
        try:
            assert parse_greeting(greeting[:size]).nonce[:8] == NONCE[:8]
        except MalformedPacket:
            continue
