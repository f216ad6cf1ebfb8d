"""Fuzz targets for the two machines of a login, with keys and passwords that are always the same."""

from contextlib import suppress
from itertools import product

from proxy.wire import constants as c
from proxy.wire.auth import RsaKey, sha256_crypt
from proxy.wire.clientlogin import ClientLogin
from proxy.wire.errors import MalformedPacket
from proxy.wire.replies import Err, Ok
from proxy.wire.secret import Secret, secret_of
from proxy.wire.serverlogin import Accept, Credentials, Deny, Send, ServerLogin, Verify
from tests.fuzz.inputs import Input

NONCE = bytes(range(1, 21))
KEY = RsaKey()
_SALT = b"s" * 20
PASSWORD = b"pw"
_STORED_SHA2 = b"$A$001$" + _SALT + sha256_crypt(PASSWORD, _SALT, 1000)
_NATIVE = [Credentials(c.NATIVE_PASSWORD, stored) for stored in (secret_of(PASSWORD).double_sha1(), b"", b"\0")]
_CACHING = [
    Credentials(c.CACHING_SHA2, stored, secret)
    for stored, secret in product((_STORED_SHA2, b"", b"\0"), (None, secret_of(PASSWORD)))
]
CREDENTIALS = [*_NATIVE, *_CACHING]
SECRETS = [secret_of(PASSWORD), secret_of(b""), Secret(sha1=b"x" * 20), Secret()]
PLUGINS = [c.NATIVE_PASSWORD, c.CACHING_SHA2, "client_ed25519", ""]


def server_login(data: bytes) -> None:
    """A client's packets, one after the other. Nobody is let in but with the password or where none is set."""
    source = Input(data)
    credentials = CREDENTIALS[source.byte() % len(CREDENTIALS)]
    login = ServerLogin(NONCE, KEY, private=source.flag())
    with suppress(MalformedPacket):
        step = login.judge(login.response(source.piece()), credentials)
        for payload in source.pieces():
            if not isinstance(step, Send):
                break
            step = login.answer(payload)
        assert isinstance(step, Send | Verify | Deny | Accept)
        if isinstance(step, Accept):
            assert not credentials.stored or step.secret.sha1 == secret_of(PASSWORD).sha1
        if isinstance(step, Deny):
            assert isinstance(login.judge_again(credentials), Send | Deny)


def client_login(data: bytes) -> None:
    """A server's packets, one after the other."""
    source = Input(data)
    secret, plugin = SECRETS[source.byte() % len(SECRETS)], PLUGINS[source.byte() % len(PLUGINS)]
    login = ClientLogin(secret, NONCE, plugin)
    assert isinstance(login.first_answer(), bytes)
    with suppress(MalformedPacket):
        for payload in source.pieces():
            answer = login.answer(payload)
            assert answer is None or isinstance(answer, bytes | Ok | Err)
            assert not isinstance(answer, bytes) or PASSWORD not in answer or len(answer) > 100
