"""Fuzz targets for the two machines of a login, with keys and passwords that are always the same."""

from contextlib import suppress

from proxy.wire import constants as c
from proxy.wire.clientlogin import ClientLogin, Safety
from proxy.wire.dialogues import Accept, Deny, Send, Step, Surroundings, Verify
from proxy.wire.errors import MalformedPacket
from proxy.wire.methods import Method, Stored
from proxy.wire.replies import Err, Ok
from proxy.wire.rsakey import RsaKey
from proxy.wire.secret import Secret, secret_of
from proxy.wire.serverlogin import ServerLogin
from proxy.wire.shacrypt import sha256_crypt
from tests.fuzz.inputs import Input

NONCE = bytes(range(1, 21))
CHALLENGE = bytes(range(32))
KEY = RsaKey()
_SALT = b"s" * 20
PASSWORD = b"correct horse"
# The public keys of that password.
_ED25519 = b"K4CNw5azOemzehbUx6q4QhxlmF4w2lH3tAE3hgYdA/o"
_PARSEC = b"P0:c3Nzc3Nzc3Nzc3Nzc3Nzc3Nz:yq4CiIf3909A/U3gxR6JAo9qPqY3pleqcLLjBphQee8"
_TEXTS = {
    c.NATIVE_PASSWORD: secret_of(PASSWORD).double_sha1(),
    c.CACHING_SHA2: b"$A$001$" + _SALT + sha256_crypt(PASSWORD, _SALT, 1000),
    c.SHA256_PASSWORD: b"$5$" + _SALT + b"$" + sha256_crypt(PASSWORD, _SALT, 5000),
    c.ED25519: _ED25519,
    c.PARSEC: _PARSEC,
}
METHODS: list[tuple[Method, ...]] = [
    (Method(plugin, (Stored(text, secret),)),)
    for plugin, right in _TEXTS.items()
    for text, secret in ((right, None), (right, secret_of(PASSWORD)), (b"", None), (b"\0", None))
]
# An account can have several methods, and two passwords.
METHODS.append(tuple(methods[0] for methods in METHODS[::4]))
METHODS.append((Method(c.CACHING_SHA2, (Stored(_TEXTS[c.CACHING_SHA2], secret_of(PASSWORD)), Stored(b"$A$"))),))
SECRETS = [secret_of(PASSWORD), secret_of(b""), Secret(sha1=b"x" * 20), Secret()]
PLUGINS = [c.NATIVE_PASSWORD, c.CACHING_SHA2, c.SHA256_PASSWORD, c.CLIENT_ED25519, ""]


def server_login(data: bytes) -> None:
    """A client's packets, one after the other. Nobody is let in but with the password or where none is set."""
    source = Input(data)
    methods = METHODS[source.byte() % len(METHODS)]
    login = ServerLogin(Surroundings(NONCE, CHALLENGE, KEY, private=source.flag()))
    with suppress(MalformedPacket):
        change = source.flag()
        first = source.piece()
        step: Step = login.judge_change(len(first), methods) if change else login.judge(login.response(first), methods)
        for payload in source.pieces():
            if not isinstance(step, Send):
                break
            step = login.answer(payload)
        assert isinstance(step, Send | Verify | Deny | Accept | Err)
        if isinstance(step, Accept):
            assert not step.stored.text or step.secret.sha1 == secret_of(PASSWORD).sha1
        if isinstance(step, Deny):
            assert isinstance(login.judge_again(methods), Send | Deny | Verify | Err)


def client_login(data: bytes) -> None:
    """A server's packets, one after the other. The password is never sent where somebody can listen."""
    source = Input(data)
    secret, plugin = SECRETS[source.byte() % len(SECRETS)], PLUGINS[source.byte() % len(PLUGINS)]
    login = ClientLogin(secret, NONCE, plugin, CHALLENGE, Safety())
    assert isinstance(login.first_answer(), bytes)
    with suppress(MalformedPacket):
        for payload in source.pieces():
            answer = login.answer(payload)
            assert answer is None or isinstance(answer, bytes | Ok | Err)
            assert not isinstance(answer, bytes) or PASSWORD not in answer
