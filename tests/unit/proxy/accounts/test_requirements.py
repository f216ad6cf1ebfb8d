"""REQUIRE SSL, X509, ISSUER, SUBJECT and CIPHER, judged as by servers."""

import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography.x509.oid import NameOID, ObjectIdentifier

from proxy.accounts.requirements import (
    SHORT_NAMES,
    Kind,
    Requirement,
    Shown,
    is_met,
    kind_named,
    kind_numbered,
    shown_by,
)
from tests.support.certificates import Authority

PLAIN, ENCRYPTED = Shown(), Shown("TLS_AES_256_GCM_SHA384")
KNOWN = Shown("TLS_AES_256_GCM_SHA384", True, "/CN=CA", "/CN=me")


@pytest.mark.parametrize(
    ("requirement", "met_by"),
    [
        (Requirement(), [PLAIN, ENCRYPTED, KNOWN]),
        (Requirement(Kind.ANY), [ENCRYPTED, KNOWN]),
        (Requirement(Kind.X509), [KNOWN]),
        (Requirement(Kind.UNKNOWN), []),
        (Requirement(Kind.SPECIFIED), [ENCRYPTED, KNOWN]),
        (Requirement(Kind.SPECIFIED, cipher="TLS_AES_256_GCM_SHA384"), [ENCRYPTED, KNOWN]),
        (Requirement(Kind.SPECIFIED, cipher="TLS_AES_256_GCM_SHA384", certified=True), [KNOWN]),
        (Requirement(Kind.SPECIFIED, cipher="another"), []),
        (Requirement(Kind.SPECIFIED, issuer="/CN=CA"), [KNOWN]),
        (Requirement(Kind.SPECIFIED, issuer="/CN=another"), []),
        (Requirement(Kind.SPECIFIED, subject="/CN=me"), [KNOWN]),
        (Requirement(Kind.SPECIFIED, subject="/CN=m"), []),
        (Requirement(Kind.SPECIFIED, "TLS_AES_256_GCM_SHA384", "/CN=CA", "/CN=me"), [KNOWN]),
        (Requirement(Kind.SPECIFIED, "TLS_AES_256_GCM_SHA384", "/CN=CA", "/CN=you"), []),
        (Requirement(Kind.ANY, issuer="/CN=ignored"), [ENCRYPTED, KNOWN]),
    ],
)
def test_what_meets_a_requirement(requirement: Requirement, met_by: list[Shown]) -> None:
    assert [shown for shown in (PLAIN, ENCRYPTED, KNOWN) if is_met(requirement, shown)] == met_by


@pytest.mark.parametrize(("number", "kind"), [(0, Kind.NONE), (1, Kind.ANY), (2, Kind.X509), (3, Kind.SPECIFIED)])
def test_kinds_of_mariadb(number: int, kind: Kind) -> None:
    assert kind_numbered(number) is kind


@pytest.mark.parametrize("number", [-1, 4, "1", None])
def test_what_mariadb_does_not_have_is_met_by_nobody(number: object) -> None:
    assert kind_numbered(number) is Kind.UNKNOWN


def test_kinds_of_mysql() -> None:
    names = ("", "ANY", "X509", "SPECIFIED", "another")
    assert [kind_named(name) for name in names] == [Kind.NONE, Kind.ANY, Kind.X509, Kind.SPECIFIED, Kind.UNKNOWN]


def test_names_are_written_as_openssl_does(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    parts = {
        NameOID.COUNTRY_NAME: "SE",
        NameOID.STATE_OR_PROVINCE_NAME: "Stock holm",
        NameOID.ORGANIZATION_NAME: "Lab, Inc/=+",
        NameOID.COMMON_NAME: "Jürgen",
        NameOID.EMAIL_ADDRESS: "me@example.com",
        ObjectIdentifier("1.2.3.4"): "12345",
    }
    certificate = ssl.PEM_cert_to_DER_cert(authority.sign("me", parts).certificate.read_text())
    shown = shown_by("cipher", certificate)
    assert shown.subject == (
        "/C=SE/ST=Stock holm/O=Lab, Inc/=+/CN=J\\xC3\\xBCrgen/emailAddress=me@example.com/1.2.3.4=12345"
    )
    assert shown.issuer == authority.issuer
    assert shown_by("cipher", None) == Shown("cipher")


def test_a_certificate_that_cannot_be_read_has_no_names() -> None:
    assert shown_by("cipher", b"rubbish") == Shown("cipher", certified=True)


@pytest.mark.parametrize("oid", SHORT_NAMES, ids=lambda oid: SHORT_NAMES[oid])
def test_short_names_are_openssls(tmp_path: Path, oid: ObjectIdentifier) -> None:
    value = "SE" if SHORT_NAMES[oid] in ("C", "jurisdictionC") else "value"
    pair = Authority(tmp_path).sign("me", {oid: value})
    command = ["openssl", "x509", "-in", str(pair.certificate), "-noout", "-subject", "-nameopt", "compat"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    shown = shown_by("cipher", ssl.PEM_cert_to_DER_cert(pair.certificate.read_text()))
    assert printed.strip() == f"subject={shown.subject}"
