"""Which account a client is, for every form of host, and the account rows of both vendors."""

import json
from typing import Any

import pytest

from proxy.accounts.refusals import refusal
from proxy.accounts.requirements import NOTHING, Kind, Requirement
from proxy.accounts.table import (
    Account,
    configured_account,
    decoy,
    find_account,
    host_fits,
    host_names,
    mariadb_accounts,
    mysql_accounts,
)
from proxy.wire.constants import CACHING_SHA2, ED25519, NATIVE_PASSWORD, SHA256_PASSWORD
from proxy.wire.methods import Method, Stored, fitting
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
        ("localhost", "127.0.0.5", False),
        ("127.0.0.5", "127.0.0.5", True),
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
    return Account(user, host, ())


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


def mysql(plugin: str, text: bytes | None, attributes: str | None = None, **demands: Any) -> Account:
    row = {"User": "u", "Host": "%", "plugin": plugin, "stored_hex": text.hex() if text is not None else None}
    nothing = {"ssl_type": "", "ssl_cipher": b"", "x509_issuer": b"", "x509_subject": b""}
    (found,) = mysql_accounts([{**row, "attributes": attributes, **nothing, **demands}])
    return found


def texts(found: Account) -> list[bytes]:
    return [stored.text for method in found.methods for stored in method.stored]


def test_rows_of_mysql() -> None:
    assert texts(mysql(CACHING_SHA2, b"$A$005$\x01salt")) == [b"$A$005$\x01salt"]
    assert texts(mysql(NATIVE_PASSWORD, HASH.encode())) == [bytes.fromhex(HASH[1:])]
    assert texts(mysql(NATIVE_PASSWORD, b"")) == [b""]
    assert texts(mysql(NATIVE_PASSWORD, None)) == [b""]
    assert texts(mysql(NATIVE_PASSWORD, b"THISISNOTAVALIDPASSWORD")) == [b"\0"]
    assert mysql(SHA256_PASSWORD, b"$5$").supported
    other = mysql("auth_socket", b"root")
    assert (other.supported, other.unknown, other.methods) == (False, ("auth_socket",), ())


def test_an_account_that_nobody_may_log_in_to_is_not_refused_for_its_method() -> None:
    found = mysql("mysql_no_login", b"")
    assert refusal(found, "u", "localhost") is None
    assert fitting(b"", found.methods) is None


def test_a_retained_password_of_mysql() -> None:
    # As MySQL 9.7 wrote it, salt included.
    attributes = '{"additional_password": "$A$00A$\\u0004ZGZ%.\\t\\u00193qRgsskDdq*\\\\NvFcVux2KlhUg/xGAj6avr3a2Sp4"}'
    (method,) = mysql(CACHING_SHA2, b"$A$00A$new", attributes).methods
    assert [stored.text for stored in method.stored] == [
        b"$A$00A$new",
        b"$A$00A$\x04ZGZ%.\t\x193qRgsskDdq*\\NvFcVux2KlhUg/xGAj6avr3a2Sp4",
    ]


def test_further_factors_of_mysql() -> None:
    attributes = (
        '{"multi_factor_authentication": [{"plugin": "auth_socket", "passwordless": 0, "authentication_string": "root",'
        ' "requires_registration": 0}]}'
    )
    found = mysql(CACHING_SHA2, b"$A$00A$x", attributes)
    assert (found.supported, found.further) == (False, ("auth_socket",))
    assert mysql(CACHING_SHA2, b"$A$00A$x", '{"metadata": {}}').supported


def mariadb(**privileges: Any) -> Account:
    (found,) = mariadb_accounts([{"User": "u", "Host": "%", "privileges": json.dumps(privileges)}])
    return found


def test_rows_of_mariadb() -> None:
    assert texts(mariadb(access=0)) == [b""]
    assert texts(mariadb(plugin=NATIVE_PASSWORD, authentication_string=HASH)) == [bytes.fromhex(HASH[1:])]
    assert mariadb(plugin="", authentication_string="").methods[0].plugin == NATIVE_PASSWORD
    assert texts(mariadb(plugin=NATIVE_PASSWORD, authentication_string="invalid")) == [b"\0"]
    assert texts(mariadb(plugin=NATIVE_PASSWORD, authentication_string=HASH[:-1])) == [b"\0"]
    assert mariadb(plugin=ED25519, authentication_string="x").methods == (Method(ED25519, (Stored(b"x"),)),)
    assert not mariadb(plugin="gssapi").supported


def test_several_methods_of_mariadb() -> None:
    native = {"plugin": NATIVE_PASSWORD, "authentication_string": HASH}
    socket: dict[str, Any] = {"plugin": "unix_socket"}
    for methods in ([{}, socket], [socket, {}]):
        found = mariadb(**native, auth_or=methods)
        assert (texts(found), found.unknown, found.supported) == ([bytes.fromhex(HASH[1:])], ("unix_socket",), True)
    found = mariadb(**socket, auth_or=[{"plugin": ED25519, "authentication_string": "x"}, {}, native])
    assert [method.plugin for method in found.methods] == [ED25519, NATIVE_PASSWORD]
    assert mariadb(**socket, auth_or=[{"plugin": "gssapi"}, {}]).unknown == ("gssapi", "unix_socket")
    assert mariadb(**native, auth_or=[]).supported


def test_what_accounts_demand_of_the_connection() -> None:
    assert mysql(CACHING_SHA2, b"").requirement == mariadb().requirement == NOTHING
    found = mysql(
        CACHING_SHA2, b"", ssl_type="SPECIFIED", x509_issuer=b"/CN=CA", ssl_cipher=b"X", x509_subject=b"/CN=\xff"
    )
    assert found.requirement == Requirement(Kind.SPECIFIED, "X", "/CN=CA", "/CN=\\xff", certified=True)
    assert mysql(CACHING_SHA2, b"", ssl_type="ANY").requirement == Requirement(Kind.ANY)
    assert mariadb(ssl_type=0, ssl_cipher="", x509_issuer="", x509_subject="").requirement == NOTHING
    assert mariadb(ssl_type=1).requirement == Requirement(Kind.ANY)
    found = mariadb(ssl_type=3, ssl_cipher="X", x509_issuer="/CN=CA", x509_subject="/CN=me")
    assert found.requirement == Requirement(Kind.SPECIFIED, "X", "/CN=CA", "/CN=me")
    socket = {"plugin": "unix_socket"}
    assert mariadb(ssl_type=2, auth_or=[socket, {"plugin": ED25519}]).requirement == Requirement(Kind.X509)


def test_roles_are_no_accounts() -> None:
    rows: list[dict[str, Any]] = [
        {"User": "r", "Host": "", "privileges": '{"is_role": true}'},
        {"User": "u", "Host": "%", "privileges": "{}"},
    ]
    assert [found.user for found in mariadb_accounts(rows)] == ["u"]


@pytest.mark.parametrize("plugin", [NATIVE_PASSWORD, CACHING_SHA2])
def test_configured_accounts(plugin: str) -> None:
    found = configured_account("u", "hunter2", plugin)
    ((stored,),) = (method.stored for method in found.methods)
    assert (found.user, found.host, found.methods[0].plugin) == ("u", "%", plugin)
    assert stored.secret == secret_of(b"hunter2")
    assert stored.text
    assert "hunter2" not in f"{found!r}"
    assert texts(configured_account("u", "", plugin)) == [b""]


def test_who_has_no_account_is_judged_as_slowly_as_the_others() -> None:
    accounts = [
        mysql(CACHING_SHA2, b"$A$005$" + b"s" * 20 + b"x" * 43),
        mysql(CACHING_SHA2, b"$A$00A$" + b"s" * 20 + b"x" * 43),
        mysql(SHA256_PASSWORD, b"$5$"),
        mysql(CACHING_SHA2, b""),
    ]
    (stored,) = decoy(accounts, CACHING_SHA2).stored
    assert stored.text.startswith(b"$A$00A$")
    assert fitting(b"", [decoy(accounts, CACHING_SHA2)]) is None
    assert fitting(b"pw", [decoy([], CACHING_SHA2)]) is None
    assert fitting(b"", [decoy(accounts, NATIVE_PASSWORD)]) is None


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (mysql("authentication_ldap_simple", b""), "list the account with its password"),
        (mysql("authentication_kerberos", b""), "give the account a method with a password"),
        (
            mariadb(plugin="unix_socket", auth_or=[{"plugin": "pam"}, {}]),
            "'u'@'%' uses the authentication method 'pam'",
        ),
        (Account("u", "%", mysql(CACHING_SHA2, b"").methods, further=("x",)), "method 'x' as a further factor"),
    ],
)
def test_refusals_name_the_method_and_what_to_do(found: Account, said: str) -> None:
    error = refusal(found, "u", "localhost")
    assert error is not None
    assert said in error.message
    assert error.errno == 1251


@pytest.mark.parametrize("found", [mysql("auth_socket", b""), mariadb(plugin="unix_socket")])
def test_accounts_of_sockets_are_denied_as_servers_deny_them(found: Account) -> None:
    error = refusal(found, "me", "localhost")
    assert error is not None
    assert (error.errno, error.sqlstate) == (1698, "28000")
    assert error.message.startswith("Access denied for user 'me'@'localhost': the account 'u'@'%' uses")
    assert "_socket'" in error.message
    assert "users of the server's own machine" in error.message


def test_who_can_be_verified_is_not_refused() -> None:
    assert refusal(mysql(CACHING_SHA2, b""), "u", "localhost") is None
    either = mariadb(plugin="unix_socket", auth_or=[{"plugin": NATIVE_PASSWORD}, {}])
    assert refusal(either, "u", "localhost") is None
