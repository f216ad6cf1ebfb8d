"""What the proxy knows of a password."""

from dataclasses import dataclass, field
from hashlib import sha1


@dataclass(frozen=True, slots=True)
class Secret:
    """What is known of a password, enough to log in elsewhere with it.

    `password` is None for an account of mysql_native_password, of which only `sha1`, SHA1(password), can be learnt.
    """

    password: bytes | None = field(default=None, repr=False)
    sha1: bytes | None = field(default=None, repr=False)

    def double_sha1(self) -> bytes:
        """What a server stores for mysql_native_password."""
        return sha1(self.sha1 or b"").digest()


def secret_of(password: bytes) -> Secret:
    """The secret of a password that is known."""
    return Secret(password=password, sha1=sha1(password).digest())
