"""What the primary judges beside the password, in its words: limits, locks, expiry, counted failures, roles."""

from collections.abc import Iterator

import pytest

from proxy.wire import constants as c
from proxy.wire.replies import Err
from replication.sandbox import Cluster, Flavor
from tests.support.clients import Connection, direct, run
from tests.support.proxies import ProxyProcess
from tests.support.wireclient import CAPABILITIES, Login, Packet, Refused, WireClient

USER = "judged"
SANDBOX = CAPABILITIES | c.CLIENT_CAN_HANDLE_EXPIRED_PASSWORDS


@pytest.fixture
def admin(shared_cluster: Cluster) -> Iterator[Connection]:
    with direct(shared_cluster, shared_cluster.servers[0]) as connection:
        try:
            yield connection
        finally:
            run(connection, f"DROP USER IF EXISTS {USER}@'%'")
            run(connection, "DROP ROLE IF EXISTS judged_role")


@pytest.fixture
def endpoints(shared_cluster: Cluster, shared_proxy: ProxyProcess) -> list[tuple[str, int]]:
    primary = shared_cluster.servers[0]
    return [(primary.host, primary.port), (shared_proxy.host, shared_proxy.port)]


def session(endpoint: tuple[str, int], login: Login, *statements: str) -> Err | list[list[Packet]]:
    """The error of a login, or the replies to statements after it."""
    with WireClient(*endpoint) as client:
        try:
            client.log_in(login)
        except Refused as refused:
            return refused.err
        return [client.query(sql) for sql in statements]


def test_a_limit_on_connections(endpoints: list[tuple[str, int]], admin: Connection) -> None:
    run(admin, f"CREATE USER {USER}@'%' IDENTIFIED BY 'first' WITH MAX_USER_CONNECTIONS 1")
    with WireClient(*endpoints[0]) as client:
        client.log_in(Login(USER, "first"))
        without, through = (session(endpoint, Login(USER, "first")) for endpoint in endpoints)
    assert without == through
    assert isinstance(without, Err)
    assert without.errno == 1226


@pytest.mark.parametrize("password", ["first", "wrong", ""])
def test_a_locked_account(endpoints: list[tuple[str, int]], admin: Connection, password: str) -> None:
    run(admin, f"CREATE USER {USER}@'%' IDENTIFIED BY 'first' ACCOUNT LOCK")
    without, through = (session(endpoint, Login(USER, password)) for endpoint in endpoints)
    assert without == through
    assert isinstance(without, Err)


@pytest.mark.parametrize("capabilities", [CAPABILITIES, SANDBOX], ids=["plain", "sandbox"])
def test_an_expired_password(
    shared_cluster: Cluster, endpoints: list[tuple[str, int]], admin: Connection, capabilities: int
) -> None:
    new = "'second'" if shared_cluster.flavor is Flavor.MYSQL else "PASSWORD('second')"
    outcomes = []
    for endpoint in endpoints:
        run(admin, f"DROP USER IF EXISTS {USER}@'%'")
        run(admin, f"CREATE USER {USER}@'%' IDENTIFIED BY 'first' PASSWORD EXPIRE")
        login = Login(USER, "first", capabilities=capabilities)
        outcomes.append(session(endpoint, login, "SELECT 1", "SELECT 1", f"SET PASSWORD = {new}", "SELECT 1"))
    assert outcomes[0] == outcomes[1]
    if isinstance(outcomes[0], Err):
        assert outcomes[0].errno == 1862


def test_failed_logins_count(shared_cluster: Cluster, endpoints: list[tuple[str, int]], admin: Connection) -> None:
    if shared_cluster.flavor is Flavor.MARIADB:
        pytest.skip("MariaDB counts for the whole server")
    run(admin, f"CREATE USER {USER}@'%' IDENTIFIED BY 'first' FAILED_LOGIN_ATTEMPTS 2 PASSWORD_LOCK_TIME 3")
    outcomes = []
    for endpoint in endpoints:
        run(admin, f"ALTER USER {USER}@'%' ACCOUNT UNLOCK")
        outcomes.append([session(endpoint, Login(USER, word)) for word in ("wrong", "wrong", "first")])
    assert outcomes[0] == outcomes[1]
    last = outcomes[0][-1]
    assert isinstance(last, Err)
    assert last.errno == 3955


def test_default_roles(shared_cluster: Cluster, endpoints: list[tuple[str, int]], admin: Connection) -> None:
    run(admin, "CREATE ROLE judged_role")
    run(admin, f"CREATE USER {USER}@'%' IDENTIFIED BY 'first'")
    run(admin, f"GRANT judged_role TO {USER}@'%'")
    mysql = shared_cluster.flavor is Flavor.MYSQL
    run(admin, f"SET DEFAULT ROLE judged_role {'TO' if mysql else 'FOR'} {USER}@'%'")
    without, through = (session(endpoint, Login(USER, "first"), "SELECT CURRENT_ROLE()") for endpoint in endpoints)
    assert without == through
    assert "judged_role" in str(without)
    refused = [session(endpoint, Login("judged_role", "")) for endpoint in endpoints]
    assert refused[0] == refused[1]
    assert isinstance(refused[0], Err)
