"""The server's side of each authentication method, towards one client: its packets in, steps out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Protocol

from proxy.wire import auth
from proxy.wire.constants import (
    AUTH_MORE_DATA,
    CACHING_SHA2,
    CLEAR_PASSWORD,
    CLIENT_ED25519,
    ED25519,
    NATIVE_PASSWORD,
    PARSEC,
    SHA256_PASSWORD,
)
from proxy.wire.errors import MalformedPacket
from proxy.wire.methods import Method, Stored
from proxy.wire.replies import Err
from proxy.wire.rsakey import RSA_SIZE, RsaKey
from proxy.wire.secret import Secret, secret_of
from proxy.wire.signatures import parsec_fits, signature_fits, stored_ed25519, stored_parsec

_FAST_AUTH_OK: Final = bytes((AUTH_MORE_DATA, 3))
_FULL_AUTH: Final = bytes((AUTH_MORE_DATA, 4))
# With these a client asks for the RSA key.
_KEY_FOR_CACHING_SHA2: Final = b"\x02"
_KEY_FOR_SHA256: Final = b"\x01"


@dataclass(frozen=True, slots=True)
class Send:
    """Send this payload and wait for the client's next packet."""

    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Accept:
    """The password was right, and is that of `stored`. `last` is sent before the OK packet when it is not empty.

    `hashed` is what the account keeps of the password, where the method lets the client compute the same.
    """

    secret: Secret
    stored: Stored
    last: bytes = b""
    hashed: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Verify:
    """Find which of the methods `password` fits, which takes long enough to be done elsewhere."""

    password: bytes = field(repr=False)
    methods: tuple[Method, ...]


@dataclass(frozen=True, slots=True)
class Deny:
    """The password was wrong. `used_password` is what the server's message reports as YES or NO.

    With `other_key` it cannot be told: it was encrypted with another RSA key. Servers call that wrong, too.
    """

    used_password: bool
    other_key: bool = False


# An Err is for a client with which the method cannot be used.
Step = Send | Accept | Verify | Deny | Err


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a dialogue needs beside the account.

    `nonce` is 20 bytes without a NUL, `challenge` 32 random bytes. `private` says that nobody can listen to the
    connection, so that a password may come as it is. `product` is what the server calls itself in its errors.
    """

    nonce: bytes
    challenge: bytes
    key: RsaKey
    private: bool
    product: str = "MySQL"


class Dialogue(Protocol):
    """One method's packets. `plugin` and `challenge` are what the client is asked to answer with and to."""

    plugin: str
    challenge: bytes

    def answer(self, payload: bytes) -> Step:
        """Take the client's next packet. Raises MalformedPacket for one that cannot be."""


class _Native:
    """mysql_native_password: one answer."""

    plugin = NATIVE_PASSWORD

    def __init__(self, method: Method, around: Surroundings) -> None:
        self.challenge = around.nonce + b"\0"
        self._method = method
        self._nonce = around.nonce

    def answer(self, payload: bytes) -> Step:
        answer = b"" if payload == b"\0" else payload
        for stored in self._method.stored:
            if not stored.text and not answer:
                return Accept(secret_of(b""), stored)
            if (password_sha1 := auth.native_check(answer, self._nonce, stored.text)) is not None:
                return Accept(Secret(sha1=password_sha1), stored, hashed=stored.text)
        return Deny(used_password=bool(answer))


class _Await(Enum):
    ANSWER = auto()
    FULL_AUTH = auto()
    ENCRYPTED = auto()
    OVER = auto()


class _CachingSha2:
    """caching_sha2_password: the fast path for passwords that are known, else the password itself.

    Clients are asked for the password of another method in the same way; `methods` are those that it may fit.
    """

    plugin = CACHING_SHA2

    def __init__(self, methods: Sequence[Method], around: Surroundings) -> None:
        self.challenge = around.nonce + b"\0"
        self._methods = tuple(methods)
        self._around = around
        self._await = _Await.ANSWER

    def answer(self, payload: bytes) -> Step:
        if self._await is _Await.ANSWER:
            return self._first(b"" if payload == b"\0" else payload)
        if self._await is _Await.FULL_AUTH and payload == _KEY_FOR_CACHING_SHA2:
            self._await = _Await.ENCRYPTED
            return _send_key(self._around)
        if self._await is _Await.OVER:
            raise MalformedPacket("a packet after the end of the login")
        # A client that has the key from an earlier login sends the password without asking for the key.
        self._await = _Await.OVER
        return _password(payload, self._methods, self._around)

    def _first(self, answer: bytes) -> Step:
        self._await = _Await.OVER
        if not answer:
            return Verify(b"", self._methods)
        stored = [stored for method in self._methods for stored in method.stored]
        for known in stored:
            password = known.secret.password if known.secret else None
            if password and auth.caching_sha2_check(answer, self._around.nonce, password):
                assert known.secret is not None
                return Accept(known.secret, known, last=_FAST_AUTH_OK)
        if not any(known.text for known in stored):
            return Deny(used_password=True)
        self._await = _Await.FULL_AUTH
        return Send(_FULL_AUTH)


class _Sha256:
    """sha256_password: always the password itself."""

    plugin = SHA256_PASSWORD

    def __init__(self, method: Method, around: Surroundings) -> None:
        self.challenge = around.nonce + b"\0"
        self._methods = (method,)
        self._around = around
        self._await = _Await.ANSWER

    def answer(self, payload: bytes) -> Step:
        if self._await is _Await.ANSWER and payload == _KEY_FOR_SHA256:
            self._await = _Await.ENCRYPTED
            return _send_key(self._around)
        if self._await is _Await.OVER:
            raise MalformedPacket("a packet after the end of the login")
        self._await = _Await.OVER
        if payload in (b"", b"\0"):
            return Verify(b"", self._methods)
        return _password(payload, self._methods, self._around)


class _Clear:
    """mysql_clear_password, which a client may offer by itself: the password, where nobody can listen."""

    plugin = CLEAR_PASSWORD

    def __init__(self, methods: Sequence[Method], around: Surroundings) -> None:
        self.challenge = b""
        self._methods = tuple(methods)
        self._around = around

    def answer(self, payload: bytes) -> Step:
        return _password(payload, self._methods, self._around)


class _Ed25519:
    """MariaDB's ed25519 for a password that is known: one signature."""

    plugin = CLIENT_ED25519

    def __init__(self, stored: Stored, secret: Secret, around: Surroundings) -> None:
        self.challenge = around.challenge
        self._stored = stored
        self._secret = secret

    def answer(self, payload: bytes) -> Step:
        public = stored_ed25519(self._stored.text)
        if signature_fits(payload, self.challenge, public):
            return Accept(self._secret, self._stored, hashed=public)
        return Deny(used_password=True)


class _Parsec:
    """MariaDB's parsec for a password that is known: the salt is asked for, then one signature."""

    plugin = PARSEC

    def __init__(self, stored: Stored, secret: Secret, around: Surroundings) -> None:
        self.challenge = around.challenge
        self._stored = stored
        self._secret = secret
        self._asked = False

    def answer(self, payload: bytes) -> Step:
        known = stored_parsec(self._stored.text)
        if known is None:
            return Deny(used_password=False)
        salt, public = known
        if not self._asked and not payload:
            self._asked = True
            return Send(bytes((AUTH_MORE_DATA,)) + salt.payload())
        if parsec_fits(payload, self.challenge, public):
            return Accept(self._secret, self._stored, hashed=salt.payload() + public)
        # Servers say NO whatever the client has sent: they look at its first packet, which is empty.
        return Deny(used_password=False)


def _send_key(around: Surroundings) -> Send:
    return Send(bytes((AUTH_MORE_DATA,)) + around.key.public_pem)


def _password(payload: bytes, methods: tuple[Method, ...], around: Surroundings) -> Step:
    if len(payload) == RSA_SIZE:
        password = around.key.decrypt_password(payload, around.nonce)
        return Deny(used_password=True, other_key=True) if password is None else Verify(password, methods)
    if around.private and payload.endswith(b"\0"):
        return Verify(payload.removesuffix(b"\0"), methods)
    return Deny(used_password=True)


def offered_by_client(plugin: str, methods: Sequence[Method], around: Surroundings) -> Dialogue | None:
    """A dialogue that the account has not, but that a client may begin with: it saves asking for the password."""
    return _Clear(methods, around) if plugin == CLEAR_PASSWORD and around.private else None


def dialogues(methods: Sequence[Method], around: Surroundings, *, signing: bool) -> list[Dialogue]:
    """The dialogues by which the account's methods can be proved, in the order in which they are tried.

    First those that take the least. A signature proves a password but does not tell it, and without it nobody can log
    in at a server: until it is known, the password is asked for as with caching_sha2_password, which most drivers have
    and which sends it over TLS or encrypted. Clients that are not `signing` are always asked in that way.
    """
    found: list[Dialogue] = []
    told: list[Method] = []
    for method in sorted(methods, key=lambda method: _ORDER.index(method.plugin)):
        if method.plugin == NATIVE_PASSWORD:
            found.append(_Native(method, around))
        elif method.plugin == SHA256_PASSWORD:
            found.append(_Sha256(method, around))
        elif method.plugin == CACHING_SHA2 or not signing or (signed := _signed(method, around)) is None:
            told.append(method)
        else:
            found.append(signed)
    if told:
        found.append(_CachingSha2(told, around))
    return found


_ORDER: Final = (NATIVE_PASSWORD, CACHING_SHA2, SHA256_PASSWORD, ED25519, PARSEC)


def _signed(method: Method, around: Surroundings) -> Dialogue | None:
    (stored,) = method.stored
    if stored.secret is None or stored.secret.password is None:
        return None
    kind = _Parsec if method.plugin == PARSEC else _Ed25519
    return kind(stored, stored.secret, around)
