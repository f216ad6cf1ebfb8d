"""Who may log in: the primary's accounts as they are now, or those of the configuration."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mysql.connector
import pymysql
import pytest

from replication.sandbox import Cluster, Flavor
from tests.support.clients import Connection, connect, direct, run
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.wireclient import Login, Refused, WireClient

SCHEMA = "accounts_test"
HOSTS = ("127.0.0.1", "localhost", "%", "127.0.0.%", "127.0.0.0/255.0.0.0", "10.%")
ACCESS_DENIED, DATABASE_DENIED, UNSUPPORTED, DENIED_WITHOUT_PASSWORD = 1045, 1044, 1251, 1698
LOCKED = {Flavor.MARIADB: 4151, Flavor.MYSQL: 3118}


@pytest.fixture
def admin(shared_cluster: Cluster) -> Iterator[Connection]:
    """The primary itself: accounts change behind the proxy's back. The accounts u and v are gone afterwards."""
    with direct(shared_cluster, shared_cluster.servers[0]) as connection:
        try:
            run(connection, f"CREATE DATABASE IF NOT EXISTS {SCHEMA}")
            yield connection
        finally:
            for user in ("u", "v"):
                for host in HOSTS:
                    run(connection, f"DROP USER IF EXISTS '{user}'@'{host}'")
            run(connection, f"DROP DATABASE {SCHEMA}")


def error_of(cluster: Cluster, proxy: ProxyProcess, **options: Any) -> tuple[int, str]:
    """Number and text of the error that a login through the proxy gets."""
    with pytest.raises(pymysql.err.MySQLError) as caught:
        connect(cluster, proxy, **options)
    number, message = caught.value.args
    return number, message


def direct_error(cluster: Cluster, **options: Any) -> tuple[int, str]:
    """The same without the proxy."""
    with pytest.raises(pymysql.err.MySQLError) as caught:
        direct(cluster, cluster.servers[0], **options)
    number, message = caught.value.args
    return number, message


def whoami(connection: Connection) -> str:
    return str(run(connection, "SELECT CURRENT_USER()")[0][0])


@pytest.mark.parametrize("host", [host for host in HOSTS if host != "10.%"])
def test_a_new_account_works_at_once(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, admin: Connection, host: str
) -> None:
    run(admin, f"CREATE USER 'u'@'{host}' IDENTIFIED BY 'first'")
    for _ in range(3):
        with connect(shared_cluster, shared_proxy, user="u", password="first") as client:
            with direct(shared_cluster, shared_cluster.servers[0], user="u", password="first") as same:
                assert whoami(client) == whoami(same) == f"u@{host}"
            assert run(client, "SELECT 5") == ((5,),)


def test_an_account_for_other_hosts_is_refused(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, admin: Connection
) -> None:
    run(admin, "CREATE USER 'u'@'10.%' IDENTIFIED BY 'first'")
    options = {"user": "u", "password": "first"}
    assert error_of(shared_cluster, shared_proxy, **options) == direct_error(shared_cluster, **options)
    assert error_of(shared_cluster, shared_proxy, **options)[0] == ACCESS_DENIED


def test_the_most_specific_host_counts(shared_cluster: Cluster, shared_proxy: ProxyProcess, admin: Connection) -> None:
    run(admin, "CREATE USER 'u'@'%' IDENTIFIED BY 'anywhere'")
    run(admin, "CREATE USER 'u'@'localhost' IDENTIFIED BY 'here'")
    with connect(shared_cluster, shared_proxy, user="u", password="here") as client:
        assert whoami(client) == "u@localhost"
    options = {"user": "u", "password": "anywhere"}
    assert error_of(shared_cluster, shared_proxy, **options) == direct_error(shared_cluster, **options)


@pytest.mark.parametrize("failures", [0, 2])
def test_a_changed_password_counts_at_once(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, admin: Connection, failures: int
) -> None:
    """Also when the accounts were read a moment ago because of somebody's wrong password."""
    run(admin, "CREATE USER 'u'@'%' IDENTIFIED BY 'first'")
    for number in range(6):
        old, new = ("first", "second") if number % 2 == 0 else ("second", "first")
        with connect(shared_cluster, shared_proxy, user="u", password=old):
            pass
        for _ in range(failures):
            assert error_of(shared_cluster, shared_proxy, user="u", password="wrong")[0] == ACCESS_DENIED
        run(admin, f"ALTER USER 'u'@'%' IDENTIFIED BY '{new}'")
        if number < 3:
            expected = direct_error(shared_cluster, user="u", password=old)
            assert error_of(shared_cluster, shared_proxy, user="u", password=old) == expected
        with connect(shared_cluster, shared_proxy, user="u", password=new) as client:
            assert run(client, "SELECT 5") == ((5,),)


def test_a_new_account_works_though_its_name_was_tried_before(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, admin: Connection
) -> None:
    assert error_of(shared_cluster, shared_proxy, user="u", password="first")[0] == ACCESS_DENIED
    run(admin, "CREATE USER 'u'@'%' IDENTIFIED BY 'first'")
    with connect(shared_cluster, shared_proxy, user="u", password="first") as client:
        assert whoami(client) == "u@%"


def test_a_dropped_account_is_refused(shared_cluster: Cluster, shared_proxy: ProxyProcess, admin: Connection) -> None:
    run(admin, "CREATE USER 'u'@'%' IDENTIFIED BY 'first'")
    options = {"user": "u", "password": "first"}
    with connect(shared_cluster, shared_proxy, **options) as client:
        assert run(client, "SELECT 5") == ((5,),)
    run(admin, "DROP USER 'u'@'%'")
    assert error_of(shared_cluster, shared_proxy, **options) == direct_error(shared_cluster, **options)


def test_grants_on_one_schema(shared_cluster: Cluster, shared_proxy: ProxyProcess, admin: Connection) -> None:
    run(admin, "CREATE USER 'u'@'%' IDENTIFIED BY 'first'")
    run(admin, f"GRANT SELECT ON {SCHEMA}.* TO 'u'@'%'")
    options = {"user": "u", "password": "first"}
    with connect(shared_cluster, shared_proxy, database=SCHEMA, **options) as client:
        assert run(client, "SELECT DATABASE()") == ((SCHEMA,),)
        with pytest.raises(pymysql.err.OperationalError, match="1044"):
            client.select_db("mysql")
        with pytest.raises(pymysql.err.OperationalError, match="1142"):
            run(client, "SELECT * FROM mysql.user")
        assert run(client, "SELECT DATABASE()") == ((SCHEMA,),)
    other = {**options, "database": "mysql"}
    assert error_of(shared_cluster, shared_proxy, **other) == direct_error(shared_cluster, **other)
    assert error_of(shared_cluster, shared_proxy, **other)[0] == DATABASE_DENIED


def test_an_empty_password(shared_cluster: Cluster, shared_proxy: ProxyProcess, admin: Connection) -> None:
    run(admin, "CREATE USER 'u'@'%' IDENTIFIED BY ''")
    with connect(shared_cluster, shared_proxy, user="u", password="") as client:
        assert whoami(client) == "u@%"
    options = {"user": "u", "password": "some"}
    assert error_of(shared_cluster, shared_proxy, **options) == direct_error(shared_cluster, **options)


def test_a_long_password_of_many_scripts(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, admin: Connection
) -> None:
    password = "pässwörd 密码 \"quoted\" 'q' \\ %" + "x" * 60
    with direct(shared_cluster, shared_cluster.servers[0], charset="utf8mb4") as control, control.cursor() as cursor:
        cursor.execute("CREATE USER 'u'@'%%' IDENTIFIED BY %s", (password,))
    options = {"user": "u", "password": password.encode()}
    with direct(shared_cluster, shared_cluster.servers[0], **options) as client:
        assert whoami(client) == "u@%"
    for _ in range(2):
        with connect(shared_cluster, shared_proxy, **options) as client:
            assert run(client, "SELECT 5") == ((5,),)


def test_a_locked_account(shared_cluster: Cluster, shared_proxy: ProxyProcess, admin: Connection) -> None:
    run(admin, "CREATE USER 'u'@'%' IDENTIFIED BY 'first' ACCOUNT LOCK")
    options = {"user": "u", "password": "first"}
    assert error_of(shared_cluster, shared_proxy, **options) == direct_error(shared_cluster, **options)
    assert error_of(shared_cluster, shared_proxy, **options)[0] == LOCKED[shared_cluster.flavor]
    run(admin, "ALTER USER 'u'@'%' ACCOUNT UNLOCK")
    with connect(shared_cluster, shared_proxy, **options) as client:
        assert run(client, "SELECT 5") == ((5,),)


def test_an_expired_password(shared_cluster: Cluster, shared_proxy: ProxyProcess, admin: Connection) -> None:
    run(admin, "CREATE USER 'u'@'%' IDENTIFIED BY 'first' PASSWORD EXPIRE")
    primary = shared_cluster.servers[0]
    outcomes: list[object] = []
    for host, port in ((primary.host, primary.port), (shared_proxy.host, shared_proxy.port)):
        with WireClient(host, port) as client:
            try:
                client.log_in(Login("u", "first"))
            except Refused as error:
                outcomes.append(error.err)
            else:
                outcomes.append(client.query("SELECT 1"))
    assert outcomes[0] == outcomes[1]
    assert "expired" in str(outcomes[0]) or "ALTER USER" in str(outcomes[0]) or "SET PASSWORD" in str(outcomes[0])


@pytest.fixture
def unlogged(admin: Connection) -> Iterator[Connection]:
    """The primary, whose changes stay its own: replicas without a plugin would stop at its account."""
    run(admin, "SET SESSION sql_log_bin = 0")
    yield admin
    run(admin, "DROP USER IF EXISTS 'u'@'%'")
    run(admin, "SET SESSION sql_log_bin = 1")


def test_a_method_that_the_proxy_cannot_verify(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, unlogged: Connection
) -> None:
    if shared_cluster.flavor is Flavor.MYSQL or not has_ed25519(unlogged):
        pytest.skip("this server has no such method that its own machine does not decide")
    run(unlogged, "CREATE USER 'u'@'%' IDENTIFIED VIA ed25519 USING PASSWORD('first')")
    number, message = error_of(shared_cluster, shared_proxy, user="u", password="second")
    assert number == UNSUPPORTED
    assert "ed25519" in message
    run(unlogged, "UNINSTALL SONAME 'auth_ed25519'")


@pytest.mark.parametrize("password", ["first", ""])
def test_an_account_for_the_servers_own_machine(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, unlogged: Connection, password: str
) -> None:
    """The number is the server's, the text says more."""
    mysql = shared_cluster.flavor is Flavor.MYSQL
    if mysql:
        run(unlogged, "INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'")
    method = "auth_socket" if mysql else "unix_socket"
    try:
        run(unlogged, f"CREATE USER 'u'@'%' IDENTIFIED {'WITH' if mysql else 'VIA'} {method}")
        wanted, text = direct_error(shared_cluster, user="u", password=password)
        number, message = error_of(shared_cluster, shared_proxy, user="u", password=password)
    finally:
        run(unlogged, "DROP USER IF EXISTS 'u'@'%'")
        if mysql:
            run(unlogged, "UNINSTALL PLUGIN auth_socket")
    assert number == wanted == DENIED_WITHOUT_PASSWORD
    assert message.startswith(f"{text}: "), message
    assert f"the authentication method '{method}'" in message


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.2"])
def test_a_host_that_no_account_is_for(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, unlogged: Connection, source: str
) -> None:
    """An error stands in the place of the greeting, unless the host is localhost, which accounts are left for."""
    primary = shared_cluster.servers[0]
    anywhere = run(unlogged, "SELECT User FROM mysql.user WHERE Host = '%'")
    endpoints = ((primary.host, primary.port), (shared_proxy.host, shared_proxy.port))
    try:
        move(unlogged, anywhere, "%", "10.%")
        # A failed login has the proxy read the accounts anew.
        assert error_of(shared_cluster, shared_proxy, password="wrong")[0] == ACCESS_DENIED
        outcomes = [first_packet(endpoint, source) for endpoint in endpoints]
        assert outcomes[0] == outcomes[1]
        assert b"is not allowed to connect" in outcomes[0] or source == "127.0.0.1"
    finally:
        move(unlogged, anywhere, "10.%", "%")
    with WireClient(*endpoints[1], source=source) as client:
        client.log_in(Login(primary.user, primary.password))


def move(admin: Connection, users: tuple[tuple[str, ...], ...], old: str, new: str) -> None:
    for (user,) in users:
        run(admin, f"RENAME USER '{user}'@'{old}' TO '{user}'@'{new}'")
    # Servers do not forget before that that everybody was welcome.
    run(admin, "FLUSH PRIVILEGES")


def first_packet(endpoint: tuple[str, int], source: str) -> bytes:
    """What a client from `source` is greeted with; of a greeting its first byte."""
    with WireClient(*endpoint, source=source) as client:
        sequence, payload = client.packet()
        if payload[:1] == b"\n":
            return payload[:1]
        assert client.is_closed()
        return bytes((sequence,)) + payload


def has_ed25519(admin: Connection) -> bool:
    try:
        run(admin, "INSTALL SONAME 'auth_ed25519'")
    except pymysql.err.OperationalError:
        return False
    return True


def test_one_of_several_methods_is_enough(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, admin: Connection
) -> None:
    if shared_cluster.flavor is Flavor.MYSQL:
        pytest.skip("accounts of MySQL have one method, or several that are all needed")
    run(admin, "CREATE USER 'u'@'%' IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD('first')")
    with connect(shared_cluster, shared_proxy, user="u", password="first") as client:
        assert whoami(client) == "u@%"


def test_accounts_of_the_configuration(shared_cluster: Cluster, admin: Connection, tmp_path: Path) -> None:
    for user in ("u", "v"):
        run(admin, f"CREATE USER '{user}'@'%' IDENTIFIED BY 'first'")
    file = tmp_path / "proxy.toml"
    file.write_text("accounts = [{user = 'u', password = 'first'}, {user = 'ghost', password = 'boo'}]\n")
    with running_proxy(shared_cluster, "--config", str(file)) as proxy:
        for _ in range(2):
            with connect(shared_cluster, proxy, user="u", password="first") as client:
                assert whoami(client) == "u@%"
        for user, password in (("v", "first"), ("u", "second"), ("u", ""), ("ghost", "boo"), ("ghost", "first")):
            assert error_of(shared_cluster, proxy, user=user, password=password)[0] == ACCESS_DENIED
        assert "first" not in proxy.log


def test_the_second_login_of_caching_sha2_is_short(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, admin: Connection
) -> None:
    if shared_cluster.flavor is Flavor.MARIADB:
        pytest.skip("MariaDB's method has one kind of login")
    run(admin, "CREATE USER 'u'@'%' IDENTIFIED BY 'never used before'")
    rounds = []
    for _ in range(3):
        with CountingClient(shared_proxy.host, shared_proxy.port) as client:
            client.log_in(Login("u", "never used before"))
            rounds.append(client.packets)
    # Greeting, "full", the key, OK; then greeting, "fast", OK.
    assert rounds == [4, 3, 3]


class CountingClient(WireClient):
    """Counts what it receives."""

    packets = 0

    def packet(self) -> tuple[int, bytes]:
        self.packets += 1
        return super().packet()


def test_a_driver_that_sends_its_password_in_clear_can_log_in_on_this_machine(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, admin: Connection
) -> None:
    """mysql-connector-python does, when it cannot have TLS and the account's first login is due."""
    run(admin, "CREATE USER 'u'@'%' IDENTIFIED BY 'first'")
    address = {"host": shared_proxy.host, "port": shared_proxy.port, "use_pure": True, "ssl_disabled": True}
    with mysql.connector.connect(user="u", password="first", **address) as connection:
        assert connection.is_connected()
    with pytest.raises(mysql.connector.Error, match="Access denied"):
        mysql.connector.connect(user="u", password="second", **address)
