"""MariaDB's signatures against what a server of MariaDB 11.8 and its client were seen to store and to send."""

from hashlib import sha512

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire import signatures as s
from proxy.wire.errors import MalformedPacket

PASSWORD = b"secret"
ED25519 = b"ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY"
ED25519_OF_NOTHING = b"4LH+dBF+G5W2CKTyId8xR3SyDqZoQjUNUVNxx8aWbG4"
CHALLENGE = bytes.fromhex("903f871dc40b5415ada4e8e8a6b1f7c48b5cdb660c3d2c1e31f954fe7b349a26")
SIGNATURE = bytes.fromhex(
    "22ec1e0ac7719d6f75fe3973cf835fd4d46d315a0722bee16e448e76a53f2e70"
    "f004f89d6db1acdb8adf3bca62e0c8212ffabd5ea6e70b65c630d080f24ccd07"
)
PARSEC = b"P0:Pm9zfvxLbMu1jKjSCbZsm3su:ij4UKBT7YXqptEY20UIhqnh9JBm01fIq+uaud12W27o"
SALT = bytes.fromhex("50003e6f737efc4b6ccbb58ca8d209b66c9b7b2e")
PARSEC_CHALLENGE = bytes.fromhex("ff8a42edcb50e21e102f4f9f41d26174200c557ccc280e87ef9aae03c56cb5d6")
PARSEC_ANSWER = bytes.fromhex(
    "9aaf47a08fa1090f9d91ff07384bed372b91f62077671b29e2744f36a074b979"
    "7eadb89aa3b1a120d6bf65cfa2418ad612e4ad2bd155bb8e4218fe8442f2b839"
    "f85422345ba8de5fbc1895e9a1d8494833122433d46b8b04140d0872ea84f402"
)


def test_ed25519_as_recorded() -> None:
    assert s.ed25519_sign(PASSWORD, CHALLENGE) == SIGNATURE
    assert s.signature_fits(SIGNATURE, CHALLENGE, s.stored_ed25519(ED25519))
    assert s.ed25519_verify(PASSWORD, ED25519)
    assert s.ed25519_verify(b"", ED25519_OF_NOTHING)
    assert not s.ed25519_verify(b"", ED25519)
    assert not s.ed25519_verify(b"Secret", ED25519)


def test_parsec_as_recorded() -> None:
    known = s.stored_parsec(PARSEC)
    assert known is not None
    salt, public = known
    assert salt.payload() == SALT
    assert s.parse_parsec_salt(SALT) == salt
    assert s.parsec_fits(PARSEC_ANSWER, PARSEC_CHALLENGE, public)
    assert s.parsec_sign(PASSWORD, salt, PARSEC_CHALLENGE, PARSEC_ANSWER[:32]) == PARSEC_ANSWER
    assert s.parsec_verify(PASSWORD, PARSEC)
    assert not s.parsec_verify(b"Secret", PARSEC)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=80), st.binary(min_size=32, max_size=32))
def test_passwords_of_any_length_sign(password: bytes, challenge: bytes) -> None:
    signature, public = s.ed25519_sign(password, challenge), s.ed25519_public(password)
    assert s.signature_fits(signature, challenge, public)
    assert not s.signature_fits(signature, challenge[::-1] + b"x", public)
    assert not s.signature_fits(signature, challenge, s.ed25519_public(password + b"x"))


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=40))
def test_a_password_of_32_bytes_is_a_seed_of_the_standard(password: bytes, challenge: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(password)
    assert s.ed25519_public(password) == key.public_key().public_bytes_raw()
    assert s.ed25519_sign(password, challenge) == key.sign(challenge)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_keys_and_signatures_of_another_size_fit_nobody(size: int) -> None:
    junk = sha512(b"x").digest()[:size]
    assert not s.signature_fits(SIGNATURE, CHALLENGE, junk)
    assert not s.signature_fits(junk, CHALLENGE, s.stored_ed25519(ED25519))
    assert not s.parsec_fits(junk, PARSEC_CHALLENGE, s.stored_ed25519(ED25519))


@pytest.mark.parametrize(
    "text", [b"", b"x", b"*" + b"A" * 40, ED25519[:-1], ED25519 + b"AAAA", b"\xff" * 43, b"=" * 43, b"invalid"]
)
def test_what_is_no_stored_key_fits_nobody(text: bytes) -> None:
    assert not s.ed25519_verify(b"", text)
    assert not s.parsec_verify(b"", text)
    assert s.stored_parsec(text) is None


@pytest.mark.parametrize(
    "text",
    [
        PARSEC.replace(b"P0", b"Q0"),
        PARSEC.replace(b"P0", b"P4"),
        PARSEC.replace(b"P0", b"P"),
        PARSEC.replace(b"P0", b"P00"),
        PARSEC + b":",
        PARSEC[:-2],
        PARSEC.replace(b"Pm9", b""),
        PARSEC.replace(b"P0:", b"P0"),
    ],
)
def test_what_parsec_does_not_store_fits_nobody(text: bytes) -> None:
    assert s.stored_parsec(text) is None
    assert not s.parsec_verify(PASSWORD, text)


@pytest.mark.parametrize("payload", [b"", b"P", SALT[:-1], SALT + b"x", b"Q" + SALT[1:], b"P\x04" + SALT[2:]])
def test_a_salt_of_another_form_is_malformed(payload: bytes) -> None:
    with pytest.raises(MalformedPacket):
        s.parse_parsec_salt(payload)


@pytest.mark.parametrize("doublings", range(4))
def test_rounds(doublings: int) -> None:
    salt = s.ParsecSalt(doublings, SALT[2:])
    answer = s.parsec_sign(PASSWORD, salt, CHALLENGE, PARSEC_CHALLENGE)
    assert s.parsec_fits(answer, CHALLENGE, salt.key(PASSWORD).public_key().public_bytes_raw())
    assert not s.parsec_fits(answer, PARSEC_CHALLENGE, salt.key(PASSWORD).public_key().public_bytes_raw())
