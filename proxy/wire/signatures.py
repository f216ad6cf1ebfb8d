"""The arithmetic of MariaDB's methods that sign the server's challenge: client_ed25519 and parsec.

ed25519: the key is derived from the password of any length as Ed25519 derives it from a seed of 32 bytes, without salt;
the server keeps the public key. Source: "Authentication Plugin - ed25519" in MariaDB's documentation, and Ed25519's
definition (RFC 8032, section 5.1).
parsec: the seed is PBKDF2-HMAC-SHA512 of the password; the server keeps rounds, salt and public key, and tells the
first two. The client signs both sides' challenges. Source: "Authentication Plugin - PARSEC" in MariaDB's documentation.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass
from hashlib import pbkdf2_hmac, sha512

import nacl.bindings as sodium
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from proxy.wire.errors import MalformedPacket

CHALLENGE_SIZE = 32
SIGNATURE_SIZE = 64
_KEY_SIZE = 32
_SALT_SIZE = 18
_BASE_ROUNDS = 1024
# Servers offer 1024 << 0 to 1024 << 3 rounds; more would let one that is no server of ours keep us busy.
_MAX_DOUBLINGS = 3
_KDF = ord("P")


def ed25519_public(password: bytes) -> bytes:
    """The public key of a password, 32 bytes."""
    return sodium.crypto_scalarmult_ed25519_base_noclamp(_scalar(sha512(password).digest()))


def ed25519_sign(password: bytes, challenge: bytes) -> bytes:
    """A client's answer to the server's challenge, 64 bytes."""
    digest = sha512(password).digest()
    secret = _scalar(digest)
    public = sodium.crypto_scalarmult_ed25519_base_noclamp(secret)
    once = sodium.crypto_core_ed25519_scalar_reduce(sha512(digest[_KEY_SIZE:] + challenge).digest())
    point = sodium.crypto_scalarmult_ed25519_base_noclamp(once)
    factor = sodium.crypto_core_ed25519_scalar_reduce(sha512(point + public + challenge).digest())
    # Adding to a product takes both modulo the group's order.
    return point + sodium.crypto_core_ed25519_scalar_add(
        once, sodium.crypto_core_ed25519_scalar_mul(factor, _reduced(secret))
    )


def signature_fits(signature: bytes, message: bytes, public: bytes) -> bool:
    """Whether `signature` of `message` was made with the password that `public` is the key of."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _scalar(digest: bytes) -> bytes:
    clamped = bytearray(digest[:_KEY_SIZE])
    clamped[0] &= 248
    clamped[31] = clamped[31] & 63 | 64
    return bytes(clamped)


def _reduced(scalar: bytes) -> bytes:
    return sodium.crypto_core_ed25519_scalar_reduce(scalar + bytes(_KEY_SIZE))


def stored_ed25519(text: bytes) -> bytes:
    """The public key in the string that a server stores; empty for anything else, which fits nobody."""
    public = _base64(text)
    return public if len(public) == _KEY_SIZE else b""


def ed25519_verify(password: bytes, stored: bytes) -> bool:
    """Whether `password` fits the stored string of an account."""
    return hmac.compare_digest(ed25519_public(password), stored_ed25519(stored))


@dataclass(frozen=True, slots=True)
class ParsecSalt:
    """What turns a password into a key: 1024 << `doublings` rounds of PBKDF2 with `salt`."""

    doublings: int
    salt: bytes

    def payload(self) -> bytes:
        """As the server tells it to a client."""
        return bytes((_KDF, self.doublings)) + self.salt

    def key(self, password: bytes) -> Ed25519PrivateKey:
        """The private key of a password. Takes a millisecond or more."""
        seed = pbkdf2_hmac("sha512", password, self.salt, _BASE_ROUNDS << self.doublings, _KEY_SIZE)
        return Ed25519PrivateKey.from_private_bytes(seed)


def parse_parsec_salt(payload: bytes) -> ParsecSalt:
    """Read what a server tells. Raises MalformedPacket."""
    if len(payload) != 2 + _SALT_SIZE or payload[0] != _KDF or payload[1] > _MAX_DOUBLINGS:
        raise MalformedPacket("the server's salt is not of a form that parsec knows")
    return ParsecSalt(payload[1], payload[2:])


def stored_parsec(text: bytes) -> tuple[ParsecSalt, bytes] | None:
    """Salt and public key in the string that a server stores: `P` and a digit, salt, key; None for anything else."""
    head, *rest = text.split(b":")
    if len(head) != 2 or head[0] != _KDF or not b"0" <= head[1:] <= b"%d" % _MAX_DOUBLINGS or len(rest) != 2:
        return None
    salt, public = map(_base64, rest)
    if len(salt) != _SALT_SIZE or len(public) != _KEY_SIZE:
        return None
    return ParsecSalt(int(head[1:]), salt), public


def parsec_sign(password: bytes, salt: ParsecSalt, challenge: bytes, own_challenge: bytes) -> bytes:
    """A client's answer: its own challenge of 32 bytes, and the signature of both."""
    return own_challenge + salt.key(password).sign(challenge + own_challenge)


def parsec_fits(answer: bytes, challenge: bytes, public: bytes) -> bool:
    """Whether a client's answer was made with the password that `public` is the key of."""
    if len(answer) != CHALLENGE_SIZE + SIGNATURE_SIZE:
        return False
    own_challenge, signature = answer[:CHALLENGE_SIZE], answer[CHALLENGE_SIZE:]
    return signature_fits(signature, challenge + own_challenge, public)


def parsec_verify(password: bytes, stored: bytes) -> bool:
    """Whether `password` fits the stored string of an account. Takes a millisecond or more."""
    known = stored_parsec(stored)
    return known is not None and hmac.compare_digest(known[0].key(password).public_key().public_bytes_raw(), known[1])


def _base64(text: bytes) -> bytes:
    # Servers write base64 without the `=` at its end.
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
