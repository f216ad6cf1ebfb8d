"""The arithmetic of logins against published values, and against itself."""

from hashlib import sha1, sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire import auth
from proxy.wire.errors import MalformedPacket
from proxy.wire.rsakey import RsaKey, encrypt_password
from proxy.wire.shacrypt import sha256_crypt

# The test vectors of "Unix crypt using SHA-256 and SHA-512", as (password, salt, rounds, hash).
VECTORS = [
    (b"Hello world!", b"saltstring", 5000, b"5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
    (b"Hello world!", b"saltstringsaltst", 10000, b"3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA"),
    (b"This is just a test", b"toolongsaltstrin", 5000, b"Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5"),
    (
        b"we have a short salt string but not a short password",
        b"short",
        77777,
        b"JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/",
    ),
    (
        b"a very much longer text to encrypt.  This one even stretches over morethan one line.",
        b"anotherlongsalts",
        1400,
        b"Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1",
    ),
    (b"the minimum number is still observed", b"roundstoolow", 1000, b"yfvwcWrQ8l/K0DAWyuPMDNHpIVlTQebY9l/gL972bIC"),
]
KEY = RsaKey()
NONCE = bytes(range(1, 21))
passwords = st.binary(min_size=1, max_size=40)


@pytest.mark.parametrize(("password", "salt", "rounds", "expected"), VECTORS)
def test_sha256_crypt(password: bytes, salt: bytes, rounds: int, expected: bytes) -> None:
    assert sha256_crypt(password, salt, rounds) == expected


@settings(max_examples=20, deadline=None)
@given(passwords, st.binary(min_size=20, max_size=20))
def test_a_stored_hash_is_verified(password: bytes, salt: bytes) -> None:
    stored = b"$A$001$" + salt + sha256_crypt(password, salt, 1000)
    assert auth.caching_sha2_verify(password, stored)
    assert not auth.caching_sha2_verify(password + b"x", stored)
    assert not auth.caching_sha2_verify(password, stored[:-1])


def test_the_rounds_of_a_stored_hash_are_hexadecimal_thousands() -> None:
    stored = b"$A$00A$" + b"s" * 20 + sha256_crypt(b"pw", b"s" * 20, 10_000)
    assert auth.caching_sha2_verify(b"pw", stored)


def test_hashes_that_a_server_of_mysql_stored() -> None:
    caching = b"$A$00A$nE\x08dh/M7NR\x7fx\x1c%\x1aQpxd+5qk4OwnAvhWeS397cQNTDXIPp4Uo9Rb0EHBSAPnPVaD"
    assert auth.caching_sha2_verify(b"one", caching)
    assert not auth.caching_sha2_verify(b"two", caching)
    plain = b'$5$\x01&M.E\x1e{\x06\x08gb@)o,=F\x1a"\x1f$DPTWPq1L5sVzhWRAloBDj1rWFDDVYlf.zaOu7/SM5gB'
    assert auth.sha256_verify(b"secret", plain)
    assert not auth.sha256_verify(b"secre", plain)
    assert not auth.sha256_verify(b"secret", plain[:-1])
    assert not auth.sha256_verify(b"x" * (auth.MAX_PASSWORD + 1), plain)


def test_a_hash_that_a_server_of_mariadb_stored() -> None:
    stored = b"$A$005$m*4D}eg,~t?cGpUjCZv=4mFiBVjTQXFa8R5oRRFhZ/SNRa2KYQQ2GzFJOZ60pB1"
    assert auth.caching_sha2_verify(b"secret", stored)
    assert auth.native_verify(b"secret", bytes.fromhex("14E65567ABDB5135D0CFD9A70B3032C179A49EE7"))


@pytest.mark.parametrize("stored", [b"", b"$A$", b"$A$005", b"$A$xyz$abc", b"$5$005$abc", b"*" + b"A" * 40, b"$A$001$"])
def test_what_is_no_hash_fits_no_password(stored: bytes) -> None:
    assert not auth.caching_sha2_verify(b"pw", stored)
    assert not auth.sha256_verify(b"pw", stored)
    assert not auth.native_verify(b"pw", stored)


def test_a_password_that_no_server_accepts_is_not_hashed() -> None:
    password = b"x" * (auth.MAX_PASSWORD + 1)
    assert not auth.caching_sha2_verify(password, b"$A$001$" + b"s" * 20 + sha256_crypt(password, b"s" * 20, 1000))


@given(passwords, st.binary(min_size=20, max_size=20))
def test_native_password(password: bytes, nonce: bytes) -> None:
    stored = sha1(sha1(password).digest()).digest()
    answer = auth.native_answer(sha1(password).digest(), nonce)
    assert auth.native_check(answer, nonce, stored) == sha1(password).digest()
    assert auth.native_check(answer, nonce[:-1] + bytes((nonce[-1] ^ 1,)), stored) is None
    assert auth.native_check(answer, nonce, sha1(stored).digest()) is None


def test_a_native_answer_worked_out_by_hand() -> None:
    # SHA1("secret") XOR SHA1(nonce + SHA1(SHA1("secret"))), written out.
    first = sha1(b"secret").digest()
    second = sha1(NONCE + sha1(first).digest()).digest()
    assert auth.native_answer(first, NONCE) == bytes(a ^ b for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("answer", "stored"), [(b"", b"x" * 20), (b"x" * 19, b"x" * 20), (b"x" * 20, b""), (b"x" * 21, b"x" * 20)]
)
def test_native_answers_of_another_size_fit_nothing(answer: bytes, stored: bytes) -> None:
    assert auth.native_check(answer, NONCE, stored) is None


@given(passwords, st.binary(min_size=20, max_size=20))
def test_caching_sha2_fast_path(password: bytes, nonce: bytes) -> None:
    answer = auth.caching_sha2_answer(password, nonce)
    kept = sha256(sha256(password).digest()).digest()
    mask = sha256(kept + nonce).digest()
    assert bytes(a ^ b for a, b in zip(answer, mask, strict=True)) == sha256(password).digest()
    assert auth.caching_sha2_check(answer, nonce, password)
    assert not auth.caching_sha2_check(answer, nonce, password + b"x")
    assert not auth.caching_sha2_check(b"", nonce, password)
    assert auth.caching_sha2_answer(b"", nonce) == b""


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200).filter(lambda password: not password.endswith(b"\0")))
def test_passwords_travel_encrypted(password: bytes) -> None:
    encrypted = encrypt_password(password, NONCE, KEY.public_pem)
    assert password not in encrypted or len(password) < 3
    assert KEY.decrypt_password(encrypted, NONCE) == password


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=300))
def test_what_was_not_encrypted_for_the_key_is_no_password(data: bytes) -> None:
    assert KEY.decrypt_password(data, NONCE) is None


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100) | st.integers(1, 400).map(lambda size: KEY.public_pem[:size]))
def test_what_is_no_key_is_malformed(pem: bytes) -> None:
    with pytest.raises(MalformedPacket):
        encrypt_password(b"pw", NONCE, pem)


def _pem(key: rsa.RSAPublicKey | ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_keys_that_cannot_carry_the_password_are_malformed() -> None:
    with pytest.raises(MalformedPacket):
        encrypt_password(b"pw", NONCE, _pem(ed25519.Ed25519PrivateKey.generate().public_key()))
    with pytest.raises(MalformedPacket):
        encrypt_password(b"x" * 230, NONCE, KEY.public_pem)
