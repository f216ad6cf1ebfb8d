"""Passwords encrypted with the server's RSA key, as clients send them where there is no TLS."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from proxy.wire.errors import MalformedPacket

# Bytes of our key, and so of everything that is encrypted with it.
RSA_SIZE = 256

_OAEP = padding.OAEP(mgf=padding.MGF1(algorithm=hashes.SHA1()), algorithm=hashes.SHA1(), label=None)


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
    return bytes(byte ^ key[at % len(key)] for at, byte in enumerate(data))
