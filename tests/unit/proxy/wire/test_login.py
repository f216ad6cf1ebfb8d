"""Both sides of a login played against each other, for every method and every way through it."""

import base64
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire import constants as c
from proxy.wire.capabilities import REQUIRED
from proxy.wire.clientlogin import ClientLogin, Safety
from proxy.wire.dialogues import Accept, Deny, Send, Step, Surroundings, Verify
from proxy.wire.errors import MalformedPacket
from proxy.wire.handshake import HandshakeResponse, response_payload
from proxy.wire.methods import Method, Stored, fitting
from proxy.wire.replies import Err, Ok, err_payload, ok_payload
from proxy.wire.rsakey import RsaKey
from proxy.wire.secret import Secret, secret_of
from proxy.wire.serverlogin import ServerLogin
from proxy.wire.shacrypt import sha256_crypt
from proxy.wire.signatures import ParsecSalt, ed25519_public

KEY = RsaKey()
NONCE = bytes(range(1, 21))
CHALLENGE = bytes(range(32))
OWN_CHALLENGE = bytes(range(100, 132))
SALT = b"s" * 20
PARSEC_SALT = ParsecSalt(0, b"s" * 18)
FLAGS = REQUIRED | c.CLIENT_PLUGIN_AUTH
# Only clients that are not MariaDB's set this one.
OTHERS = FLAGS | c.CLIENT_LONG_PASSWORD
METHODS = [c.NATIVE_PASSWORD, c.CACHING_SHA2, c.SHA256_PASSWORD, c.ED25519, c.PARSEC]
HASHED = METHODS[:3]
SIGNED = METHODS[3:]
OF_MARIADB = [c.NATIVE_PASSWORD, c.CACHING_SHA2, *SIGNED]
PRIVATE = Safety(private=True)
ENCRYPTED = Safety(encrypted=True, private=True)
OPEN = Safety()
# As servers name them to clients.
CLIENT_NAMES = {c.ED25519: c.CLIENT_ED25519}


def base64_of(value: bytes) -> bytes:
    return base64.b64encode(value).rstrip(b"=")


def text_of(plugin: str, password: bytes) -> bytes:
    """What a server stores."""
    if plugin == c.ED25519:
        return base64_of(ed25519_public(password))
    if plugin == c.PARSEC:
        public = PARSEC_SALT.key(password).public_key().public_bytes_raw()
        return b"P0:" + base64_of(PARSEC_SALT.salt) + b":" + base64_of(public)
    if not password:
        return b""
    if plugin == c.NATIVE_PASSWORD:
        return secret_of(password).double_sha1()
    if plugin == c.SHA256_PASSWORD:
        return b"$5$" + SALT + b"$" + sha256_crypt(password, SALT, 5000)
    return b"$A$001$" + SALT + sha256_crypt(password, SALT, 1000)


def method(plugin: str, password: bytes, secret: Secret | None = None) -> Method:
    return Method(plugin, (Stored(text_of(plugin, password), secret),))


def server_login(private: bool = False) -> ServerLogin:
    return ServerLogin(Surroundings(NONCE, CHALLENGE, KEY, private))


def client_login(secret: Secret, plugin: str = c.CACHING_SHA2, safety: Safety = OPEN) -> ClientLogin:
    return ClientLogin(secret, NONCE, plugin, OWN_CHALLENGE, safety)


@dataclass
class Outcome:
    step: Step
    steps: list[str]
    server: ServerLogin
    client: ClientLogin


def respond(server: ServerLogin, client: ClientLogin, flags: int = FLAGS) -> HandshakeResponse:
    response = HandshakeResponse(flags, 1, 45, "u", client.first_answer(), plugin=client.plugin)
    return server.response(response_payload(response))


def judged(server: ServerLogin, response: HandshakeResponse, account: Method) -> Step:
    return server.judge(server.response(response_payload(response)), [account])


def converse(server: ServerLogin, client: ClientLogin, step: Step) -> tuple[Step, list[str]]:
    steps = []
    while True:
        if isinstance(step, Send):
            plugin = step.payload[1:].partition(b"\0")[0].decode() if step.payload[0] == c.EOF_HEADER else "more"
            steps.append(plugin)
            answer = client.answer(step.payload)
            assert isinstance(answer, bytes)
            step = server.answer(answer)
        elif isinstance(step, Verify):
            steps.append("verify")
            step = server.verified(fitting(step.password, step.methods))
        else:
            return step, steps


def play(
    *methods: Method, knows: Secret, first: str = c.CACHING_SHA2, safety: Safety = OPEN, flags: int = FLAGS
) -> Outcome:
    """Let a client that begins with the method `first` log in."""
    server, client = server_login(safety.private), client_login(knows, first, safety)
    step, steps = converse(server, client, server.judge(respond(server, client, flags), methods))
    if isinstance(step, Accept):
        assert client.answer(step.last) is None if step.last else True
        assert client.answer(ok_payload(Ok(status=2))) == Ok(status=2)
    return Outcome(step, steps, server, client)


# --- every method, to and fro -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("safety", [OPEN, PRIVATE, ENCRYPTED], ids=["open", "private", "encrypted"])
@pytest.mark.parametrize("first", HASHED)
@pytest.mark.parametrize("plugin", METHODS)
@pytest.mark.parametrize("password", [b"", b"x", b"secret", "pässwörd".encode(), b"y" * 200])
def test_the_right_password_is_accepted_and_learnt(plugin: str, first: str, password: bytes, safety: Safety) -> None:
    outcome = play(method(plugin, password), knows=secret_of(password), first=first, safety=safety)
    assert isinstance(outcome.step, Accept)
    learnt = outcome.step.secret
    assert learnt.sha1 == secret_of(password).sha1
    assert learnt.password == (None if plugin == c.NATIVE_PASSWORD and password else password)
    assert outcome.step.stored.text == text_of(plugin, password)
    # What was learnt is enough to log in again, as the proxy does at its servers.
    again = play(method(plugin, password, learnt), knows=learnt, first=first, safety=safety)
    assert isinstance(again.step, Accept)
    assert again.step.secret == learnt


@pytest.mark.parametrize("first", HASHED)
@pytest.mark.parametrize("plugin", METHODS)
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    ("password", "tried"), [(b"secret", b"wrong"), (b"secret", b""), (b"", b"wrong"), (b"a", b"a\0b")]
)
def test_a_wrong_password_is_denied(plugin: str, first: str, known: bool, password: bytes, tried: bytes) -> None:
    account = method(plugin, password, secret_of(password) if known else None)
    step = play(account, knows=secret_of(tried), first=first).step
    assert isinstance(step, Deny)
    if plugin in HASHED:
        assert step.used_password is bool(tried)


def test_the_way_of_each_method() -> None:
    known = secret_of(b"pw")
    ways = {
        (plugin, account.stored[0].secret is not None): play(account, knows=known, first=c.NATIVE_PASSWORD).steps
        for plugin in METHODS
        for account in (method(plugin, b"pw"), method(plugin, b"pw", known))
    }
    # Without the password, the methods that do not tell it are proved as caching_sha2_password is.
    full = [c.CACHING_SHA2, "more", "more", "verify"]
    sha256 = [c.SHA256_PASSWORD, "more", "verify"]
    assert ways == {
        (c.NATIVE_PASSWORD, False): [],
        (c.NATIVE_PASSWORD, True): [],
        (c.CACHING_SHA2, False): full,
        (c.CACHING_SHA2, True): [c.CACHING_SHA2],
        (c.SHA256_PASSWORD, False): sha256,
        (c.SHA256_PASSWORD, True): sha256,
        (c.ED25519, False): full,
        (c.ED25519, True): [c.CLIENT_ED25519],
        (c.PARSEC, False): full,
        (c.PARSEC, True): [c.PARSEC, "more"],
    }


@pytest.mark.parametrize("plugin", [c.CACHING_SHA2, c.SHA256_PASSWORD, c.ED25519, c.PARSEC])
def test_the_password_itself_is_sent_only_over_tls(plugin: str) -> None:
    assert play(method(plugin, b"pw"), knows=secret_of(b"pw"), safety=ENCRYPTED).steps.count("more") <= 1
    assert "more" in play(method(plugin, b"pw"), knows=secret_of(b"pw"), safety=PRIVATE).steps


def test_a_known_password_takes_the_fast_path() -> None:
    account = method(c.CACHING_SHA2, b"secret", secret_of(b"secret"))
    fast = play(account, knows=secret_of(b"secret"))
    assert isinstance(fast.step, Accept)
    assert (fast.steps, fast.step.last) == ([], b"\1\3")
    assert play(account, knows=secret_of(b"wrong")).steps == ["more", "more", "verify"]


def test_a_client_that_has_the_key_already_need_not_ask_for_it() -> None:
    server, client = server_login(), client_login(secret_of(b"pw"))
    account = method(c.CACHING_SHA2, b"pw")
    assert server.judge(respond(server, client), [account]) == Send(b"\1\4")
    encrypted = client.answer(b"\1" + KEY.public_pem)
    assert isinstance(encrypted, bytes)
    assert server.answer(encrypted) == Verify(b"pw", (account,))


@pytest.mark.parametrize("plugin", METHODS)
def test_a_change_of_the_user_begins_with_a_switch(plugin: str) -> None:
    server, client = server_login(), client_login(secret_of(b"pw"), c.NATIVE_PASSWORD)
    step, steps = converse(server, client, server.judge_change(FLAGS, [method(plugin, b"pw", secret_of(b"pw"))]))
    assert isinstance(step, Accept)
    assert steps[0] == CLIENT_NAMES.get(plugin, plugin)


# --- accounts with several passwords or methods -----------------------------------------------------------------------


@pytest.mark.parametrize("plugin", HASHED)
@pytest.mark.parametrize("password", [b"old", b"new"])
def test_a_retained_password_is_right_too(plugin: str, password: bytes) -> None:
    stored = tuple(Stored(text_of(plugin, one)) for one in (b"new", b"old"))
    outcome = play(Method(plugin, stored), knows=secret_of(password))
    assert isinstance(outcome.step, Accept)
    assert outcome.step.stored.text == text_of(plugin, password)
    known = tuple(Stored(text_of(plugin, one), secret_of(one)) for one in (b"new", b"old"))
    assert isinstance(play(Method(plugin, known), knows=secret_of(password)).step, Accept)
    assert isinstance(play(Method(plugin, stored), knows=secret_of(b"older")).step, Deny)


@pytest.mark.parametrize("plugin", SIGNED)
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("tried", [b"a", b"b", b"c", b""])
def test_any_method_of_an_account_is_enough(plugin: str, known: bool, tried: bytes) -> None:
    methods = method(plugin, b"a", secret_of(b"a") if known else None), method(c.NATIVE_PASSWORD, b"b")
    step = play(*methods, knows=secret_of(tried), first=c.NATIVE_PASSWORD).step
    if tried in (b"a", b"b"):
        assert isinstance(step, Accept)
        assert step.stored.text == text_of(plugin if tried == b"a" else c.NATIVE_PASSWORD, tried)
    else:
        assert isinstance(step, Deny)


def test_stored_strings_that_nobody_has_deny() -> None:
    for plugin in METHODS:
        for text in (b"\0", b"invalid", b"$A$"):
            for password in (b"", b"pw"):
                assert isinstance(play(Method(plugin, (Stored(text),)), knows=secret_of(password)).step, Deny)
    for plugin in SIGNED:
        for password in (b"", b"pw"):
            assert isinstance(play(Method(plugin, (Stored(b""),)), knows=secret_of(password)).step, Deny)


# --- a second look ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plugin", METHODS)
@pytest.mark.parametrize("known", [False, True])
def test_newer_methods_get_a_second_look(plugin: str, known: bool) -> None:
    old = method(plugin, b"old", secret_of(b"old") if known else None)
    outcome = play(old, knows=secret_of(b"new"))
    assert isinstance(outcome.step, Deny)
    newer = outcome.server.judge_again([method(plugin, b"new")])
    step, _ = converse(outcome.server, outcome.client, newer)
    assert isinstance(step, Accept)


def test_a_second_look_at_another_method() -> None:
    outcome = play(method(c.NATIVE_PASSWORD, b"pw"), knows=secret_of(b"new"))
    step, steps = converse(outcome.server, outcome.client, outcome.server.judge_again([method(c.CACHING_SHA2, b"new")]))
    assert isinstance(step, Accept)
    assert steps == [c.CACHING_SHA2, "more", "more", "verify"]


def test_clients_of_others_are_asked_to_switch_once() -> None:
    """And to tell the password, or prove it in the same way, where an account has signatures."""
    known = secret_of(b"a")
    methods = method(c.NATIVE_PASSWORD, b"b"), method(c.ED25519, b"a", known)
    for password, step, steps in (
        (b"b", Accept, [c.NATIVE_PASSWORD]),
        (b"a", Deny, [c.NATIVE_PASSWORD]),
        (b"c", Deny, [c.NATIVE_PASSWORD]),
    ):
        outcome = play(*methods, knows=secret_of(password), flags=OTHERS)
        assert (type(outcome.step), outcome.steps) == (step, steps)
    # Their first answer may be to the right method already.
    outcome = play(*methods, knows=known, first=c.NATIVE_PASSWORD, flags=OTHERS)
    assert (type(outcome.step), outcome.steps) == (Accept, [c.CACHING_SHA2])


@pytest.mark.parametrize("old", OF_MARIADB)
@pytest.mark.parametrize("new", OF_MARIADB)
@pytest.mark.parametrize("password", [b"old", b""])
def test_a_second_look_at_another_method_takes_no_second_switch(old: str, new: str, password: bytes) -> None:
    outcome = play(
        method(old, password, secret_of(password)), knows=secret_of(b"new"), first=c.NATIVE_PASSWORD, flags=OTHERS
    )
    assert isinstance(outcome.step, Deny)
    newer = outcome.server.judge_again([method(new, b"new")])
    step, steps = converse(outcome.server, outcome.client, newer)
    if new == c.NATIVE_PASSWORD and old == c.CACHING_SHA2 and not password:
        # The account had no password, and the client was asked for none.
        assert step == Deny(used_password=True)
    else:
        assert isinstance(step, Accept)
    assert len([name for name in outcome.steps + steps if name in (c.NATIVE_PASSWORD, c.CACHING_SHA2)]) <= 1


# --- clients of other kinds -------------------------------------------------------------------------------------------


def test_a_client_without_plugins_is_one_of_native_password() -> None:
    client = client_login(secret_of(b"pw"), c.NATIVE_PASSWORD)
    response = HandshakeResponse(REQUIRED, 1, 45, "u", client.first_answer())
    assert isinstance(judged(server_login(), response, method(c.NATIVE_PASSWORD, b"pw")), Accept)
    for plugin in METHODS[1:]:
        for product in ("MySQL", "MariaDB"):
            login = ServerLogin(Surroundings(NONCE, CHALLENGE, KEY, False, product))
            error = judged(login, response, method(plugin, b"pw"))
            assert isinstance(error, Err)
            assert error.errno == c.ER_NOT_SUPPORTED_AUTH_MODE
            assert f"consider upgrading {product} client" in error.message


@pytest.mark.parametrize("missing", [c.CLIENT_PROTOCOL_41, c.CLIENT_SECURE_CONNECTION])
def test_old_clients_are_refused(missing: int) -> None:
    with pytest.raises(MalformedPacket, match=r"4\.1"):
        respond(server_login(), client_login(secret_of(b""), c.NATIVE_PASSWORD), FLAGS & ~missing)


@pytest.mark.parametrize(
    ("private", "sent", "password"),
    [(True, b"pw\0", b"pw"), (False, b"pw\0", None), (True, b"pw", None)],
)
@pytest.mark.parametrize("plugin", [c.CACHING_SHA2, c.SHA256_PASSWORD, c.ED25519])
def test_a_password_in_clear_is_taken_only_where_nobody_listens(
    plugin: str, private: bool, sent: bytes, password: bytes | None
) -> None:
    server, account = server_login(private), method(plugin, b"pw")
    response = HandshakeResponse(FLAGS, 1, 45, "u", b"x" * 32, plugin=c.CACHING_SHA2)
    # Asked to switch to sha256_password, or for more of caching_sha2_password, also in the place of a signature.
    assert isinstance(judged(server, response, account), Send)
    step = server.answer(sent)
    assert step == (Deny(used_password=True) if password is None else Verify(password, (account,)))


@pytest.mark.parametrize("plugin", METHODS)
def test_a_client_may_offer_its_password_where_nobody_listens(plugin: str) -> None:
    account = method(plugin, b"pw")
    response = HandshakeResponse(FLAGS, 1, 45, "u", b"pw\0", plugin=c.CLEAR_PASSWORD)
    assert judged(server_login(private=True), response, account) == Verify(b"pw", (account,))
    step = judged(server_login(), response, account)
    assert isinstance(step, Send)
    assert step.payload[0] == c.EOF_HEADER


def test_a_packet_after_the_end_is_malformed() -> None:
    for password in (b"pw", b"wrong", b""):
        outcome = play(method(c.NATIVE_PASSWORD, b"pw"), knows=secret_of(password), first=c.NATIVE_PASSWORD)
        with pytest.raises(MalformedPacket):
            outcome.server.answer(b"more")
    with pytest.raises(MalformedPacket):
        server_login().answer(b"early")


def test_secrets_are_never_shown() -> None:
    secret = secret_of(b"hunter2")
    account = Method(c.CACHING_SHA2, (Stored(b"$A$hunter2", secret),))
    accept = Accept(secret, account.stored[0])
    for value in (secret, accept, account, Verify(b"hunter2", (account,)), Send(b"hunter2")):
        assert "hunter2" not in repr(value)


# --- the client's side alone ------------------------------------------------------------------------------------------


def test_the_servers_verdict() -> None:
    login = client_login(secret_of(b"pw"))
    assert login.answer(err_payload(Err(1045, "no", "28000"))) == Err(1045, "no", "28000")
    assert login.answer(ok_payload(Ok(status=3))) == Ok(status=3)
    assert login.answer(b"\1\3") is None
    assert login.answer(b"\1\4") == b"\2"


def test_a_switch_uses_its_own_nonce() -> None:
    other = bytes(range(40, 60))
    login = client_login(secret_of(b"pw"), c.NATIVE_PASSWORD)
    answer = login.answer(b"\xfe" + c.NATIVE_PASSWORD.encode() + b"\0" + other + b"\0")
    assert answer == ClientLogin(secret_of(b"pw"), other, c.NATIVE_PASSWORD, b"", OPEN).first_answer()
    assert answer != client_login(secret_of(b"pw"), c.NATIVE_PASSWORD).first_answer()


def test_a_signed_challenge_may_hold_any_byte() -> None:
    challenge = bytes(32)
    answer = client_login(secret_of(b"pw")).answer(b"\xfeclient_ed25519\0" + challenge)
    other = client_login(secret_of(b"pw")).answer(b"\xfeclient_ed25519\0" + challenge[:-1] + b"\1")
    assert isinstance(answer, bytes)
    assert len(answer) == 64
    assert answer != other


def test_a_greeting_of_an_unknown_method_is_answered_with_a_known_one() -> None:
    assert client_login(secret_of(b"pw"), "client_ed25519").plugin == c.NATIVE_PASSWORD


@pytest.mark.parametrize(
    ("secret", "safety", "switch", "named"),
    [
        (secret_of(b"pw"), OPEN, b"\xfeauth_gssapi_client\0xyz", "'auth_gssapi_client' is not known"),
        (secret_of(b"pw"), OPEN, b"\xfemysql_clear_password\0", "'mysql_clear_password' takes the password in clear"),
        (secret_of(b"pw"), OPEN, b"\xfedialog\0\4Password: ", "'dialog' takes the password in clear"),
        (Secret(sha1=b"x" * 20), ENCRYPTED, b"\xfeclient_ed25519\0" + bytes(32), "'client_ed25519' takes the password"),
        (Secret(sha1=b"x" * 20), ENCRYPTED, b"\xfesha256_password\0" + NONCE, "'sha256_password' takes the password"),
    ],
    ids=["unknown", "clear", "dialog", "only-sha1", "only-sha1-too"],
)
def test_a_method_that_cannot_be_used_is_named(secret: Secret, safety: Safety, switch: bytes, named: str) -> None:
    """But only in the end: the server may have another one for the account."""
    login = client_login(secret, c.NATIVE_PASSWORD, safety)
    assert login.answer(switch) == b""
    error = login.answer(err_payload(Err(1045, "no", "28000")))
    assert isinstance(error, Err)
    assert error.errno == c.ER_NOT_SUPPORTED_AUTH_MODE
    assert named in error.message
    login = client_login(secret, c.NATIVE_PASSWORD, safety)
    login.answer(switch)
    answer = login.answer(b"\xfe" + c.NATIVE_PASSWORD.encode() + b"\0" + NONCE + b"\0")
    assert answer == client_login(secret, c.NATIVE_PASSWORD).first_answer()
    assert login.answer(ok_payload(Ok())) == Ok()


def test_nothing_more_is_said_to_a_method_that_cannot_be_used() -> None:
    for more in (b"\1abc", b"\4Password: "):
        login = client_login(secret_of(b"pw"))
        assert login.answer(b"\xfedialog\0") == b""
        answer = login.answer(more)
        assert isinstance(answer, Err)
        assert "'dialog'" in answer.message


def test_methods_that_end_the_dialogue() -> None:
    old = client_login(secret_of(b"pw")).answer(b"\xfe")
    assert isinstance(old, Err)
    assert "mysql_old_password" in old.message
    factor = client_login(secret_of(b"pw")).answer(b"\2authentication_webauthn_client\0data")
    assert isinstance(factor, Err)
    assert "'authentication_webauthn_client' is a further factor" in factor.message


def test_questions_are_answered_with_the_password_once() -> None:
    login = client_login(secret_of(b"pw"), safety=PRIVATE)
    assert login.answer(b"\xfedialog\0\4Password: ") == b"pw\0"
    second = login.answer(b"\2Code: ")
    assert isinstance(second, Err)
    assert "'dialog' asks more than the password" in second.message
    login = client_login(secret_of(b"pw"), safety=PRIVATE)
    assert login.answer(b"\xfedialog\0") is None
    assert login.answer(b"\2Password: ") == b"pw\0"
    assert login.answer(ok_payload(Ok())) == Ok()


def test_a_clear_password() -> None:
    switch = b"\xfemysql_clear_password\0"
    assert client_login(secret_of(b"pw"), safety=PRIVATE).answer(switch) == b"pw\0"
    assert client_login(secret_of(b""), safety=PRIVATE).answer(switch) == b"\0"


@pytest.mark.parametrize("plugin", [c.NATIVE_PASSWORD, c.CLIENT_ED25519, c.CLEAR_PASSWORD])
def test_more_data_where_none_can_be_is_malformed(plugin: str) -> None:
    login = client_login(secret_of(b"pw"), safety=PRIVATE)
    login.answer(b"\xfe" + plugin.encode() + b"\0" + bytes(32))
    with pytest.raises(MalformedPacket):
        login.answer(b"\1abc")


# --- anything ---------------------------------------------------------------------------------------------------------

BEGINNINGS = [b"", b"\0", b"\1", b"\2", b"\xfe", b"\xff", b"\1\4", b"\1P\0"]
BEGINNINGS += [
    b"\xfe" + plugin.encode() + b"\0"
    for plugin in (*HASHED, c.CLIENT_ED25519, c.PARSEC, c.DIALOG, c.CLEAR_PASSWORD, "x")
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.builds(bytes.__add__, st.sampled_from(BEGINNINGS), st.binary(max_size=60)), max_size=4))
def test_any_payloads_of_a_server_are_answered_or_malformed(payloads: list[bytes]) -> None:
    for secret in (secret_of(b"correct horse"), secret_of(b""), Secret(sha1=b"x" * 20), Secret()):
        for safety in (OPEN, ENCRYPTED):
            login = client_login(secret, safety=safety)
            try:
                for payload in payloads:
                    answer = login.answer(payload)
                    assert answer is None or isinstance(answer, bytes | Ok | Err)
                    if safety is OPEN and isinstance(answer, bytes):
                        assert b"correct horse" not in answer
            except MalformedPacket:
                continue


Judge = Callable[[ServerLogin, HandshakeResponse, Method], Step]
JUDGES: list[Judge] = [
    lambda login, response, account: login.judge(response, [account]),
    lambda login, _, account: login.judge_change(FLAGS, [account]),
]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.binary(max_size=300) | st.sampled_from([b"", b"\0", b"\1", b"\2", b"pw\0", bytes(256)]), max_size=5),
    st.sampled_from([*HASHED, c.CLIENT_ED25519, c.PARSEC, c.CLEAR_PASSWORD]),
    st.sampled_from(METHODS),
    st.booleans(),
    st.booleans(),
    st.sampled_from(JUDGES),
)
def test_any_packets_of_a_client_are_judged_or_malformed(
    packets: list[bytes], first: str, plugin: str, known: bool, private: bool, judge: Judge
) -> None:
    login = server_login(private)
    account = method(plugin, b"correct horse", secret_of(b"correct horse") if known else None)
    try:
        response = HandshakeResponse(FLAGS, 1, 45, "u", packets[0][:250] if packets else b"", plugin=first)
        step = judge(login, login.response(response_payload(response)), account)
        for packet in packets[1:]:
            if isinstance(step, Verify):
                step = login.verified(fitting(step.password, step.methods))
            assert not isinstance(step, Accept)
            step = login.answer(packet)
    except MalformedPacket:
        return
    assert isinstance(step, Send | Deny | Verify)
