"""The client's side of a login, towards servers. No I/O: it takes payloads, and answers with what to send next."""

from dataclasses import dataclass, replace
from typing import Final

from proxy.wire import auth
from proxy.wire.constants import (
    AUTH_MORE_DATA,
    AUTH_NEXT_FACTOR,
    CACHING_SHA2,
    CLEAR_PASSWORD,
    CLIENT_ED25519,
    DIALOG,
    EOF_HEADER,
    ER_NOT_SUPPORTED_AUTH_MODE,
    ERR_HEADER,
    NATIVE_PASSWORD,
    OK_HEADER,
    PARSEC,
    SHA256_PASSWORD,
)
from proxy.wire.errors import MalformedPacket
from proxy.wire.handshake import NONCE_SIZE, parse_auth_switch
from proxy.wire.replies import Err, Ok, parse_err, parse_whole_ok
from proxy.wire.rsakey import encrypt_password
from proxy.wire.secret import Secret
from proxy.wire.signatures import CHALLENGE_SIZE, ed25519_sign, parse_parsec_salt, parsec_sign

_FAST_AUTH_OK: Final = b"\x03"
_FULL_AUTH: Final = b"\x04"
_KEY_FOR_CACHING_SHA2: Final = b"\x02"
_KEY_FOR_SHA256: Final = b"\x01"
_HASHED: Final = frozenset({NATIVE_PASSWORD, CACHING_SHA2, SHA256_PASSWORD})
_IN_CLEAR: Final = frozenset({CLEAR_PASSWORD, DIALOG})
_SIGNED: Final = frozenset({CLIENT_ED25519, PARSEC})
_KNOWN: Final = _HASHED | _IN_CLEAR | _SIGNED


@dataclass(frozen=True, slots=True)
class Safety:
    """What may be sent to a server. `encrypted`: the connection is; `private`: at least nobody can listen to it."""

    encrypted: bool = False
    private: bool = False


class ClientLogin:
    """Logs the proxy in at a server with a secret that it holds. Feed every payload after the greeting to `answer`.

    `challenge` is 32 random bytes of our own, for parsec.
    """

    def __init__(self, secret: Secret, nonce: bytes, plugin: str, challenge: bytes, safety: Safety) -> None:
        self._secret = secret
        self._nonce = nonce
        self._challenge = challenge
        self._safety = safety
        self._skipped: Err | None = None
        self._asked = False
        # Anything else would be answered with a request to switch, which then comes for this one.
        self.plugin = plugin if plugin in _HASHED else NATIVE_PASSWORD

    def first_answer(self) -> bytes:
        """The authentication data of the handshake response."""
        return self._proof()

    def answer(self, payload: bytes) -> bytes | Ok | Err | None:
        """What to send next, the server's verdict (Ok or Err), or None to wait for one more packet."""
        first = payload[0] if payload else -1
        if first == OK_HEADER:
            ok, rest = parse_whole_ok(payload)
            return replace(ok, rest=rest)
        if first == ERR_HEADER:
            return self._refused(parse_err(payload))
        if first == EOF_HEADER:
            return self._switch(payload)
        if not self.plugin:
            return self._skipped
        if first == AUTH_MORE_DATA:
            return self._more(payload[1:])
        if self.plugin == DIALOG:
            return self._prompted()
        if first == AUTH_NEXT_FACTOR:
            return _cannot(payload[1:].partition(b"\0")[0], "is a further factor")
        raise MalformedPacket("a login packet is none of OK, ERR, switch or more data")

    def _refused(self, error: Err) -> Err:
        # A server with several methods for the account goes through them; one that was skipped may be the right one.
        return self._skipped or error

    def _switch(self, payload: bytes) -> bytes | Err | None:
        if len(payload) == 1:
            return _cannot(b"mysql_old_password", "is not known to the proxy")
        plugin, data = parse_auth_switch(payload)
        self.plugin, self._nonce = plugin, data[: CHALLENGE_SIZE if plugin in _SIGNED else NONCE_SIZE]
        if (obstacle := self._obstacle()) is not None:
            self.plugin, self._skipped = "", _cannot(plugin.encode(), obstacle)
            return b""
        if plugin == DIALOG:
            return self._prompted() if data else None
        return self._proof()

    def _obstacle(self) -> str | None:
        if self.plugin not in _KNOWN:
            return "is not known to the proxy"
        if self.plugin in _IN_CLEAR and not self._safety.private:
            return "takes the password in clear, for which the connection to the server must use TLS"
        if self.plugin != NATIVE_PASSWORD and self._secret.password is None:
            return "takes the password, of which the client's login told only a hash"
        return None

    def _more(self, data: bytes) -> bytes | None:
        password = self._secret.password or b""
        if self.plugin == PARSEC:
            return parsec_sign(password, parse_parsec_salt(data), self._nonce, self._challenge)
        if self.plugin not in (CACHING_SHA2, SHA256_PASSWORD):
            raise MalformedPacket(f"more data in the dialogue of {self.plugin}")
        if self.plugin == CACHING_SHA2 and data == _FAST_AUTH_OK:
            return None
        if self.plugin == CACHING_SHA2 and data == _FULL_AUTH:
            return password + b"\0" if self._safety.encrypted else _KEY_FOR_CACHING_SHA2
        return encrypt_password(password, self._nonce, data)

    def _prompted(self) -> bytes | Err:
        # The first question is for the password; of a second one (a code, say) the proxy knows nothing.
        if self._asked:
            return _cannot(DIALOG.encode(), "asks more than the password")
        self._asked = True
        return (self._secret.password or b"") + b"\0"

    def _proof(self) -> bytes:
        password = self._secret.password
        if self.plugin == NATIVE_PASSWORD:
            empty = password == b"" or self._secret.sha1 is None
            return b"" if empty else auth.native_answer(self._secret.sha1 or b"", self._nonce)
        if password is None:
            return b""
        if self.plugin == CACHING_SHA2:
            return auth.caching_sha2_answer(password, self._nonce)
        return self._other_proof(password)

    def _other_proof(self, password: bytes) -> bytes:
        if self.plugin == PARSEC:
            return b""
        if self.plugin == CLIENT_ED25519:
            return ed25519_sign(password, self._nonce)
        if self.plugin == SHA256_PASSWORD and password and not self._safety.encrypted:
            return _KEY_FOR_SHA256
        return password + b"\0"


def _cannot(plugin: bytes, obstacle: str) -> Err:
    name = plugin.decode("utf-8", "replace")
    message = f"The proxy cannot log in at the server: the account's authentication method '{name}' {obstacle}"
    return Err(ER_NOT_SUPPORTED_AUTH_MODE, message, "08004")
