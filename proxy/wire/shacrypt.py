"""SHA-crypt with SHA-256, the slow hash under which MySQL and MariaDB store passwords of the SHA-256 methods."""

from hashlib import sha256


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
