"""What an account demands of the connection (REQUIRE SSL, X509, ISSUER, SUBJECT, CIPHER), and whether it is met. Pure.

Source: "CREATE USER", "SSL/TLS Options", in the MySQL manual; the rest is as MariaDB 10.11 and MySQL 9.7 do it.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier


class Kind(IntEnum):
    """MariaDB keeps the number, MySQL the name. `UNKNOWN` is anything else, which nobody meets."""

    NONE = 0
    ANY = 1
    X509 = 2
    SPECIFIED = 3
    UNKNOWN = 99


@dataclass(frozen=True, slots=True)
class Requirement:
    """What an account demands. The texts count for `SPECIFIED` only; those that are empty demand nothing.

    `certified` says that there must be a certificate: MySQL wants one for `SPECIFIED` even with a cipher alone.
    """

    kind: Kind = Kind.NONE
    cipher: str = ""
    issuer: str = ""
    subject: str = ""
    certified: bool = False


NOTHING: Final = Requirement()


@dataclass(frozen=True, slots=True)
class Shown:
    """What a client's connection has: the cipher, empty without TLS, and what a verified certificate says.

    The names are empty without a certificate, and where it has one that cannot be read.
    """

    cipher: str = ""
    certified: bool = False
    issuer: str = ""
    subject: str = ""


def kind_numbered(number: object) -> Kind:
    """The kind that MariaDB means."""
    return next((kind for kind in Kind if kind == number), Kind.UNKNOWN)


def kind_named(name: str) -> Kind:
    """The kind that MySQL means; no name is none."""
    return Kind.__members__.get(name or Kind.NONE.name, Kind.UNKNOWN)


def is_met(requirement: Requirement, shown: Shown) -> bool:
    """Whether a connection is what an account demands, as servers of both vendors judge it."""
    if requirement.kind is Kind.NONE:
        return True
    if not shown.cipher or requirement.certified > shown.certified:
        return False
    match requirement.kind:
        case Kind.ANY:
            return True
        case Kind.X509:
            return shown.certified
        case Kind.SPECIFIED:
            pairs = (
                (requirement.cipher, shown.cipher),
                (requirement.issuer, shown.issuer),
                (requirement.subject, shown.subject),
            )
            return all(wanted in ("", has) for wanted, has in pairs)
    return False


def shown_by(cipher: str, certificate: bytes | None) -> Shown:
    """What a TLS connection with this cipher and certificate (DER, already verified) has."""
    if certificate is None:
        return Shown(cipher)
    try:
        parsed = x509.load_der_x509_certificate(certificate)
        return Shown(cipher, True, _one_line(parsed.issuer), _one_line(parsed.subject))
    except ValueError:
        # OpenSSL is content with more than this parser, a name in Latin-1 for one.
        return Shown(cipher, True)


# OpenSSL's short names, which X509_NAME_oneline writes; of others it writes the number.
SHORT_NAMES: Final[dict[ObjectIdentifier, str]] = {
    NameOID.BUSINESS_CATEGORY: "businessCategory",
    NameOID.COMMON_NAME: "CN",
    NameOID.COUNTRY_NAME: "C",
    NameOID.DN_QUALIFIER: "dnQualifier",
    NameOID.DOMAIN_COMPONENT: "DC",
    NameOID.EMAIL_ADDRESS: "emailAddress",
    NameOID.GENERATION_QUALIFIER: "generationQualifier",
    NameOID.GIVEN_NAME: "GN",
    NameOID.INITIALS: "initials",
    NameOID.INN: "INN",
    NameOID.JURISDICTION_COUNTRY_NAME: "jurisdictionC",
    NameOID.JURISDICTION_LOCALITY_NAME: "jurisdictionL",
    NameOID.JURISDICTION_STATE_OR_PROVINCE_NAME: "jurisdictionST",
    NameOID.LOCALITY_NAME: "L",
    NameOID.OGRN: "OGRN",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.ORGANIZATION_IDENTIFIER: "organizationIdentifier",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.POSTAL_ADDRESS: "postalAddress",
    NameOID.POSTAL_CODE: "postalCode",
    NameOID.PSEUDONYM: "pseudonym",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.SNILS: "SNILS",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
    NameOID.STREET_ADDRESS: "street",
    NameOID.SURNAME: "SN",
    NameOID.TITLE: "title",
    NameOID.UNSTRUCTURED_NAME: "unstructuredName",
    NameOID.USER_ID: "UID",
    NameOID.X500_UNIQUE_IDENTIFIER: "x500UniqueIdentifier",
}


def _one_line(name: x509.Name) -> str:
    """A name as OpenSSL's X509_NAME_oneline writes it, which servers compare with what the account has."""
    return "".join(f"/{SHORT_NAMES.get(part.oid, part.oid.dotted_string)}={_escaped(part.value)}" for part in name)


def _escaped(value: str | bytes) -> str:
    data = value.encode() if isinstance(value, str) else value
    return "".join(chr(byte) if 0x20 <= byte <= 0x7E else f"\\x{byte:02X}" for byte in data)
