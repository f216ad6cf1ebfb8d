"""The client's side of a login, towards servers. No I/O: it takes payloads, and answers with what to send next."""

from typing import Final

from proxy.wire import auth
from proxy.wire.constants import (
    AUTH_MORE_DATA,
    CACHING_SHA2,
    EOF_HEADER,
    ER_NOT_SUPPORTED_AUTH_MODE,
    ERR_HEADER,
    NATIVE_PASSWORD,
    OK_HEADER,
)
from proxy.wire.errors import MalformedPacket
from proxy.wire.handshake import parse_auth_switch
from proxy.wire.replies import Err, Ok, parse_err, parse_ok
from proxy.wire.secret import Secret

_REQUEST_PUBLIC_KEY: Final = b"\x02"
_FAST_AUTH_OK: Final = bytes((AUTH_MORE_DATA, 3))
_FULL_AUTH: Final = bytes((AUTH_MORE_DATA, 4))


class ClientLogin:
    """Logs the proxy in at a server with a secret that it holds. Feed every payload after the greeting to `answer`."""

    def __init__(self, secret: Secret, nonce: bytes, plugin: str) -> None:
        self._secret = secret
        self._nonce = nonce
        self.plugin = plugin if plugin in (NATIVE_PASSWORD, CACHING_SHA2) else NATIVE_PASSWORD

    def first_answer(self) -> bytes:
        """The authentication data of the handshake response."""
        return self._proof()

    def answer(self, payload: bytes) -> bytes | Ok | Err | None:
        """What to send next, the server's verdict (Ok or Err), or None to wait for one more packet."""
        first = payload[0] if payload else -1
        if first == OK_HEADER:
            return parse_ok(payload)
        if first == ERR_HEADER:
            return parse_err(payload)
        if first == EOF_HEADER:
            return self._switch(payload)
        if first == AUTH_MORE_DATA:
            return self._more(payload)
        raise MalformedPacket("a login packet is none of OK, ERR, switch or more data")

    def _switch(self, payload: bytes) -> bytes | Err:
        plugin, nonce = parse_auth_switch(payload)
        if plugin not in (NATIVE_PASSWORD, CACHING_SHA2):
            return Err(ER_NOT_SUPPORTED_AUTH_MODE, f"the proxy cannot use the account's method {plugin!r}", "08004")
        self.plugin, self._nonce = plugin, nonce
        return self._proof()

    def _more(self, payload: bytes) -> bytes | None:
        if payload == _FAST_AUTH_OK:
            return None
        if payload == _FULL_AUTH:
            return _REQUEST_PUBLIC_KEY
        return auth.encrypt_password(self._secret.password or b"", self._nonce, payload[1:])

    def _proof(self) -> bytes:
        if self._secret.password == b"":
            return b""
        if self.plugin == CACHING_SHA2:
            return auth.caching_sha2_answer(self._secret.password or b"", self._nonce)
        return auth.native_answer(self._secret.sha1 or b"", self._nonce) if self._secret.sha1 else b""
