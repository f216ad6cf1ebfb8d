"""TLS between the proxy and the servers, for the clients' connections and for the proxy's own."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from replication.sandbox import Cluster, Flavor
from tests.integration.conftest import SecureCluster
from tests.support.certificates import Authority
from tests.support.clients import Connection, connect, direct, run
from tests.support.proxies import ProxyProcess, running_proxy, started_proxy

CANNOT_CONNECT, NO_TLS = 2003, 2026
MEBIBYTE = 1024 * 1024
USERS = ("u", "v", "w")


@pytest.fixture
def admin(secure_cluster: SecureCluster) -> Iterator[Connection]:
    """The primary itself; the accounts u, v and w are gone afterwards."""
    with direct(secure_cluster.cluster, secure_cluster.cluster.servers[0]) as connection:
        yield connection
        for user in USERS:
            run(connection, f"DROP USER IF EXISTS '{user}'@'%'")


def cipher(connection: Connection) -> str:
    """The cipher between the proxy and the primary; in a transaction, which is where the primary is."""
    run(connection, "BEGIN")
    (row,) = run(connection, "SHOW STATUS LIKE 'Ssl_cipher'")
    run(connection, "COMMIT")
    return str(row[1])


def kinds(connection: Connection) -> set[str]:
    """How the server is spoken to by all who have logged in over TCP, this connection left out."""
    rows = run(
        connection,
        "SELECT CONNECTION_TYPE FROM performance_schema.threads WHERE PROCESSLIST_ID <> CONNECTION_ID()"
        " AND PROCESSLIST_USER = 'root' AND PROCESSLIST_HOST IS NOT NULL",
    )
    return {row[0] for row in rows}


@pytest.mark.parametrize("mode", ["off", "preferred", "required", "verify-ca", "verify-full"])
def test_every_connection_obeys_the_setting(secure_cluster: SecureCluster, admin: Connection, mode: str) -> None:
    cluster = secure_cluster.cluster
    arguments = ("--server-tls", mode, "--server-tls-ca", str(secure_cluster.authority.certificate))
    with running_proxy(cluster, *arguments) as proxy, connect(cluster, proxy) as client:
        assert bool(cipher(client)) is (mode != "off")
        # The proxy's own connections: probes, and those that ask for positions.
        run(client, "DO 1")
        assert kinds(admin) == {"TCP/IP" if mode == "off" else "SSL/TLS"}


def test_it_is_used_without_being_asked_for(secure_cluster: SecureCluster) -> None:
    with running_proxy(secure_cluster.cluster) as proxy, connect(secure_cluster.cluster, proxy) as client:
        assert cipher(client)


def refused(cluster: Cluster, proxy: ProxyProcess) -> tuple[int, str]:
    """The error of a login."""
    with pytest.raises(pymysql.err.OperationalError) as caught:
        connect(cluster, proxy)
    return caught.value.args[0], caught.value.args[1]


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_a_server_with_a_certificate_of_somebody_else_is_not_used(
    secure_cluster: SecureCluster, tmp_path: Path, mode: str
) -> None:
    stranger = Authority(tmp_path, "Somebody else")
    arguments = ("--server-tls", mode, "--server-tls-ca", str(stranger.certificate), "--primary-wait", "0")
    with started_proxy("--environment", str(secure_cluster.cluster.environment_file), *arguments) as proxy:
        proxy.wait_for_log("serving on")
        number, message = refused(secure_cluster.cluster, proxy)
        assert "no TLS with dbwrite" in proxy.log
    assert number == CANNOT_CONNECT
    assert "the certificate cannot be verified" in message
    assert "dbwrite" in message


def url_of(secure: SecureCluster, host: str) -> str:
    primary = secure.cluster.servers[0]
    return f"mysql://{primary.user}:{primary.password}@{host}:{primary.port}"


def test_the_name_of_the_host_is_verified_when_asked_for(secure_cluster: SecureCluster) -> None:
    ca = ("--server-tls-ca", str(secure_cluster.authority.certificate), "--writer", url_of(secure_cluster, "localhost"))
    with started_proxy("--server-tls", "verify-ca", *ca) as proxy:
        proxy.wait_for_log("-> healthy")
        proxy.wait_for_log("serving on")
        with connect(secure_cluster.cluster, proxy) as client:
            assert cipher(client)
    with started_proxy("--server-tls", "verify-full", *ca, "--primary-wait", "0") as proxy:
        proxy.wait_for_log("serving on")
        number, message = refused(secure_cluster.cluster, proxy)
    assert number == CANNOT_CONNECT
    assert "localhost" in message
    assert "certificate is not valid for 'localhost'" in message


def test_a_server_without_tls_is_refused_where_it_is_required(shared_cluster: Cluster) -> None:
    if shared_cluster.flavor is Flavor.MYSQL:
        pytest.skip("MySQL makes itself a certificate")
    arguments = ("--server-tls", "required", "--primary-wait", "0")
    with started_proxy("--environment", str(shared_cluster.environment_file), *arguments) as proxy:
        proxy.wait_for_log("serving on")
        number, message = refused(shared_cluster, proxy)
        assert "offers no TLS, which server_tls = required requires" in message
        assert number in (CANNOT_CONNECT, NO_TLS)
        proxy.wait_for_log("offers no TLS")


def test_a_first_login_sends_the_password_inside_of_it(secure_cluster: SecureCluster, admin: Connection) -> None:
    """Of the proxy's account too: nobody has logged in since the servers forgot."""
    cluster = secure_cluster.cluster
    run(admin, "CREATE USER 'u'@'%' IDENTIFIED BY 'never used before'")
    with running_proxy(cluster) as proxy:
        for server in cluster.servers:
            with direct(cluster, server) as connection:
                run(connection, "FLUSH LOCAL PRIVILEGES")
        with connect(cluster, proxy, user="u", password="never used before") as client:
            assert run(client, "SELECT CURRENT_USER()") == (("u@%",),)
    for server in cluster.servers:
        with direct(cluster, server) as connection:
            run(connection, "FLUSH LOCAL PRIVILEGES")
    with running_proxy(cluster) as proxy, connect(cluster, proxy) as client:
        assert run(client, "SELECT 5") == ((5,),)


def test_accounts_that_need_a_certificate_get_the_proxys(
    secure_cluster: SecureCluster, admin: Connection, tmp_path: Path
) -> None:
    cluster, authority = secure_cluster.cluster, secure_cluster.authority
    pair = authority.named("the-proxy")
    run(admin, "CREATE USER 'u'@'%' IDENTIFIED BY 'pw' REQUIRE SSL")
    run(admin, "CREATE USER 'v'@'%' IDENTIFIED BY 'pw' REQUIRE X509")
    shown = ("--server-tls-certificate", str(pair.certificate), "--server-tls-key", str(pair.key))
    own = ("--tls-client-ca", str(authority.certificate))
    client_side = {"ssl_cert": str(pair.certificate), "ssl_key": str(pair.key), "ssl": {"check_hostname": False}}
    with running_proxy(cluster, *shown, *own) as proxy:
        for user in ("u", "v"):
            with connect(cluster, proxy, user=user, password="pw", **client_side) as client:
                assert run(client, "SELECT CURRENT_USER()") == ((f"{user}@%",),)
    with running_proxy(cluster, *own) as proxy:
        with connect(cluster, proxy, user="u", password="pw", **client_side):
            pass
        with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
            connect(cluster, proxy, user="v", password="pw", **client_side)


def test_large_packets_in_both_directions(secure_cluster: SecureCluster, admin: Connection) -> None:
    for server in secure_cluster.cluster.servers:
        with direct(secure_cluster.cluster, server) as connection:
            run(connection, f"SET GLOBAL max_allowed_packet = {64 * MEBIBYTE}")
    text = "abcdefgh" * (18 * MEBIBYTE // 8)
    sql = f"SELECT SHA2('{text}', 256) AS sent, REPEAT('y', {20 * MEBIBYTE}) AS got"
    with (
        running_proxy(secure_cluster.cluster) as proxy,
        connect(secure_cluster.cluster, proxy, max_allowed_packet=64 * MEBIBYTE) as client,
    ):
        ((sent, got),) = run(client, sql)
        assert sent == hashlib.sha256(text.encode()).hexdigest()
        assert got == "y" * 20 * MEBIBYTE
