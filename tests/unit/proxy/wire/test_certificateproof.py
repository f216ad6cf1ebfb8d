"""The proof of a certificate, as MariaDB 11.8.9 sent it to a client that had seen these values."""

from hashlib import sha1

from proxy.wire.certificateproof import certificate_proof

NONCE = bytes.fromhex("46654c2b2f4d75275e27435b243d462832652832")
FINGERPRINT = bytes.fromhex("394a7b95803f661f78f253034278e87deea89186ebbeef605c738c28032e1661")
PROOF = b"F68A260F1B4C162939725A3249FD64AE4FBDD52ECE0CB3687960A7597E2AD2EC"


def test_the_bytes_are_the_servers() -> None:
    assert certificate_proof(sha1(sha1(b"pw").digest()).digest(), NONCE, FINGERPRINT) == b"A\x01" + PROOF


def test_without_a_password_or_a_certificate_there_is_none() -> None:
    assert certificate_proof(b"", NONCE, FINGERPRINT) == b""
    assert certificate_proof(b"x", NONCE, b"") == b""
