"""Which account a client is, for every form of host, and the account rows of both vendors."""

import json
from typing import Any

import pytest

from proxy.accounts.table import (
    Account,
    configured_account,
    find_account,
    host_fits,
    host_names,
    mariadb_accounts,
    mysql_accounts,
)
from proxy.wire.constants import CACHING_SHA2, NATIVE_PASSWORD
from proxy.wire.secret import secret_of

HASH = "*" + "0123456789ABCDEFabcd" * 2


@pytest.mark.parametrize(
    ("pattern", "address", "fits"),
    [
        ("%", "192.0.2.1", True),
        ("", "192.0.2.1", True),
        ("%", "2001:db8::1", True),
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.10", False),
        ("192.0.2.%", "192.0.2.10", True),
        ("192.0.2.%", "192.0.20.1", False),
        ("192.0.2._", "192.0.2.1", True),
        ("192.0.2._", "192.0.2.10", False),
        ("192.0.2.1_", "192.0.2.10", True),
        ("%.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192x0y2z1", False),
        ("localhost", "127.0.0.1", True),
        ("LOCALHOST", "127.0.0.1", True),
        ("local%", "::1", True),
        ("localhost", "127.0.0.5", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("localhost", "192.0.2.1", False),
        ("::1", "::1", True),
        ("2001:db8::%", "2001:db8::7", True),
        ("192.0.2.0/255.255.255.0", "192.0.2.77", True),
        ("192.0.2.0/255.255.255.0", "192.0.3.77", False),
        ("192.0.2.0/24", "192.0.2.77", True),
        ("192.0.2.0/24", "192.0.3.1", False),
        ("192.0.2.1/255.255.255.255", "192.0.2.1", True),
        ("0.0.0.0/0.0.0.0", "192.0.2.1", True),
        ("10.0.0.0/255.0.0.0", "10.1.2.3", True),
        # Bits outside of the mask: no client's masked address can be equal to this.
        ("192.0.2.5/255.255.255.0", "192.0.2.5", False),
        ("192.0.2.5/24", "192.0.2.5", False),
        # A mask of the other kind is no shorthand for /24.
        ("192.0.2.0/0.0.0.255", "192.0.2.5", False),
        ("192.0.2.0/33", "192.0.2.1", False),
        ("192.0.2.0/x", "192.0.2.1", False),
        ("192.0.2.0/", "192.0.2.0", False),
        ("x/24", "192.0.2.1", False),
        ("127.0.0.0/255.0.0.0", "127.0.0.1", True),
        ("2001:db8::/32", "2001:db8::1", False),
        # What a socket for both families shows of an IPv4 client.
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.0/24", "::ffff:192.0.2.1", True),
        ("localhost", "::ffff:127.0.0.1", True),
        ("app.example.com", "192.0.2.1", False),
        ("%", "", True),
        ("a(b[c", "192.0.2.1", False),
    ],
)
def test_hosts(pattern: str, address: str, fits: bool) -> None:
    assert host_fits(pattern, address) is fits


def test_the_names_of_an_address() -> None:
    assert host_names("127.0.0.1") == ("localhost", "127.0.0.1")
    assert host_names("::1") == ("localhost", "::1")
    assert host_names("192.0.2.1") == ("192.0.2.1",)
    assert host_names("::ffff:192.0.2.1") == ("192.0.2.1",)
    assert host_names("not an address") == ("not an address",)


def account(user: str, host: str) -> Account:
    return Account(user, host, NATIVE_PASSWORD, b"")


# The most specific first; the user decides only where the hosts are equally specific.
ORDERED = [
    account("u", "192.0.2.1"),
    account("", "192.0.2.1"),
    account("u", "192.0.2.0/255.255.255.0"),
    account("", "192.0.2.0/255.255.255.0"),
    account("u", "192.0.2.%"),
    account("", "192.0.2.%"),
    account("u", "192.%"),
    account("u", "%"),
    account("", "%"),
    account("u", ""),
    account("", ""),
]


@pytest.mark.parametrize("first", range(len(ORDERED)))
def test_the_most_specific_account_is_taken(first: int) -> None:
    left = ORDERED[first:]
    for order in (left, left[::-1], left[1:] + left[:1]):
        assert find_account(order, "u", "192.0.2.1") == left[0]


def test_others_accounts_are_none() -> None:
    assert find_account([account("v", "%"), account("u", "10.%")], "u", "192.0.2.1") is None
    assert find_account([], "u", "192.0.2.1") is None
    assert find_account([account("U", "%")], "u", "192.0.2.1") is None


def test_an_anonymous_account_nearer_by_hides_the_users_own() -> None:
    accounts = [account("u", "%"), account("", "localhost")]
    assert find_account(accounts, "u", "127.0.0.1") == accounts[1]
    assert find_account(accounts, "u", "192.0.2.1") == accounts[0]


def test_rows_of_mysql() -> None:
    rows: list[dict[str, Any]] = [
        {"User": "a", "Host": "%", "plugin": CACHING_SHA2, "stored_hex": b"$A$005$\x01salt".hex()},
        {"User": "b", "Host": "%", "plugin": NATIVE_PASSWORD, "stored_hex": HASH.encode().hex().upper()},
        {"User": "c", "Host": "%", "plugin": NATIVE_PASSWORD, "stored_hex": ""},
        {"User": "d", "Host": "%", "plugin": "sha256_password", "stored_hex": None},
        {"User": "e", "Host": "%", "plugin": NATIVE_PASSWORD, "stored_hex": b"THISISNOTAVALIDPASSWORD".hex()},
    ]
    found = mysql_accounts(rows)
    assert [item.stored for item in found] == [b"$A$005$\x01salt", bytes.fromhex(HASH[1:]), b"", b"", b"\0"]
    assert [item.supported for item in found] == [True, True, True, False, True]


def mariadb(**privileges: Any) -> Account:
    (found,) = mariadb_accounts([{"User": "u", "Host": "%", "privileges": json.dumps(privileges)}])
    return found


def test_rows_of_mariadb() -> None:
    assert mariadb(access=0).stored == b""
    assert mariadb(plugin=NATIVE_PASSWORD, authentication_string=HASH).stored == bytes.fromhex(HASH[1:])
    assert mariadb(plugin="", authentication_string="").plugin == NATIVE_PASSWORD
    assert mariadb(plugin=NATIVE_PASSWORD, authentication_string="invalid").stored == b"\0"
    assert mariadb(plugin=NATIVE_PASSWORD, authentication_string=HASH[:-1]).stored == b"\0"
    assert not mariadb(plugin="ed25519", authentication_string="x").supported


def test_one_of_several_methods_of_mariadb_is_taken() -> None:
    native = {"plugin": NATIVE_PASSWORD, "authentication_string": HASH}
    socket: dict[str, Any] = {"plugin": "unix_socket"}
    for methods in ([{}, socket], [socket, {}]):
        assert mariadb(**native, auth_or=methods).stored == bytes.fromhex(HASH[1:])
    assert mariadb(**socket, auth_or=[{}, native]).stored == bytes.fromhex(HASH[1:])
    assert mariadb(**socket, auth_or=[{"plugin": "ed25519"}, {}]).plugin == "ed25519"
    assert mariadb(**native, auth_or=[]).supported


def test_roles_are_no_accounts() -> None:
    rows: list[dict[str, Any]] = [
        {"User": "r", "Host": "", "privileges": '{"is_role": true}'},
        {"User": "u", "Host": "%", "privileges": "{}"},
    ]
    assert [found.user for found in mariadb_accounts(rows)] == ["u"]


@pytest.mark.parametrize("plugin", [NATIVE_PASSWORD, CACHING_SHA2])
def test_configured_accounts(plugin: str) -> None:
    found = configured_account("u", "hunter2", plugin)
    assert (found.user, found.host, found.plugin, found.secret) == ("u", "%", plugin, secret_of(b"hunter2"))
    assert found.credentials().stored
    assert "hunter2" not in f"{found!r} {found.credentials()!r}"
    assert configured_account("u", "", plugin).stored == b""
