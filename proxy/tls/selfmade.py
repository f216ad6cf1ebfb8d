"""A certificate for a proxy that was given none: made once, kept in a directory, used again at the next start."""

import datetime
import ipaddress
import logging
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from proxy.tls.kept import keep, replace
from topology.errors import ConfigError

log = logging.getLogger(__name__)

CERTIFICATE_FILE: Final = "certificate.pem"
KEY_FILE: Final = "key.pem"
_DAY: Final = datetime.timedelta(days=1)
_LIFETIME: Final = 3650 * _DAY
# One that ends within this is replaced at the start, so that it does not end while the proxy runs.
_RENEW_BEFORE: Final = 90 * _DAY
_COMMON_NAME: Final = "manyreads self-made certificate"


def make_key() -> bytes:
    """A new key, PEM. Elliptic, because a handshake with it costs a fraction of one with RSA."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def make_certificate(key_pem: bytes, names: tuple[str, ...], now: datetime.datetime) -> bytes:
    """A self-signed certificate, PEM, for the key and the host names or addresses. Raises ValueError for no key."""
    key = serialization.load_pem_private_key(key_pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not the kind of key that is made here")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _COMMON_NAME)])
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class OfThisRun:
    """The certificate of a run that can keep none: made when it is wanted first, the same for all processes.

    `pem` is the certificate with its key, empty until then.
    """

    def __init__(self, pem: bytes = b"") -> None:
        self.pem = pem

    def make(self, names: tuple[str, ...], now: datetime.datetime) -> None:
        """Make it, if it is not there, and say so."""
        if self.pem:
            return
        log.warning(
            "the certificate for clients is made for this run only, so a client cannot know it again; "
            "set state_directory, or tls_certificate and tls_key"
        )
        key = make_key()
        self.pem = make_certificate(key, names, now) + key


def kept_certificate(directory: Path, names: tuple[str, ...], now: datetime.datetime) -> tuple[Path, Path]:
    """The files of the certificate and the key in `directory`, made there if they are not.

    Two proxies that start at the same time end with the same pair. Raises OSError when the directory cannot be written,
    ConfigError when what is there is no such pair.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate, key = directory / CERTIFICATE_FILE, directory / KEY_FILE
    if not key.exists():
        keep(key, make_key(), 0o600)
    try:
        if not certificate.exists():
            keep(certificate, make_certificate(key.read_bytes(), names, now), 0o644)
            log.info("made the certificate %s", certificate)
        elif _ends(certificate) < now + _RENEW_BEFORE:
            replace(certificate, make_certificate(key.read_bytes(), names, now), 0o644)
            log.info("renewed the certificate %s", certificate)
    except ValueError as error:
        raise ConfigError(
            f"{certificate} and {key} are not what the proxy has made: {error}",
            "delete both, or name your own with tls_certificate and tls_key",
        ) from None
    return certificate, key


def _ends(certificate: Path) -> datetime.datetime:
    return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
