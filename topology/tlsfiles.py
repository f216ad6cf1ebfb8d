"""TLS contexts made from files, and made anew when a file changes. For both sides of the proxy."""

import logging
import os
import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NoReturn

from topology.errors import ConfigError

log = logging.getLogger(__name__)

# A file is looked at no more often than so many seconds apart.
_PAUSE: Final = 1.0
Stamp = tuple[tuple[int, int, int] | None, ...]


class WatchedContext:
    """The TLS context that `make` builds from `files`.

    A change is seen at the next use, at most once a second. Files that cannot be used leave the context before in use.
    """

    def __init__(
        self,
        what: str,
        files: Sequence[Path],
        make: Callable[[], ssl.SSLContext],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ConfigError when the files cannot be used."""
        self._what = what
        self._files = files
        self._make = make
        self._clock = clock
        self._look_at = clock() + _PAUSE
        self._seen = stamp(files)
        self._context = make()

    def current(self) -> ssl.SSLContext:
        """The context for a new handshake."""
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + _PAUSE
            self.look()
        return self._context

    def look(self) -> None:
        """Make the context anew if a file has changed."""
        seen = stamp(self._files)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._context = self._make()
        except ConfigError as error:
            log.error("%s changed and cannot be used; what was read before stays in use: %s", self._what, error)
        else:
            log.info("%s changed and was read anew", self._what)


def stamp(files: Sequence[Path]) -> Stamp:
    """Equal as long as no file has changed: time of the change, size, inode."""
    return tuple(_stamp_of(file) for file in files)


def _stamp_of(file: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def load_certificate(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    """Give `context` a certificate (with its chain) and its key, which may be in the same file. Raises ConfigError."""
    _readable(certificate, "certificate")
    if key is not None:
        _readable(key, "key")
    try:
        context.load_cert_chain(certificate, key, password=_refuse_passphrase)
    except ssl.SSLError as error:
        names = f"{certificate} and {key}" if key else f"{certificate}"
        raise ConfigError(
            f"no certificate with its key is in {names}: {tls_reason(error)}", "name PEM files that belong together"
        ) from None


def load_authorities(context: ssl.SSLContext, file: Path) -> None:
    """Let `context` trust the CA certificates in `file`. Raises ConfigError."""
    _readable(file, "CA file")
    try:
        context.load_verify_locations(file)
    except ssl.SSLError as error:
        raise ConfigError(f"{file} holds no CA certificate: {tls_reason(error)}", "name a PEM file") from None


def _readable(file: Path, what: str) -> None:
    try:
        file.open("rb").close()
    except OSError as error:
        raise ConfigError(f"cannot read the {what} {file}: {error.strerror}", "correct its name or mode") from None


def tls_reason(error: ssl.SSLError) -> str:
    """OpenSSL's reason in words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate cannot be verified: {error.verify_message}"
    return (error.reason or str(error)).replace("_", " ").lower()


def _refuse_passphrase() -> NoReturn:
    # Without this OpenSSL would ask for it on the terminal.
    raise ConfigError("the key is encrypted", "store it without a passphrase: openssl pkey -in KEY -out NEW")
