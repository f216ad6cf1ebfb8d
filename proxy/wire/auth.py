"""The arithmetic of the two authentication methods, for both ends of the dialogue.

mysql_native_password: the server keeps SHA1(SHA1(password)); the client sends SHA1(password) XOR SHA1(nonce + kept).
caching_sha2_password: the server keeps a salted hash of thousands of rounds, and a cache of SHA256(SHA256(password)) of
those who logged in before; for them the client's SHA256(password) XOR SHA256(cached + nonce) is enough, the others must
send the password itself, over TLS or encrypted with the server's RSA key.
"""

import hmac
from hashlib import sha1, sha256

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from proxy.wire.errors import MalformedPacket

SHA1_SIZE = 20
SHA256_SIZE = 32
# Servers read a stored hash as `$A$005$` + 20 bytes of salt + 43 characters; the number is in thousands of rounds, hex.
_SHA2_PREFIX = b"$A$"
_SHA2_SALT_SIZE = 20
_ROUNDS_UNIT = 1000
MAX_PASSWORD = 256
# Bytes of our RSA key, and so of everything that is encrypted with it.
RSA_SIZE = 256

_OAEP = padding.OAEP(mgf=padding.MGF1(algorithm=hashes.SHA1()), algorithm=hashes.SHA1(), label=None)


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
    prefix, _, rest = stored[len(_SHA2_PREFIX) :].partition(b"$")
    if not stored.startswith(_SHA2_PREFIX) or len(password) > MAX_PASSWORD:
        return False
    try:
        rounds = int(prefix, 16) * _ROUNDS_UNIT
    except ValueError:
        return False
    salt, expected = rest[:_SHA2_SALT_SIZE], rest[_SHA2_SALT_SIZE:]
    return hmac.compare_digest(sha256_crypt(password, salt, rounds), expected)


def sha256_crypt(password: bytes, salt: bytes, rounds: int) -> bytes:
    """The 43 characters of SHA-crypt with SHA-256, for a salt of any length.

    The algorithm is Ulrich Drepper's "Unix crypt using SHA-256 and SHA-512". MySQL feeds it a 20-byte salt where the
    original, and with it every library, cuts the salt to 16 bytes; so the steps are written out here.
    """
    digest = _crypt_start(password, salt)
    p_bytes = _stretch(sha256(password * len(password)).digest(), len(password))
    s_bytes = _stretch(sha256(salt * (16 + digest[0])).digest(), len(salt))
    for i in range(rounds):
        block = p_bytes if i & 1 else digest
        if i % 3:
            block += s_bytes
        if i % 7:
            block += p_bytes
        digest = sha256(block + (digest if i & 1 else p_bytes)).digest()
    return _crypt_base64(digest)


def _crypt_start(password: bytes, salt: bytes) -> bytes:
    alternate = sha256(password + salt + password).digest()
    start = password + salt + _stretch(alternate, len(password))
    length = len(password)
    while length:
        start += alternate if length & 1 else password
        length >>= 1
    return sha256(start).digest()


def _stretch(digest: bytes, length: int) -> bytes:
    return (digest * (length // len(digest) + 1))[:length]


_ALPHABET = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# The order in which the digest's bytes are taken, three for each four characters; the last two give three characters.
_TRIPLES = (
    (0, 10, 20), (21, 1, 11), (12, 22, 2), (3, 13, 23), (24, 4, 14),
    (15, 25, 5), (6, 16, 26), (27, 7, 17), (18, 28, 8), (9, 19, 29),
)  # fmt: skip


def _crypt_base64(digest: bytes) -> bytes:
    words = [(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in _TRIPLES]
    words.append((digest[31] << 8 | digest[30], 3))
    return bytes(_ALPHABET[word >> 6 * i & 0x3F] for word, count in words for i in range(count))


class RsaKey:
    """The key pair with which clients without TLS send their password to us."""

    def __init__(self) -> None:
        self._private = rsa.generate_private_key(public_exponent=65537, key_size=RSA_SIZE * 8)
        self.public_pem = self._private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def decrypt_password(self, encrypted: bytes, nonce: bytes) -> bytes:
        """The password in a client's full authentication packet. Raises MalformedPacket for anything else."""
        try:
            clear = self._private.decrypt(encrypted, _OAEP)
        except ValueError:
            raise MalformedPacket("the encrypted password does not fit the RSA key") from None
        return _xor_repeating(clear, nonce).removesuffix(b"\0")


def encrypt_password(password: bytes, nonce: bytes, public_pem: bytes) -> bytes:
    """A client's full authentication packet for a server's public key. Raises MalformedPacket for a bad key."""
    try:
        key = serialization.load_pem_public_key(public_pem)
    except (ValueError, UnsupportedAlgorithm):
        raise MalformedPacket("the server's public key is no PEM") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise MalformedPacket("the server's public key is no RSA key")
    try:
        return key.encrypt(_xor_repeating(password + b"\0", nonce), _OAEP)
    except ValueError:
        raise MalformedPacket("the server's public key is too small for the password") from None


def _xor_repeating(data: bytes, key: bytes) -> bytes:
    return _xor(data, _stretch(key, len(data)))
