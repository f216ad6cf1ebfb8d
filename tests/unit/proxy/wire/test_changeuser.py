"""COM_CHANGE_USER as two drivers were seen to send it, and as it is written for servers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire import constants as c
from proxy.wire.changeuser import ChangeUser, change_user_payload, parse_change_user
from proxy.wire.errors import MalformedPacket

FLAGS = c.CLIENT_PLUGIN_AUTH | c.CLIENT_CONNECT_ATTRS
# From libmariadb 3.3, with most attributes left out, and from mysql-connector-python.
LIBMARIADB = (
    b"\x11b\0\x14\xe0ZD\x06\xef\x130\xe2\x95V\xff2\x06\xb5\xbdbT\x85\xf2}mysql\0-\0mysql_native_password\0"
    b"\x0a\x03_os\x05Linux"
)
CONNECTOR = (
    b"\x11b\0 \x1b9\x00|\xd0\x06$j\xa7\x80e\x83\xfa$Yd;\x83\xb2\x902\\\xa4\xf0b\n\x0c\xf1)f\x18\xdemysql\0\xff\0"
    b"caching_sha2_password\0\x0a\x04_pid\x0412.1"
)
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


def test_what_drivers_send() -> None:
    assert parse_change_user(LIBMARIADB, FLAGS) == ChangeUser("b", "mysql", 45, b"\x03_os\x05Linux")
    assert parse_change_user(CONNECTOR, FLAGS) == ChangeUser("b", "mysql", 255, b"\x04_pid\x0412.1")
    assert parse_change_user(LIBMARIADB, c.CLIENT_PLUGIN_AUTH).attributes == b""


@given(names, names, st.integers(0, 0xFFFF), st.binary(max_size=300))
def test_what_servers_are_sent_can_be_read(user: str, database: str, collation_id: int, attributes: bytes) -> None:
    change = ChangeUser(user, database, collation_id, attributes)
    assert parse_change_user(change_user_payload(change, FLAGS), FLAGS) == change
    without = parse_change_user(change_user_payload(change, c.CLIENT_PLUGIN_AUTH), c.CLIENT_PLUGIN_AUTH)
    assert without == ChangeUser(user, database, collation_id)


@pytest.mark.parametrize("cut", range(len(LIBMARIADB)))
def test_a_command_that_is_cut_off_is_malformed(cut: int) -> None:
    if LIBMARIADB[:cut].endswith(b"password\0"):
        assert parse_change_user(LIBMARIADB[:cut], FLAGS).attributes == b""
        return
    with pytest.raises(MalformedPacket):
        parse_change_user(LIBMARIADB[:cut], FLAGS)


def test_a_client_without_methods_cannot_change_its_user() -> None:
    with pytest.raises(MalformedPacket):
        parse_change_user(LIBMARIADB, c.CLIENT_CONNECT_ATTRS)


@given(st.binary(max_size=80))
def test_any_command_has_a_meaning_or_is_malformed(data: bytes) -> None:
    try:
        change = parse_change_user(b"\x11" + data, FLAGS)
    except MalformedPacket:
        return
    assert parse_change_user(change_user_payload(change, FLAGS), FLAGS) == change
