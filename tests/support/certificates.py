"""A certificate authority for tests, and what it signs: PEM files in a directory."""

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate's file and its key's."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates for this machine; its own is in `certificate`."""

    def __init__(self, directory: Path, name: str = "Test CA") -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name({NameOID.ORGANIZATION_NAME: "Manyreads tests", NameOID.COMMON_NAME: name})
        builder = _builder(self._name, self._name, self._key.public_key(), 365 * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.certificate = directory / f"{name.replace(' ', '-')}.pem"
        self.certificate.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        self.issuer = f"/O=Manyreads tests/CN={name}"

    def sign(self, file: str, parts: dict[x509.ObjectIdentifier, str], hosts: tuple[str, ...] = ("localhost",)) -> Pair:
        """A certificate for a subject of these parts, in order, for 127.0.0.1 and these hosts."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), *(x509.DNSName(host) for host in hosts)]
        builder = _builder(_name(parts), self._name, key.public_key(), 30 * DAY)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        pair = Pair(self._directory / f"{file}.pem", self._directory / f"{file}.key")
        pair.certificate.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return pair

    def named(self, name: str) -> Pair:
        """A certificate for the common name `name`, in files of that name."""
        return self.sign(name, {NameOID.COMMON_NAME: name})


def _name(parts: dict[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in parts.items()])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lifetime: datetime.timedelta
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number(), now - DAY, now + lifetime)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def server_context(pair: Pair, authority: Authority | None = None) -> ssl.SSLContext:
    """A server that shows `pair`, and asks for certificates of `authority`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if authority is not None:
        context.load_verify_locations(authority.certificate)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def client_context(trusted: Path | None = None, pair: Pair | None = None, hostname: bool = False) -> ssl.SSLContext:
    """A client that trusts the certificates in `trusted`, or without it anybody, and shows `pair`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = hostname
    context.verify_mode = ssl.CERT_REQUIRED if trusted else ssl.CERT_NONE
    if trusted is not None:
        context.load_verify_locations(trusted)
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return context
