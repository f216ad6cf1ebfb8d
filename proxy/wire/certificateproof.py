"""How a server of MariaDB 11.4 or later proves that a certificate which nobody vouches for is its own.

The OK packet of a login in TLS has a hash of what the server keeps of the password, of the greeting's nonce and of the
certificate's fingerprint. Who stands in between with another certificate cannot make it, and the client compares.
Source: "Zero-configuration TLS" in MariaDB's documentation; the bytes are those of MariaDB 11.8.
"""

from hashlib import sha256
from typing import Final

from proxy.wire.primitives import lenenc_bytes

# What the text of the OK packet begins with.
_MARK: Final = b"\x01"


def certificate_proof(hashed: bytes, nonce: bytes, fingerprint: bytes) -> bytes:
    """The text of an OK packet, as it is written; empty where one of the parts is.

    `hashed` is SHA1(SHA1(password)) for mysql_native_password, the public key for client_ed25519, and for parsec what a
    client is told of the salt, with the public key behind it. `fingerprint` is SHA-256 of the certificate.
    """
    if not (hashed and fingerprint):
        return b""
    return lenenc_bytes(_MARK + sha256(hashed + nonce + fingerprint).hexdigest().upper().encode())
