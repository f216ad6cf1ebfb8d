"""The RSA key that clients without TLS encrypt passwords with: kept, so that clients can know it beforehand."""

import logging
from pathlib import Path
from typing import Final

from proxy.tls.kept import keep, replace
from proxy.wire.rsakey import RsaKey
from topology.config import Settings
from topology.errors import ConfigError

log = logging.getLogger(__name__)

# MySQL's names for the same.
PRIVATE_FILE: Final = "private_key.pem"
PUBLIC_FILE: Final = "public_key.pem"


def login_key(settings: Settings) -> RsaKey:
    """The key that is kept in `state_directory`, made there if there is none; one of this run if that cannot be.

    Raises ConfigError when what is there is no such key.
    """
    if settings.state_directory is not None:
        try:
            return _kept(settings.state_directory)
        except OSError as error:
            log.warning("cannot keep the RSA key in %s: %s", settings.state_directory, error.strerror)
    return RsaKey()


def _kept(directory: Path) -> RsaKey:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    private, public = directory / PRIVATE_FILE, directory / PUBLIC_FILE
    if not private.exists():
        keep(private, RsaKey().private_pem, 0o600)
    try:
        key = RsaKey(private.read_bytes())
    except ValueError as error:
        raise ConfigError(f"{private} cannot be used: {error}", "delete it: the proxy makes a new one") from None
    if not public.exists() or public.read_bytes() != key.public_pem:
        replace(public, key.public_pem, 0o644)
    return key
