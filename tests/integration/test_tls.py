"""TLS between clients and the proxy: drivers, command-line clients, every way to begin it, certificates that change."""

import os
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mysql.connector
import pymysql
import pytest

from proxy.tls.selfmade import CERTIFICATE_FILE
from proxy.wire import constants as c
from replication.sandbox import Cluster
from replication.sandbox.programs import servers_directory
from tests.support.certificates import Authority, Pair, client_context
from tests.support.clients import Connection, connect, direct, run
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.tlsclient import SLOWLY, start_tls
from tests.support.waiting import settled, wait_until
from tests.support.wireclient import CAPABILITIES, Login, WireClient, digest, query

CLIENTS = {
    "mariadb": ("mariadb", "--ssl"),
    "mysql": (str(servers_directory(os.environ) / "mysql/bin/mysql"), "--ssl-mode=REQUIRED"),
}
INSECURE = 3159
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.named("proxy")


@pytest.fixture(scope="module")
def proxy(shared_cluster: Cluster, pair: Pair) -> Iterator[ProxyProcess]:
    """A proxy with a certificate of the test authority."""
    arguments = ("--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key))
    with running_proxy(shared_cluster, *arguments) as proxy:
        yield proxy


@pytest.fixture
def stranger(shared_cluster: Cluster) -> Iterator[str]:
    """The password of an account `stranger` that has never logged in."""
    with direct(shared_cluster, shared_cluster.servers[0]) as admin:
        run(admin, "CREATE USER stranger@'%' IDENTIFIED BY 'only here'")
        yield "only here"
        run(admin, "DROP USER stranger@'%'")


def cipher_of(connection: Connection) -> str | None:
    """The cipher of a PyMySQL connection, None without TLS."""
    sock = connection._sock
    cipher = sock.cipher() if isinstance(sock, ssl.SSLSocket) else None
    return cipher[0] if cipher else None


def login_of(cluster: Cluster, pace: int = 0) -> Login:
    primary = cluster.servers[0]
    return Login(primary.user, primary.password, capabilities=CAPABILITIES | c.CLIENT_SSL, pace=pace)


def test_drivers_use_it_unasked(shared_cluster: Cluster, proxy: ProxyProcess) -> None:
    primary = shared_cluster.servers[0]
    with connect(shared_cluster, proxy) as connection:
        assert cipher_of(connection)
        assert run(connection, "SELECT 5") == ((5,),)
    with mysql.connector.connect(
        host=proxy.host, port=proxy.port, user=primary.user, password=primary.password, use_pure=True
    ) as other:
        assert other.is_secure


def test_drivers_can_verify_the_proxy(shared_cluster: Cluster, proxy: ProxyProcess, authority: Authority) -> None:
    options: dict[str, Any] = {"ssl_ca": str(authority.certificate), "ssl_verify_cert": True}
    with connect(shared_cluster, proxy, **options, ssl_verify_identity=True) as connection:
        assert run(connection, "SELECT 5") == ((5,),)
    options["ssl_ca"] = str(Authority(authority.certificate.parent, "Stranger").certificate)
    with pytest.raises(pymysql.err.OperationalError, match="certificate verify failed"):
        connect(shared_cluster, proxy, **options)


@pytest.mark.parametrize("name", CLIENTS)
def test_the_first_login_of_a_command_line_client_needs_no_rsa_key(
    proxy: ProxyProcess, authority: Authority, stranger: str, name: str
) -> None:
    program, *options = CLIENTS[name]
    command = [
        program, "--no-defaults", f"--host={proxy.host}", f"--port={proxy.port}", "--user=stranger",
        f"--password={stranger}", f"--ssl-ca={authority.certificate}", *options, "--skip-column-names",
        "--execute=SELECT CURRENT_USER()",
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    assert "stranger@%" in done.stdout


@pytest.mark.parametrize("together", [True, False], ids=["one-segment", "apart"])
@pytest.mark.parametrize("pace", [0, 1, 50])
def test_it_begins_however_the_bytes_come(
    shared_cluster: Cluster, proxy: ProxyProcess, authority: Authority, together: bool, pace: int
) -> None:
    trusting = client_context(authority.certificate, hostname=True)
    with WireClient(proxy.host, proxy.port) as client:
        greeting = client.greeting()
        assert greeting.capabilities & c.CLIENT_SSL
        start_tls(client, trusting, pace=pace, together=together)
        client.respond(login_of(shared_cluster, pace), greeting, 2)
        assert client.query("SELECT 'safe'")[-2][1] == b"\4safe"


def test_it_begins_slowly(shared_cluster: Cluster, proxy: ProxyProcess, authority: Authority) -> None:
    class Slow:
        """Sends byte by byte with pauses, so that each is a segment of its own."""

        def __init__(self, below: Any) -> None:
            self.below = below

        def sendall(self, data: bytes) -> None:
            for at in range(len(data)):
                self.below.sendall(data[at : at + 1])
                time.sleep(SLOWLY)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.below, name)

    with WireClient(proxy.host, proxy.port) as client:
        greeting = client.greeting()
        client.socket = Slow(client.socket)  # type: ignore[assignment]  # it has what WireClient uses of a socket
        start_tls(client, client_context(authority.certificate))
        client.respond(login_of(shared_cluster), greeting, 2)
        assert client.query("SELECT 'safe'")[-2][1] == b"\4safe"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_large_packets_in_both_directions(
    shared_cluster: Cluster, proxy: ProxyProcess, authority: Authority, version: ssl.TLSVersion
) -> None:
    context = client_context(authority.certificate)
    context.minimum_version = context.maximum_version = version
    sql = f"SELECT SHA2('{'x' * 18 * MEBIBYTE}', 256) AS sent, REPEAT('y', {20 * MEBIBYTE}) AS got"
    transcripts = []
    for host, port in ((proxy.host, proxy.port), (shared_cluster.servers[0].host, shared_cluster.servers[0].port)):
        with WireClient(host, port) as client:
            greeting = client.greeting()
            encrypted = port == proxy.port
            if encrypted:
                start_tls(client, context)
            login = login_of(shared_cluster)
            login.capabilities = CAPABILITIES | (c.CLIENT_SSL if encrypted else 0)
            client.respond(login, greeting, 2 if encrypted else 1)
            packets = client.query(sql)
            assert sum(len(payload) for _, payload in packets) > 20 * MEBIBYTE
            transcripts.append(digest(packets))
    assert transcripts[0] == transcripts[1]


def test_a_client_that_does_not_read_costs_little_memory(
    shared_cluster: Cluster, proxy: ProxyProcess, authority: Authority
) -> None:
    rows = 100
    numbers = f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
    with WireClient(proxy.host, proxy.port, receive_buffer=65536) as client:
        greeting = client.greeting()
        start_tls(client, client_context(authority.certificate))
        client.respond(login_of(shared_cluster), greeting, 2)
        client.query("SELECT REPEAT('x', 100000)")
        before = proxy.resident
        client.send(query(f"{numbers} SELECT REPEAT('x', {MEBIBYTE}) FROM n"))
        most = settled(lambda: proxy.resident)
        received = sum(len(client.packet()[1]) for _ in range(rows + 4))
    assert received > rows * MEBIBYTE
    assert most - before < 16 * MEBIBYTE


def test_required_refuses_clients_without_it(shared_cluster: Cluster) -> None:
    with running_proxy(shared_cluster, "--tls", "required") as proxy:
        with pytest.raises(pymysql.err.OperationalError, match="insecure transport") as caught:
            connect(shared_cluster, proxy, ssl_disabled=True)
        assert caught.value.args[0] == INSECURE
        with connect(shared_cluster, proxy) as connection:
            assert run(connection, "SELECT 5") == ((5,),)


def test_off_does_not_offer_it(shared_cluster: Cluster) -> None:
    with running_proxy(shared_cluster, "--tls", "off") as proxy:
        with WireClient(proxy.host, proxy.port) as client:
            assert not client.greeting().capabilities & c.CLIENT_SSL
        with connect(shared_cluster, proxy) as connection:
            assert cipher_of(connection) is None


def test_what_is_no_tls_ends_its_connection_alone(shared_cluster: Cluster, proxy: ProxyProcess) -> None:
    request = (CAPABILITIES | c.CLIENT_SSL).to_bytes(4, "little") + bytes(28)
    packet = b"\x20\0\0\1" + request
    with connect(shared_cluster, proxy) as neighbour:
        for index, noise in enumerate((b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\x20\0\0\2" + request)):
            with WireClient(proxy.host, proxy.port) as client:
                client.greeting()
                client.send_bytes(packet + noise)
                assert client.is_closed()
            proxy.wait_for_log("TLS: ", index + 1)
        assert run(neighbour, "SELECT 5") == ((5,),)
    assert "Traceback" not in proxy.log


def test_old_versions_of_tls_are_refused(proxy: ProxyProcess) -> None:
    old = client_context()
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with WireClient(proxy.host, proxy.port) as client:
        client.greeting()
        with pytest.raises(ssl.SSLError):
            start_tls(client, old)


def shown(proxy: ProxyProcess) -> bytes:
    """The certificate that a new client is shown, DER."""
    with WireClient(proxy.host, proxy.port) as client:
        client.greeting()
        certificate = start_tls(client, client_context()).peer_certificate()
    assert certificate is not None
    return certificate


def der(certificate: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(certificate.read_text())


def replace(target: Path, content: bytes) -> None:
    draft = target.with_suffix(".draft")
    draft.write_bytes(content)
    os.replace(draft, target)


@pytest.mark.parametrize("how", ["by itself", "SIGHUP"])
def test_a_new_certificate_is_used_without_a_restart(shared_cluster: Cluster, tmp_path: Path, how: str) -> None:
    authority = Authority(tmp_path)
    pair, newer = authority.named("proxy"), authority.named("newer")
    arguments = ("--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key))
    with running_proxy(shared_cluster, *arguments) as proxy, connect(shared_cluster, proxy) as old_session:
        first = shown(proxy)
        assert first == der(pair.certificate)
        replace(pair.certificate, b"rubbish")
        if how == "SIGHUP":
            proxy.process.send_signal(signal.SIGHUP)
            proxy.wait_for_log("stays in use")
        wait_until(lambda: shown(proxy) == first and "stays in use" in proxy.log, "the rubbish is noticed")
        replace(pair.certificate, newer.certificate.read_bytes())
        replace(pair.key, newer.key.read_bytes())
        wait_until(lambda: shown(proxy) == der(newer.certificate), "the new certificate is shown")
        assert run(old_session, "SELECT 5") == ((5,),)
        assert proxy.process.poll() is None


def test_a_self_made_certificate_outlives_a_restart(shared_cluster: Cluster, tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        with running_proxy(shared_cluster, "--state-directory", str(tmp_path / "state")) as proxy:
            seen.append(shown(proxy))
            trusted = {"ssl_ca": str(tmp_path / "state" / CERTIFICATE_FILE), "ssl_verify_cert": True}
            with connect(shared_cluster, proxy, ssl_verify_identity=True, **trusted) as connection:
                assert cipher_of(connection)
    assert seen[0] == seen[1]


def test_a_directory_that_cannot_be_written_is_said(shared_cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with running_proxy(shared_cluster, "--state-directory", str(tmp_path / "file")) as proxy:
        assert "made for this run only" in proxy.log
        with connect(shared_cluster, proxy) as connection:
            assert cipher_of(connection)
