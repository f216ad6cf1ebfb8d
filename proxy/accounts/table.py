"""Account rows of both vendors as values, and which of them a client is. Pure."""

import functools
import ipaddress
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from proxy.accounts.requirements import NOTHING, Kind, Requirement, kind_named, kind_numbered
from proxy.wire.constants import CACHING_SHA2, NATIVE_PASSWORD
from proxy.wire.methods import VERIFIABLE, Method, Stored
from proxy.wire.secret import secret_of

# Read with the service account; HEX because salts are not text.
MYSQL_ACCOUNTS = (
    "SELECT User, Host, plugin, HEX(authentication_string) AS stored_hex, User_attributes AS attributes, ssl_type,"
    " Process_priv AS process, Super_priv AS superuser, ssl_cipher, x509_issuer, x509_subject FROM mysql.user"
)
MARIADB_ACCOUNTS = "SELECT User, Host, Priv AS privileges FROM mysql.global_priv"


LOCALHOST = "localhost"
# The bits of these privileges in MariaDB's `access`.
_PROCESS = 1 << 8
_SUPER = 1 << 15
# A method of MySQL that denies everybody; such accounts are for views and procedures.
_NO_LOGIN = "mysql_no_login"


@dataclass(frozen=True, slots=True)
class Account:
    """One account: any of its `methods` is enough to log in.

    `unknown` names the methods that the proxy cannot verify. `further` are those that are needed on top (MySQL's
    multi-factor authentication), `requirement` is about the connection. `process` and `superuser` tell of the PROCESS
    and the SUPER privilege, unless these were given by a role.
    """

    user: str
    host: str
    methods: tuple[Method, ...]
    unknown: tuple[str, ...] = ()
    further: tuple[str, ...] = ()
    requirement: Requirement = NOTHING
    process: bool = False
    superuser: bool = False

    @property
    def supported(self) -> bool:
        """Whether the proxy can verify who logs in."""
        return bool(self.methods) and not self.further


def configured_account(user: str, password: str, plugin: str) -> Account:
    """An account whose password is known."""
    secret = secret_of(password.encode())
    text = b""
    if password:
        text = secret.double_sha1() if plugin == NATIVE_PASSWORD else b"$A$"
    return Account(user, "%", (Method(plugin, (Stored(text, secret),)),))


def decoy(accounts: Iterable[Account], plugin: str) -> Method:
    """What those are judged by who have no account: a password that nobody has, and as slow to verify as the others."""
    if plugin == NATIVE_PASSWORD:
        return Method(plugin, (Stored(b"\0"),))
    texts = (stored.text for account in accounts for method in account.methods for stored in method.stored)
    prefix = max((text[:_SHA2_PREFIX] for text in texts if text.startswith(b"$A$")), default=b"$A$005$")
    # The string that MySQL has in accounts of its own.
    return Method(plugin, (Stored(prefix + b"THISISACOMBINATIONOFINVALIDSALTANDPASSWORDTHATMUSTNEVERBRBEUSED"),))


_SHA2_PREFIX = len("$A$005$")


def mysql_accounts(rows: Iterable[Mapping[str, Any]]) -> list[Account]:
    """Accounts from the rows of MYSQL_ACCOUNTS."""
    return [_mysql_account(row, json.loads(row["attributes"] or "{}")) for row in rows]


def _mysql_account(row: Mapping[str, Any], attributes: Mapping[str, Any]) -> Account:
    texts = [bytes.fromhex(row["stored_hex"] or "")]
    if retained := attributes.get("additional_password"):
        texts.append(str(retained).encode())
    further = tuple(str(factor["plugin"]) for factor in attributes.get("multi_factor_authentication") or ())
    account = _account(row["User"], row["Host"], [(row["plugin"], texts)], further)
    kind = kind_named(row["ssl_type"])
    requirement = replace(_requirement(kind, row), certified=kind is Kind.SPECIFIED)
    process, superuser = row.get("process") == "Y", row.get("superuser") == "Y"
    return replace(account, requirement=requirement, process=process, superuser=superuser)


def _requirement(kind: Kind, texts: Mapping[str, Any]) -> Requirement:
    cipher, issuer, subject = (_text(texts.get(name)) for name in ("ssl_cipher", "x509_issuer", "x509_subject"))
    return Requirement(kind, cipher, issuer, subject)


def _text(value: str | bytes | None) -> str:
    # Blobs in MySQL. What is no UTF-8 is still a demand, which no certificate meets.
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value or ""


def mariadb_accounts(rows: Iterable[Mapping[str, Any]]) -> list[Account]:
    """Accounts from the rows of MARIADB_ACCOUNTS, roles left out."""
    accounts = []
    for row in rows:
        privileges = json.loads(row["privileges"])
        if not privileges.get("is_role"):
            accounts.append(_mariadb_account(row["User"], row["Host"], privileges))
    return accounts


def _mariadb_account(user: str, host: str, privileges: Mapping[str, Any]) -> Account:
    # Any method of auth_or is enough; an empty object in it stands for the method named outside of it.
    methods = [method or privileges for method in privileges.get("auth_or") or [{}]]
    account = _account(
        user,
        host,
        [
            (method.get("plugin") or NATIVE_PASSWORD, [str(method.get("authentication_string", "")).encode()])
            for method in methods
        ],
    )
    requirement = _requirement(kind_numbered(privileges.get("ssl_type", 0)), privileges)
    access = int(privileges.get("access", 0))
    process, superuser = bool(access & _PROCESS), bool(access & _SUPER)
    return replace(account, requirement=requirement, process=process, superuser=superuser)


def _account(
    user: str, host: str, methods: Sequence[tuple[str, list[bytes]]], further: tuple[str, ...] = ()
) -> Account:
    known = tuple(
        Method(plugin, tuple(Stored(_stored(plugin, text)) for text in texts))
        for plugin, texts in methods
        if plugin in VERIFIABLE
    )
    if [plugin for plugin, _ in methods] == [_NO_LOGIN]:
        known = (Method(CACHING_SHA2, (Stored(b"\0"),)),)
    return Account(user, host, known, tuple(plugin for plugin, _ in methods if plugin not in VERIFIABLE), further)


def _stored(plugin: str, text: bytes) -> bytes:
    if plugin != NATIVE_PASSWORD or not text:
        return text
    # `*` and 40 hex digits; anything else ("invalid") is a password that nobody has.
    return bytes.fromhex(text[1:].decode()) if re.fullmatch(rb"\*[0-9A-Fa-f]{40}", text) else b"\0"


def find_account(accounts: Iterable[Account], user: str, address: str) -> Account | None:
    """The account that a server would pick for `user` coming from `address` (an IP address).

    Servers sort by host, the most specific first, then by user, and take the first row that fits; a row with an empty
    user fits everybody. Source: "Access Control, Stage 1: Connection Verification" in the MySQL manual.
    """
    fitting = [account for account in accounts if account.user in (user, "") and host_fits(account.host, address)]
    return min(fitting, key=_sort_key, default=None)


def host_names(address: str) -> tuple[str, ...]:
    """The names under which an address is compared; servers know 127.0.0.1 and ::1, and no others, as localhost."""
    parsed = _parsed(address)
    if parsed is None:
        return (address,)
    name = str(parsed)
    return (LOCALHOST, name) if name in _LOCALHOSTS else (name,)


_LOCALHOSTS = frozenset({"127.0.0.1", "::1"})


def is_local(address: str) -> bool:
    """Whether an IP address is one of loopback, 127.0.0.2 for one."""
    parsed = _parsed(address)
    return parsed is not None and parsed.is_loopback


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    # A socket for both families shows 192.0.2.1 as ::ffff:192.0.2.1.
    return (parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None) or parsed


@functools.lru_cache(4096)
def host_fits(pattern: str, address: str) -> bool:
    """Whether an account's host part covers `address`: a name, `%` and `_` wildcards, or an address/netmask."""
    if "/" in pattern:
        return _mask_fits(pattern, host_names(address)[-1])
    expression = re.compile(_like(pattern or "%"), re.IGNORECASE | re.DOTALL)
    return any(expression.fullmatch(name) for name in host_names(address))


def _mask_fits(pattern: str, address: str) -> bool:
    # Servers compare `client & netmask` with the host's part as it is written: bits outside of the mask fit nobody.
    host, _, mask = pattern.partition("/")
    try:
        bits = (
            int(ipaddress.IPv4Address(mask)) if "." in mask else int(ipaddress.IPv4Network(f"0.0.0.0/{mask}").netmask)
        )
        return int(ipaddress.IPv4Address(address)) & bits == int(ipaddress.IPv4Address(host))
    except ValueError:
        return False


def _like(pattern: str) -> str:
    wildcards = {"%": ".*", "_": "."}
    return "".join(wildcards.get(char) or re.escape(char) for char in pattern)


def _sort_key(account: Account) -> tuple[int, int, bool]:
    host = account.host
    if not host:
        # It fits every host too, but servers look at it after `%`.
        return 3, 0, account.user == ""
    wildcard = next((at for at, char in enumerate(host) if char in "%_"), None)
    if wildcard is None:
        return (0 if "/" not in host else 1, 0, account.user == "")
    return 2, -wildcard, account.user == ""
