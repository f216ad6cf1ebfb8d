"""The TLS context that clients meet."""

import datetime
import logging
import os
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from proxy.tls.selfmade import OfThisRun, kept_certificate
from topology.config import Settings
from topology.tlsfiles import WatchedContext, load_authorities, load_certificate

log = logging.getLogger(__name__)

_LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")


class ClientFacing(ssl.SSLContext):
    """A context for clients. `fingerprint` is SHA-256 of the certificate that they see, empty if it cannot be told."""

    fingerprint = b""


def fingerprint_of(context: ssl.SSLContext) -> bytes:
    """The fingerprint of the certificate that a client of `context` sees."""
    return context.fingerprint if isinstance(context, ClientFacing) else b""


def client_facing(settings: Settings, of_this_run: OfThisRun) -> WatchedContext:
    """The context for clients, watched for changes of its files. Raises ConfigError when a file cannot be used.

    The certificate `of_this_run` is in it if there is no other.
    """
    authorities = settings.tls_client_ca
    if settings.tls_certificate is not None:
        return _watched(settings.tls_certificate, settings.tls_key, authorities)
    names, now = _names(settings), datetime.datetime.now(datetime.UTC)
    if settings.state_directory is not None:
        try:
            return _watched(*kept_certificate(settings.state_directory, names, now), authorities)
        except OSError as error:
            log.warning("cannot keep a certificate in %s: %s", settings.state_directory, error.strerror)
    of_this_run.make(names, now)
    return _in_memory(of_this_run.pem, authorities)


def _watched(certificate: Path, key: Path | None, authorities: Path | None) -> WatchedContext:
    files = [file for file in (certificate, key, authorities) if file is not None]
    return WatchedContext("the certificate for clients", files, lambda: _context(certificate, key, authorities))


def _in_memory(pem: bytes, authorities: Path | None) -> WatchedContext:
    def make() -> ssl.SSLContext:
        # OpenSSL's Python interface reads certificates from files only.
        with _passing_file(pem) as file:
            return _context(file, None, authorities)

    return WatchedContext("the CA file for clients", [authorities] if authorities else [], make)


@contextmanager
def _passing_file(content: bytes) -> Iterator[Path]:
    """A file with this content, which is on no disk where the system knows such: a key is in it, and a container's file
    system may be read-only."""
    if hasattr(os, "memfd_create"):
        with open(os.memfd_create("manyreads"), "wb") as memory:
            memory.write(content)
            memory.flush()
            yield Path(f"/proc/self/fd/{memory.fileno()}")
    else:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            yield Path(file.name)


def _context(certificate: Path, key: Path | None, authorities: Path | None) -> ssl.SSLContext:
    context = ClientFacing(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    load_certificate(context, certificate, key)
    context.fingerprint = _fingerprint(certificate)
    if authorities is not None:
        load_authorities(context, authorities)
        # As with servers: whether a client has to show one is said by its account.
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _fingerprint(certificate: Path) -> bytes:
    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes()).fingerprint(hashes.SHA256())
    except (OSError, ValueError):
        # OpenSSL is content with more than this parser; then clients need a certificate authority that they know.
        return b""


def _names(settings: Settings) -> tuple[str, ...]:
    own = (socket.gethostname(), settings.host_and_port[0])
    usable = (name for name in own if name.isascii() and name not in ("", "0.0.0.0", "::"))
    return tuple(dict.fromkeys((*_LOCAL_NAMES, *usable)))
