"""Which flags reach a client and which a server."""

import pytest

from proxy.wire import constants as c
from proxy.wire.capabilities import REQUIRED, Layout, lacking, layout_of, offered, towards_server

# As recorded from the greetings of MariaDB 10.11 and MySQL 9.7.
MARIADB = 0x1D_81FF_F7FE
MYSQL = 0xDFFF_FFFF
VENDORS = pytest.mark.parametrize("primary", [MARIADB, MYSQL], ids=["mariadb", "mysql"])
# They change how bytes are framed, or nobody here does what they promise.
NEVER = (
    c.CLIENT_COMPRESS,
    c.CLIENT_ZSTD_COMPRESSION,
    c.CLIENT_SSL,
    c.CLIENT_MULTI_FACTOR,
    c.MARIADB_CLIENT_COM_MULTI,
)


@VENDORS
def test_a_client_is_offered_what_the_primary_has(primary: int) -> None:
    flags = offered(primary)
    assert flags & ~primary == 0
    assert flags & REQUIRED == REQUIRED
    assert not any(flags & flag for flag in NEVER)


@VENDORS
@pytest.mark.parametrize("flag", [c.CLIENT_DEPRECATE_EOF, c.CLIENT_SESSION_TRACK, c.CLIENT_FOUND_ROWS])
def test_nothing_is_promised_that_the_primary_lacks(primary: int, flag: int) -> None:
    assert offered(primary) & flag
    assert not offered(primary & ~flag) & flag


@VENDORS
def test_settings_add_what_the_proxy_does_by_itself(primary: int) -> None:
    assert offered(primary, c.CLIENT_SSL) == offered(primary) | c.CLIENT_SSL


def test_only_mariadb_leaves_the_first_flag_out() -> None:
    assert not offered(MARIADB) & c.CLIENT_LONG_PASSWORD
    assert offered(MYSQL) & c.CLIENT_LONG_PASSWORD


@VENDORS
def test_a_server_is_asked_for_what_the_session_has_and_it_can(primary: int) -> None:
    session = offered(primary) & ~c.CLIENT_DEPRECATE_EOF & ~c.CLIENT_PLUGIN_AUTH
    flags = towards_server(session, primary)
    assert flags == session | c.CLIENT_PLUGIN_AUTH
    assert towards_server(session, primary & ~c.CLIENT_FOUND_ROWS) == flags & ~c.CLIENT_FOUND_ROWS


@VENDORS
def test_what_changes_replies_is_indispensable(primary: int) -> None:
    for is_primary in (False, True):
        without = primary & ~c.CLIENT_MULTI_RESULTS
        assert not lacking(offered(primary), primary, primary=is_primary)
        assert lacking(offered(primary), without, primary=is_primary) == c.CLIENT_MULTI_RESULTS
        assert not lacking(offered(primary), primary & ~c.CLIENT_FOUND_ROWS, primary=is_primary)
        assert not lacking(offered(primary) & ~c.CLIENT_MULTI_RESULTS, without, primary=is_primary)


def test_what_is_translated_is_not_indispensable() -> None:
    for flag in (c.CLIENT_DEPRECATE_EOF, c.CLIENT_SESSION_TRACK):
        assert not lacking(offered(MARIADB), MARIADB & ~flag, primary=True)
    for vendor, flag in ((MYSQL, c.CLIENT_QUERY_ATTRIBUTES), (MARIADB, c.MARIADB_CLIENT_EXTENDED_METADATA)):
        assert lacking(offered(vendor), vendor & ~flag, primary=True) == flag
        assert not lacking(offered(vendor), vendor & ~flag, primary=False)


def test_layouts_are_equal_when_replies_look_the_same() -> None:
    assert layout_of(c.CLIENT_DEPRECATE_EOF | c.CLIENT_FOUND_ROWS) == Layout(deprecate_eof=True)
    assert layout_of(c.CLIENT_FOUND_ROWS) == Layout()
