"""What an account is verified against: its authentication methods, and the strings that its server keeps for them."""

import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from proxy.wire.auth import caching_sha2_verify, native_verify, sha256_verify
from proxy.wire.constants import CACHING_SHA2, ED25519, NATIVE_PASSWORD, PARSEC, SHA256_PASSWORD
from proxy.wire.secret import Secret
from proxy.wire.signatures import ed25519_verify, parsec_verify

# By the name that servers have for a method in an account; slow ones take milliseconds.
_VERIFIERS: Final[Mapping[str, Callable[[bytes, bytes], bool]]] = {
    NATIVE_PASSWORD: native_verify,
    CACHING_SHA2: caching_sha2_verify,
    SHA256_PASSWORD: sha256_verify,
    ED25519: ed25519_verify,
    PARSEC: parsec_verify,
}
# For these an account without a string is one without a password; for the others it is one that nobody can use.
_MAY_BE_EMPTY: Final = frozenset({NATIVE_PASSWORD, CACHING_SHA2, SHA256_PASSWORD})
VERIFIABLE: Final = frozenset(_VERIFIERS)


@dataclass(frozen=True, slots=True)
class Stored:
    """A string that a server keeps of a password, empty for an empty password, and the secret once it is known.

    It is as the account table has it, but for mysql_native_password, where it is the 20 bytes of SHA1(SHA1(password)).
    """

    text: bytes = field(repr=False)
    secret: Secret | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Method:
    """One way in: any of the `stored` passwords is right (MySQL's accounts can have two), proved by `plugin`."""

    plugin: str
    stored: tuple[Stored, ...]


def fitting(password: bytes, methods: Iterable[Method]) -> Stored | None:
    """What `password` fits, if anything. Takes milliseconds: keep it off the event loop."""
    for method in methods:
        for stored in method.stored:
            if _fits(password, method.plugin, stored):
                return stored
    return None


def _fits(password: bytes, plugin: str, stored: Stored) -> bool:
    known = stored.secret.password if stored.secret else None
    if known is not None:
        return hmac.compare_digest(password, known)
    if not password and plugin in _MAY_BE_EMPTY:
        return not stored.text
    return _VERIFIERS[plugin](password, stored.text)
