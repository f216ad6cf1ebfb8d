"""A certificate that nobody vouches for, proved by the password to clients of MariaDB 11.4 or later."""

import os
import subprocess
from collections.abc import Iterator
from hashlib import sha1, sha256
from pathlib import Path

import pytest

from proxy.wire import constants as c
from proxy.wire.primitives import lenenc_bytes
from proxy.wire.replies import parse_whole_ok
from proxy.wire.signatures import ed25519_public, stored_parsec
from replication.sandbox import Cluster, Flavor
from replication.sandbox.programs import servers_directory
from tests.support.certificates import client_context
from tests.support.clients import Connection, direct, run
from tests.support.newest import newest_mariadb
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.tlsclient import start_tls
from tests.support.wireclient import CAPABILITIES, Login, Packet, WireClient

METHODS = ("mysql_native_password", "ed25519", "parsec")
# libmariadb wants no proof on 127.0.0.1.
ELSEWHERE = "127.0.0.2"


class Remembering(WireClient):
    """Knows the last packet."""

    last = b""

    def packet(self) -> Packet:
        sequence, self.last = super().packet()
        return sequence, self.last


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with newest_mariadb(1) as cluster, direct(cluster, cluster.servers[0]) as admin:
        for method in METHODS:
            run(admin, f"CREATE USER u_{method}@'%' IDENTIFIED VIA {method} USING PASSWORD('first')")
        run(admin, "CREATE USER u_nothing@'%'")
        yield cluster


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[ProxyProcess]:
    """A proxy with a certificate of its own making."""
    with running_proxy(cluster, "--listen", f"{ELSEWHERE}:0") as proxy:
        yield proxy


@pytest.fixture
def admin(cluster: Cluster) -> Iterator[Connection]:
    with direct(cluster, cluster.servers[0]) as connection:
        yield connection


def text_after_login(endpoint: tuple[str, int], login: Login, extra: int) -> tuple[bytes, bytes, bytes]:
    """What stands behind the numbers of the OK packet, the nonce, and the certificate's fingerprint."""
    with Remembering(*endpoint) as client:
        greeting = client.greeting()
        engine = start_tls(client, client_context())
        client.respond(Login(login.user, login.password, capabilities=CAPABILITIES | extra), greeting, 2)
        certificate = engine.peer_certificate()
        assert certificate is not None
        return parse_whole_ok(client.last)[1], greeting.nonce, sha256(certificate).digest()


def kept(admin: Connection, method: str) -> bytes:
    """What the server keeps of the password, where it is no hash of the password alone."""
    if method == "parsec":
        sql = "SELECT JSON_VALUE(Priv, '$.authentication_string') FROM mysql.global_priv WHERE User = 'u_parsec'"
        stored = stored_parsec(str(run(admin, sql)[0][0]).encode())
        assert stored is not None
        return stored[0].payload() + stored[1]
    return ed25519_public(b"first") if method == "ed25519" else sha1(sha1(b"first").digest()).digest()


@pytest.mark.parametrize("extra", [0, c.CLIENT_SESSION_TRACK | c.CLIENT_DEPRECATE_EOF], ids=["plain", "track"])
@pytest.mark.parametrize("method", METHODS)
def test_the_certificate_is_proved(
    cluster: Cluster, proxy: ProxyProcess, admin: Connection, method: str, extra: int
) -> None:
    login, primary = Login(f"u_{method}", "first"), cluster.servers[0]
    with WireClient(proxy.host, proxy.port) as client:
        # The proxy has to know the password before a client can sign.
        client.log_in(login)
    for endpoint in ((primary.host, primary.port), (proxy.host, proxy.port)):
        text, nonce, fingerprint = text_after_login(endpoint, login, extra)
        proof = sha256(kept(admin, method) + nonce + fingerprint).hexdigest().upper().encode()
        # The state of the session comes behind it for who asks for that, at MariaDB already in the request for TLS.
        assert text.startswith(lenenc_bytes(b"\x01" + proof))


def test_where_there_is_nothing_to_prove_it_with(cluster: Cluster, proxy: ProxyProcess) -> None:
    primary = cluster.servers[0]
    for endpoint in ((primary.host, primary.port), (proxy.host, proxy.port)):
        assert text_after_login(endpoint, Login("u_nothing", ""), 0)[0] == b""
    with Remembering(proxy.host, proxy.port) as client:
        # Without TLS the server sends one nevertheless, which is of no use to anybody.
        client.log_in(Login("u_mysql_native_password", "first"))
        assert parse_whole_ok(client.last)[1] == b""


def test_other_servers_have_no_such_text(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> None:
    """Of MariaDB's older ones the proxy sends it too: the client is newer than they are."""
    primary = shared_cluster.servers[0]
    text, *_ = text_after_login((shared_proxy.host, shared_proxy.port), Login(primary.user, primary.password), 0)
    assert bool(text) is (shared_cluster.flavor is Flavor.MARIADB)


@pytest.mark.parametrize("method", METHODS)
def test_the_command_line_client_is_content(proxy: ProxyProcess, method: str) -> None:
    """It verifies unless told otherwise."""
    with WireClient(proxy.host, proxy.port) as client:
        client.log_in(Login(f"u_{method}", "first"))
    done = asked(proxy, f"u_{method}", "first")
    assert (done.stdout.strip(), done.returncode) == (f"u_{method}@%", 0), done.stderr


def test_the_command_line_client_tells_nobody_else_its_password(proxy: ProxyProcess, admin: Connection) -> None:
    """An account whose password the proxy has to ask for."""
    run(admin, "CREATE OR REPLACE USER u_unknown@'%' IDENTIFIED VIA ed25519 USING PASSWORD('second')")
    done = asked(proxy, "u_unknown", "second")
    assert done.returncode
    assert "verify" in done.stderr


def asked(proxy: ProxyProcess, user: str, password: str) -> subprocess.CompletedProcess[str]:
    program = servers_directory(os.environ) / "mariadb-newest/bin/mariadb"
    if not Path(program).exists():
        pytest.skip("the newer MariaDB has no client beside it: remove it, and tools/install-mariadb")
    where = ("--protocol=tcp", f"--host={proxy.host}", f"--port={proxy.port}")
    who = (f"--user={user}", f"--password={password}")
    sql = ("--skip-column-names", "-e", "SELECT CURRENT_USER()")
    return subprocess.run(
        [str(program), "--no-defaults", *where, *who, *sql], capture_output=True, text=True, timeout=60, check=False
    )
