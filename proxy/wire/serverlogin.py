"""The server's side of a login, towards clients. No I/O, and no knowledge of an account table: it takes payloads, and
answers with what to do next.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from proxy.wire import auth
from proxy.wire.capabilities import REQUIRED
from proxy.wire.constants import AUTH_MORE_DATA, CLIENT_PLUGIN_AUTH, NATIVE_PASSWORD
from proxy.wire.errors import MalformedPacket
from proxy.wire.handshake import HandshakeResponse, auth_switch_payload, parse_response
from proxy.wire.secret import Secret, secret_of

_REQUEST_PUBLIC_KEY: Final = b"\x02"
_FAST_AUTH_OK: Final = bytes((AUTH_MORE_DATA, 3))
_FULL_AUTH: Final = bytes((AUTH_MORE_DATA, 4))


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an account is verified against: the method, the server's stored string, and the secret if it is known.

    `stored` is the 20 bytes of SHA1(SHA1(password)), or the whole `$A$...` string of caching_sha2_password, or empty
    for an empty password.
    """

    plugin: str
    stored: bytes = field(repr=False)
    secret: Secret | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """Send this payload and wait for the client's next packet."""

    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Accept:
    """The password was right. `last` is sent before the OK packet when it is not empty."""

    secret: Secret
    last: bytes = b""


@dataclass(frozen=True, slots=True)
class Verify:
    """Compare `password` with the account's stored string, which takes long enough to be done elsewhere."""

    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Deny:
    """The password was wrong. `used_password` is what the server's message reports as YES or NO."""

    used_password: bool


Step = Send | Accept | Verify | Deny


class _Await(Enum):
    RESPONSE = auto()
    SWITCHED_ANSWER = auto()
    FULL_AUTH = auto()
    ENCRYPTED = auto()
    OVER = auto()


class ServerLogin:
    """Logs one client in: `response` first, then `judge` with the account's credentials, then `answer` each packet.

    `private` says that nobody can listen to the connection. Some clients (mysql-connector-python, mariadb) send their
    password in clear when they cannot have TLS; that is taken on a private connection, and denied on any other.
    """

    def __init__(self, nonce: bytes, key: auth.RsaKey, *, private: bool = False) -> None:
        self.nonce = nonce
        self._key = key
        self._private = private
        self._await = _Await.RESPONSE
        self._credentials: Credentials | None = None
        self._last_answer = b""

    def response(self, payload: bytes) -> HandshakeResponse:
        """Read the client's handshake response."""
        response = parse_response(payload)
        if response.capabilities & REQUIRED != REQUIRED:
            raise MalformedPacket("the client does not speak protocol 4.1 with secure authentication")
        return response

    def judge(self, response: HandshakeResponse, credentials: Credentials) -> Step:
        """Begin to verify a client; it is asked to switch when it answered with another method than its account's."""
        self._credentials = credentials
        plugin = response.plugin if response.capabilities & CLIENT_PLUGIN_AUTH else NATIVE_PASSWORD
        if plugin == credentials.plugin:
            return self._judge_answer(response.auth)
        self._await = _Await.SWITCHED_ANSWER
        return Send(auth_switch_payload(credentials.plugin, self.nonce))

    def answer(self, payload: bytes) -> Step:
        """Take the client's next packet."""
        if self._await is _Await.SWITCHED_ANSWER:
            return self._judge_answer(payload)
        if self._await is _Await.FULL_AUTH and payload == _REQUEST_PUBLIC_KEY:
            self._await = _Await.ENCRYPTED
            return Send(bytes((AUTH_MORE_DATA,)) + self._key.public_pem)
        if self._await in (_Await.ENCRYPTED, _Await.FULL_AUTH):
            # A client that has the key from an earlier login sends the password without asking for the key.
            self._await = _Await.OVER
            return self._password(payload)
        raise MalformedPacket("a packet after the end of the login")

    def _password(self, payload: bytes) -> Step:
        if len(payload) == auth.RSA_SIZE:
            return Verify(self._key.decrypt_password(payload, self.nonce))
        if self._private and payload.endswith(b"\0"):
            return Verify(payload.removesuffix(b"\0"))
        return Deny(used_password=True)

    def judge_again(self, credentials: Credentials) -> Step:
        """Judge a denied answer against newer credentials of the same method."""
        if self._credentials is None or self._credentials.plugin != credentials.plugin:
            return Deny(used_password=bool(self._last_answer))
        self._credentials = credentials
        return self._judge_answer(self._last_answer)

    def _judge_answer(self, answer: bytes) -> Step:
        credentials = self._credentials
        assert credentials is not None
        self._last_answer = answer
        answer = answer.removesuffix(b"\0") if len(answer) == 1 else answer
        if not answer or not credentials.stored:
            return self._judge_empty(answer, credentials)
        if credentials.plugin == NATIVE_PASSWORD:
            return self._judge_native(answer, credentials)
        return self._judge_caching_sha2(answer, credentials)

    def _judge_empty(self, answer: bytes, credentials: Credentials) -> Step:
        self._await = _Await.OVER
        if answer or credentials.stored:
            return Deny(used_password=bool(answer))
        return Accept(secret_of(b""))

    def _judge_native(self, answer: bytes, credentials: Credentials) -> Step:
        self._await = _Await.OVER
        password_sha1 = auth.native_check(answer, self.nonce, credentials.stored)
        return Deny(used_password=True) if password_sha1 is None else Accept(Secret(sha1=password_sha1))

    def _judge_caching_sha2(self, answer: bytes, credentials: Credentials) -> Step:
        secret = credentials.secret
        if secret and secret.password and auth.caching_sha2_check(answer, self.nonce, secret.password):
            self._await = _Await.OVER
            return Accept(secret, last=_FAST_AUTH_OK)
        self._await = _Await.FULL_AUTH
        return Send(_FULL_AUTH)
