"""Accounts with REQUIRE SSL, X509, SUBJECT, ISSUER and CIPHER: refused and let in as by the servers themselves."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.x509.oid import NameOID

from proxy.wire import constants as c
from proxy.wire.replies import Err
from replication.sandbox import Flavor
from tests.integration.conftest import SecureCluster
from tests.integration.test_change_user import after, change
from tests.support.certificates import client_context
from tests.support.clients import Connection, direct, run
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.tlsclient import start_tls
from tests.support.waiting import wait_until
from tests.support.wireclient import CAPABILITIES, Login, Refused, WireClient, first_error

SUBJECT = "/O=Lab, Inc/CN=me"
PLAIN, ENCRYPTED, CERTIFIED = "plain", "encrypted", "certified"
CIPHER_ALONE = "CIPHER 'ECDHE-ECDSA-AES256-GCM-SHA384'"
# What each demand is met by.
DEMANDS = {
    "NONE": {PLAIN, ENCRYPTED, CERTIFIED},
    "SSL": {ENCRYPTED, CERTIFIED},
    "X509": {CERTIFIED},
    f"SUBJECT '{SUBJECT}'": {CERTIFIED},
    "SUBJECT '/O=Lab, Inc/CN=m'": set(),
    "ISSUER '/O=Manyreads tests/CN=Test CA'": {CERTIFIED},
    "ISSUER '/CN=another'": set(),
    "CIPHER 'TLS_AES_128_GCM_SHA256'": set(),
    CIPHER_ALONE: {ENCRYPTED, CERTIFIED},
    f"CIPHER 'ECDHE-ECDSA-AES256-GCM-SHA384' AND SUBJECT '{SUBJECT}'": {CERTIFIED},
}
USER = Login("demanding", "pw")
EASY = Login("easy", "other")
DENIED = "Access denied for user 'demanding'@'localhost' (using password: YES)"


@dataclass
class Scene:
    """The primary itself with root on it, the proxy, and contexts of clients that have TLS, by what they show."""

    admin: Connection
    proxy: ProxyProcess
    flavor: Flavor
    endpoints: list[tuple[str, int]]
    contexts: dict[str, ssl.SSLContext]

    @contextmanager
    def client(self, login: Login, endpoint: tuple[str, int], way: str) -> Iterator[WireClient]:
        """A client that has logged in. Raises Refused."""
        with WireClient(*endpoint) as client:
            greeting = client.greeting()
            if way == PLAIN:
                yield client.respond(login, greeting)
            else:
                start_tls(client, self.contexts[way])
                encrypted = Login(login.user, login.password, capabilities=CAPABILITIES | c.CLIENT_SSL)
                yield client.respond(encrypted, greeting, 2)

    def outcome(self, login: Login, endpoint: tuple[str, int], way: str) -> Err | None:
        """The error of a login, None when it is let in."""
        try:
            with self.client(login, endpoint, way):
                return None
        except Refused as error:
            return error.err


@pytest.fixture
def scene(secure_cluster: SecureCluster, tmp_path: Path) -> Iterator[Scene]:
    cluster, authority = secure_cluster.cluster, secure_cluster.authority
    pair = authority.sign("me", {NameOID.ORGANIZATION_NAME: "Lab, Inc", NameOID.COMMON_NAME: "me"})
    own = authority.named("proxy")
    contexts = {ENCRYPTED: client_context(), CERTIFIED: client_context(pair=pair)}
    for context in contexts.values():
        # The only version whose cipher a client can choose here.
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    # The servers judge the proxy too: it shows them what meets every demand but a cipher.
    arguments = {
        "--tls-certificate": own.certificate,
        "--tls-key": own.key,
        "--tls-client-ca": authority.certificate,
        "--server-tls-certificate": pair.certificate,
        "--server-tls-key": pair.key,
    }
    primary = cluster.servers[0]
    with direct(cluster, primary) as admin:
        try:
            for login in (USER, EASY):
                run(admin, f"CREATE USER {login.user}@'%' IDENTIFIED BY '{login.password}'")
            with running_proxy(cluster, *(str(word) for pair in arguments.items() for word in pair)) as proxy:
                endpoints = [(primary.host, primary.port), (proxy.host, proxy.port)]
                scene = Scene(admin, proxy, cluster.flavor, endpoints, contexts)
                for login in (USER, EASY):
                    # So that both know the passwords. Without TLS: in it, MySQL expects what this client does not send.
                    assert [scene.outcome(login, endpoint, PLAIN) for endpoint in endpoints] == [None, None]
                yield scene
        finally:
            for login in (USER, EASY):
                run(admin, f"DROP USER IF EXISTS {login.user}@'%'")


def demand(scene: Scene, what: str) -> None:
    """Change what the account demands, and have the proxy know it."""
    run(scene.admin, f"ALTER USER {USER.user}@'%' REQUIRE {what}")
    scene.outcome(Login("nobody", "at all"), scene.endpoints[1], PLAIN)


# The servers judge the proxy's cipher, which is not the client's.
JUDGED_HERE_ALONE = [what for what in DEMANDS if not what.startswith("CIPHER")]


@pytest.mark.parametrize("way", [PLAIN, ENCRYPTED, CERTIFIED])
def test_logins_are_judged_as_by_the_server(scene: Scene, way: str) -> None:
    for what in DEMANDS:
        demand(scene, what)
        by_server, by_proxy = (scene.outcome(USER, endpoint, way) for endpoint in scene.endpoints)
        # With MySQL a cipher takes a certificate too.
        met_by = {CERTIFIED} if what == CIPHER_ALONE and scene.flavor is Flavor.MYSQL else DEMANDS[what]
        assert (by_server is None) is (way in met_by), what
        if what in JUDGED_HERE_ALONE or by_server is not None:
            assert by_server == by_proxy, what
        wrong = Login(USER.user, "wrong")
        assert len({scene.outcome(wrong, endpoint, way) for endpoint in scene.endpoints}) == 1
    assert "demands another connection" in scene.proxy.log


@pytest.mark.parametrize("way", [PLAIN, ENCRYPTED, CERTIFIED])
def test_changes_of_the_user_are_judged_as_by_the_server(scene: Scene, way: str) -> None:
    for what in JUDGED_HERE_ALONE:
        demand(scene, what)
        seen = []
        for endpoint in scene.endpoints:
            with scene.client(EASY, endpoint, way) as client:
                packets = change(client, USER)
                seen.append((packets, after(client)))
                error = first_error(packets)
                assert (error is None) is (way in DEMANDS[what]), what
                assert error is None or (error.errno, error.message) == (1045, DENIED)
        assert seen[0] == seen[1], what


def test_a_refusal_is_not_counted_as_a_wrong_password(scene: Scene) -> None:
    if scene.flavor is Flavor.MARIADB:
        pytest.skip("MariaDB counts wrong passwords for all accounts alike")
    demand(scene, "SSL")
    run(scene.admin, f"ALTER USER {USER.user}@'%' FAILED_LOGIN_ATTEMPTS 2 PASSWORD_LOCK_TIME 1")
    for _ in range(3):
        assert scene.outcome(USER, scene.endpoints[1], PLAIN) is not None
        with scene.client(EASY, scene.endpoints[1], PLAIN) as client:
            assert first_error(change(client, USER)) is not None
    assert scene.outcome(USER, scene.endpoints[1], ENCRYPTED) is None


def test_a_demand_that_is_added_is_noticed_without_a_login_that_fails(scene: Scene) -> None:
    run(scene.admin, f"ALTER USER {USER.user}@'%' REQUIRE SSL")
    wait_until(lambda: scene.outcome(USER, scene.endpoints[1], PLAIN) is not None, "the new demand is obeyed")


def test_a_demand_that_is_gone_is_noticed_at_once(scene: Scene) -> None:
    demand(scene, "SSL")
    assert scene.outcome(USER, scene.endpoints[1], PLAIN) is not None
    run(scene.admin, f"ALTER USER {USER.user}@'%' REQUIRE NONE")
    assert scene.outcome(USER, scene.endpoints[1], PLAIN) is None
