"""Passwords encrypted with the server's RSA key, as clients send them where there is no TLS."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from proxy.wire.errors import MalformedPacket

# Bytes of our key, and so of everything that is encrypted with it.
RSA_SIZE = 256

_OAEP = padding.OAEP(mgf=padding.MGF1(algorithm=hashes.SHA1()), algorithm=hashes.SHA1(), label=None)


class RsaKey:
    """The key pair with which clients without TLS send their password to us: that of `pem`, or a new one.

    Raises ValueError for a PEM that is not an unencrypted RSA key of RSA_SIZE.
    """

    def __init__(self, pem: bytes = b"") -> None:
        self._private = _private_key(pem) if pem else rsa.generate_private_key(65537, RSA_SIZE * 8)
        self.private_pem = self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.public_pem = self._private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def decrypt_password(self, encrypted: bytes, nonce: bytes) -> bytes | None:
        """The password in a client's full authentication packet; None for what was not encrypted for this key."""
        try:
            clear = self._private.decrypt(encrypted, _OAEP)
        except ValueError:
            return None
        return _xor_repeating(clear, nonce).removesuffix(b"\0")


def _private_key(pem: bytes) -> rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        raise ValueError("no private key in PEM without a password") from None
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size != RSA_SIZE * 8:
        raise ValueError(f"no RSA key of {RSA_SIZE * 8} bits")
    return key


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
