"""Both sides of a login played against each other, for every method and every way through it."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire import constants as c
from proxy.wire.auth import RsaKey, caching_sha2_verify, sha256_crypt
from proxy.wire.capabilities import REQUIRED
from proxy.wire.clientlogin import ClientLogin
from proxy.wire.errors import MalformedPacket
from proxy.wire.handshake import HandshakeResponse, response_payload
from proxy.wire.replies import Err, Ok, err_payload, ok_payload
from proxy.wire.secret import Secret, secret_of
from proxy.wire.serverlogin import Accept, Credentials, Deny, Send, ServerLogin, Step, Verify

KEY = RsaKey()
NONCE = bytes(range(1, 21))
SALT = b"s" * 20
FLAGS = REQUIRED | c.CLIENT_PLUGIN_AUTH
METHODS = [c.NATIVE_PASSWORD, c.CACHING_SHA2]


def stored(plugin: str, password: bytes) -> bytes:
    if not password:
        return b""
    if plugin == c.NATIVE_PASSWORD:
        return secret_of(password).double_sha1()
    return b"$A$001$" + SALT + sha256_crypt(password, SALT, 1000)


@dataclass
class Outcome:
    step: Step
    steps: list[str]
    client: ClientLogin
    server: ServerLogin


def respond(login: ServerLogin, client: ClientLogin, flags: int = FLAGS) -> HandshakeResponse:
    response = HandshakeResponse(flags, 1, 45, "u", client.first_answer(), plugin=client.plugin)
    return login.response(response_payload(response))


def play(credentials: Credentials, secret: Secret, first: str) -> Outcome:
    """Let a client that begins with the method `first` log in; returns how the server's side ended."""
    server, client = ServerLogin(NONCE, KEY), ClientLogin(secret, NONCE, first)
    step, steps = server.judge(respond(server, client), credentials), list[str]()
    while isinstance(step, Send):
        steps.append({0xFE: "switch", 1: "more"}[step.payload[0]])
        answer = client.answer(step.payload)
        assert isinstance(answer, bytes)
        step = server.answer(answer)
    if isinstance(step, Verify):
        steps.append("verify")
        right = caching_sha2_verify(step.password, credentials.stored)
        step = Accept(secret_of(step.password)) if right else Deny(used_password=True)
    if isinstance(step, Accept):
        assert client.answer(step.last) is None if step.last else True
        assert client.answer(ok_payload(Ok(status=2))) == Ok(status=2)
    return Outcome(step, steps, client, server)


@pytest.mark.parametrize("first", METHODS)
@pytest.mark.parametrize("plugin", METHODS)
@pytest.mark.parametrize("password", [b"", b"x", b"secret", "pässwörd".encode(), b"y" * 200])
def test_the_right_password_is_accepted_and_learnt(plugin: str, first: str, password: bytes) -> None:
    outcome = play(Credentials(plugin, stored(plugin, password)), secret_of(password), first)
    assert isinstance(outcome.step, Accept)
    learnt = outcome.step.secret
    assert learnt.sha1 == secret_of(password).sha1
    assert learnt.password == (None if plugin == c.NATIVE_PASSWORD and password else password)
    # What was learnt is enough to log in again, as the proxy does at its servers.
    assert isinstance(play(Credentials(plugin, stored(plugin, password)), learnt, plugin).step, Accept)
    assert ("switch" in outcome.steps) is (plugin != first)


@pytest.mark.parametrize("first", METHODS)
@pytest.mark.parametrize("plugin", METHODS)
@pytest.mark.parametrize(
    ("password", "tried"), [(b"secret", b"wrong"), (b"secret", b""), (b"", b"wrong"), (b"a", b"a\0b")]
)
def test_a_wrong_password_is_denied(plugin: str, first: str, password: bytes, tried: bytes) -> None:
    step = play(Credentials(plugin, stored(plugin, password)), secret_of(tried), first).step
    assert step == Deny(used_password=bool(tried))


def test_a_known_password_takes_the_fast_path() -> None:
    credentials = Credentials(c.CACHING_SHA2, stored(c.CACHING_SHA2, b"secret"), secret_of(b"secret"))
    fast = play(credentials, secret_of(b"secret"), c.CACHING_SHA2)
    assert isinstance(fast.step, Accept)
    assert (fast.steps, fast.step.last) == ([], b"\1\3")
    switched = play(credentials, secret_of(b"secret"), c.NATIVE_PASSWORD)
    assert (type(switched.step), switched.steps) == (Accept, ["switch"])
    assert play(credentials, secret_of(b"wrong"), c.CACHING_SHA2).steps == ["more", "more", "verify"]


def test_a_password_that_changed_is_verified_in_full() -> None:
    credentials = Credentials(c.CACHING_SHA2, stored(c.CACHING_SHA2, b"new"), secret_of(b"old"))
    outcome = play(credentials, secret_of(b"new"), c.CACHING_SHA2)
    assert (type(outcome.step), outcome.steps) == (Accept, ["more", "more", "verify"])


def test_a_client_that_has_the_key_already_need_not_ask_for_it() -> None:
    server, client = ServerLogin(NONCE, KEY), ClientLogin(secret_of(b"pw"), NONCE, c.CACHING_SHA2)
    step = server.judge(respond(server, client), Credentials(c.CACHING_SHA2, stored(c.CACHING_SHA2, b"pw")))
    assert step == Send(b"\1\4")
    encrypted = client.answer(b"\1" + KEY.public_pem)
    assert isinstance(encrypted, bytes)
    assert server.answer(encrypted) == Verify(b"pw")


def test_a_client_without_plugins_is_one_of_native_password() -> None:
    server, client = ServerLogin(NONCE, KEY), ClientLogin(secret_of(b"pw"), NONCE, c.NATIVE_PASSWORD)
    response = respond(server, client, REQUIRED)
    assert isinstance(server.judge(response, Credentials(c.NATIVE_PASSWORD, stored(c.NATIVE_PASSWORD, b"pw"))), Accept)


@pytest.mark.parametrize("missing", [c.CLIENT_PROTOCOL_41, c.CLIENT_SECURE_CONNECTION])
def test_old_clients_are_refused(missing: int) -> None:
    with pytest.raises(MalformedPacket, match=r"4\.1"):
        respond(ServerLogin(NONCE, KEY), ClientLogin(secret_of(b""), NONCE, c.NATIVE_PASSWORD), FLAGS & ~missing)


def test_a_packet_after_the_end_is_malformed() -> None:
    for password in (b"pw", b"wrong", b""):
        outcome = play(
            Credentials(c.NATIVE_PASSWORD, stored(c.NATIVE_PASSWORD, b"pw")), secret_of(password), c.NATIVE_PASSWORD
        )
        with pytest.raises(MalformedPacket):
            outcome.server.answer(b"more")


def test_newer_credentials_get_a_second_look() -> None:
    old, new = (Credentials(c.NATIVE_PASSWORD, stored(c.NATIVE_PASSWORD, password)) for password in (b"old", b"new"))
    for first in METHODS:
        denied = play(old, secret_of(b"new"), first)
        assert isinstance(denied.step, Deny)
        assert isinstance(denied.server.judge_again(new), Accept)
        assert denied.server.judge_again(old) == Deny(used_password=True)
        assert denied.server.judge_again(Credentials(c.CACHING_SHA2, b"$A$")) == Deny(used_password=True)


def test_stored_hashes_that_nobody_has_deny() -> None:
    for password in (b"", b"pw"):
        assert isinstance(
            play(Credentials(c.NATIVE_PASSWORD, b"\0"), secret_of(password), c.NATIVE_PASSWORD).step, Deny
        )
        assert isinstance(play(Credentials(c.CACHING_SHA2, b"\0"), secret_of(password), c.CACHING_SHA2).step, Deny)


def test_secrets_are_never_shown() -> None:
    secret = secret_of(b"hunter2")
    accept = Accept(secret, last=b"")
    credentials = Credentials(c.CACHING_SHA2, b"$A$hunter2", secret)
    for value in (secret, accept, credentials, Verify(b"hunter2"), Send(b"hunter2")):
        assert "hunter2" not in repr(value)


# --- the client's side alone ------------------------------------------------------------------------------------------


def client(secret: Secret | None = None, plugin: str = c.CACHING_SHA2) -> ClientLogin:
    return ClientLogin(secret or secret_of(b"pw"), NONCE, plugin)


def test_the_servers_verdict() -> None:
    assert client().answer(err_payload(Err(1045, "no", "28000"))) == Err(1045, "no", "28000")
    assert client().answer(ok_payload(Ok(status=3))) == Ok(status=3)
    assert client().answer(b"\1\3") is None
    assert client().answer(b"\1\4") == b"\2"


def test_a_method_that_is_not_known_is_an_error_with_its_name() -> None:
    answer = client().answer(b"\xfeclient_ed25519\0" + NONCE + b"\0")
    assert isinstance(answer, Err)
    assert "client_ed25519" in answer.message
    assert client(plugin="client_ed25519").plugin == c.NATIVE_PASSWORD


def test_a_switch_uses_its_own_nonce() -> None:
    other = bytes(range(40, 60))
    login = client(plugin=c.NATIVE_PASSWORD)
    answer = login.answer(b"\xfe" + c.NATIVE_PASSWORD.encode() + b"\0" + other + b"\0")
    assert answer == ClientLogin(secret_of(b"pw"), other, c.NATIVE_PASSWORD).first_answer()
    assert answer != client(plugin=c.NATIVE_PASSWORD).first_answer()


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=60),
    st.sampled_from([b"", b"\0", b"\1", b"\xfe", b"\xff", b"\1\4", b"\xfemysql_native_password\0"]),
)
def test_any_payload_is_an_answer_or_malformed(data: bytes, begin: bytes) -> None:
    for plugin in METHODS:
        for secret in (secret_of(b"pw"), secret_of(b""), Secret(sha1=b"x" * 20), Secret()):
            try:
                answer = client(secret, plugin).answer(begin + data)
            except MalformedPacket:
                continue
            assert answer is None or isinstance(answer, bytes | Ok | Err)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=4), st.sampled_from(METHODS), st.sampled_from(METHODS), st.booleans())
def test_any_packets_of_a_client_are_judged_or_malformed(
    packets: list[bytes], first: str, plugin: str, known: bool
) -> None:
    server = ServerLogin(NONCE, KEY)
    credentials = Credentials(plugin, stored(plugin, b"pw"), secret_of(b"pw") if known else None)
    try:
        response = HandshakeResponse(FLAGS, 1, 45, "u", packets[0][:250] if packets else b"", plugin=first)
        step = server.judge(server.response(response_payload(response)), credentials)
        for packet in packets[1:]:
            assert not isinstance(step, Accept)
            step = server.answer(packet)
    except MalformedPacket:
        return
    assert isinstance(step, Send | Deny | Verify)


@pytest.mark.parametrize(
    ("private", "sent", "step"),
    [
        (True, b"pw\0", Verify(b"pw")),
        (False, b"pw\0", Deny(used_password=True)),
        (True, b"pw", Deny(used_password=True)),
    ],
)
def test_a_password_in_clear_is_taken_only_where_nobody_listens(private: bool, sent: bytes, step: Step) -> None:
    server = ServerLogin(NONCE, KEY, private=private)
    response = HandshakeResponse(FLAGS, 1, 45, "u", b"x" * 32, plugin=c.CACHING_SHA2)
    credentials = Credentials(c.CACHING_SHA2, stored(c.CACHING_SHA2, b"pw"), None)
    assert isinstance(server.judge(server.response(response_payload(response)), credentials), Send)
    assert server.answer(sent) == step
