"""The arithmetic of the methods that prove a password with hashes, for both ends of the dialogue.

mysql_native_password: the server keeps SHA1(SHA1(password)); the client sends SHA1(password) XOR SHA1(nonce + kept).
caching_sha2_password: the server keeps a salted hash of thousands of rounds, and a cache of SHA256(SHA256(password)) of
those who logged in before; for them the client's SHA256(password) XOR SHA256(cached + nonce) is enough, the others must
send the password itself, over TLS or encrypted with the server's RSA key.
sha256_password: the salted hash alone, so the password itself is sent each time.
"""

import hmac
from hashlib import sha1, sha256

from proxy.wire.shacrypt import sha256_crypt

SHA1_SIZE = 20
SHA256_SIZE = 32
MAX_PASSWORD = 256
# Servers store caching_sha2_password as `$A$005$` + 20 bytes of salt + 43 characters, where the number is in thousands
# of rounds, hexadecimal; and sha256_password as `$5$` + 20 bytes of salt + `$` + 43 characters, always of 5000 rounds.
_CACHING_PREFIX = b"$A$"
_SHA256_PREFIX = b"$5$"
_SALT_SIZE = 20
_ROUNDS_UNIT = 1000
_SHA256_ROUNDS = 5000


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def native_answer(password_sha1: bytes, nonce: bytes) -> bytes:
    """A client's answer, from SHA1(password), which is all that is needed to log in."""
    return _xor(password_sha1, sha1(nonce + sha1(password_sha1).digest()).digest())


def native_check(answer: bytes, nonce: bytes, stored: bytes) -> bytes | None:
    """SHA1(password) if the answer fits the `stored` SHA1(SHA1(password)) of 20 bytes, else None."""
    if len(answer) != SHA1_SIZE or len(stored) != SHA1_SIZE:
        return None
    password_sha1 = _xor(answer, sha1(nonce + stored).digest())
    return password_sha1 if hmac.compare_digest(sha1(password_sha1).digest(), stored) else None


def native_verify(password: bytes, stored: bytes) -> bool:
    """Whether `password` fits the stored SHA1(SHA1(password))."""
    return hmac.compare_digest(sha1(sha1(password).digest()).digest(), stored)


def caching_sha2_answer(password: bytes, nonce: bytes) -> bytes:
    """A client's answer for the fast path; empty for an empty password."""
    if not password:
        return b""
    digest = sha256(password).digest()
    return _xor(digest, sha256(sha256(digest).digest() + nonce).digest())


def caching_sha2_check(answer: bytes, nonce: bytes, password: bytes) -> bool:
    """Whether a fast-path answer was made from `password`."""
    return hmac.compare_digest(answer, caching_sha2_answer(password, nonce))


def caching_sha2_verify(password: bytes, stored: bytes) -> bool:
    """Whether `password` fits the stored string of an account. Takes milliseconds: keep it off the event loop."""
    prefix, _, rest = stored[len(_CACHING_PREFIX) :].partition(b"$")
    if not stored.startswith(_CACHING_PREFIX) or len(password) > MAX_PASSWORD:
        return False
    try:
        rounds = int(prefix, 16) * _ROUNDS_UNIT
    except ValueError:
        return False
    return hmac.compare_digest(sha256_crypt(password, rest[:_SALT_SIZE], rounds), rest[_SALT_SIZE:])


def sha256_verify(password: bytes, stored: bytes) -> bool:
    """The same for the stored string of sha256_password."""
    rest = stored[len(_SHA256_PREFIX) :]
    if not stored.startswith(_SHA256_PREFIX) or len(password) > MAX_PASSWORD:
        return False
    salt, expected = rest[:_SALT_SIZE], rest[_SALT_SIZE:]
    return hmac.compare_digest(b"$" + sha256_crypt(password, salt, _SHA256_ROUNDS), expected)
