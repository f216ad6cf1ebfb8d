"""What becomes of a replica's accounts when it is copied, on real servers of both vendors."""

import asyncio
from dataclasses import replace

import pymysql
import pytest

from replication.actions import Users
from replication.report import SilentReporter
from replication.sandbox import Cluster, Flavor, LocalServer
from replication.setup import Options, set_up
from tests.support.clusters import blank_cluster
from topology.environment import Deployment, deployment, read_environment

_DENIED = 1045


def _run(server: LocalServer, *statements: str) -> None:
    login = {"host": server.host, "port": server.port, "user": server.user, "password": server.password}
    with pymysql.connect(**login) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _may_log_in(server: LocalServer, user: str, password: str) -> bool:
    try:
        pymysql.connect(host=server.host, port=server.port, user=user, password=password).close()
    except pymysql.err.OperationalError as error:
        if error.args[0] != _DENIED:
            raise
        return False
    return True


class Told(SilentReporter):
    """Keeps what was warned of."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, server: str, message: str) -> None:
        self.warnings.append(message)


def _copied_by_its_own_login(cluster: Cluster, users: Users) -> None:
    """The replica is reached as `own`, which the primary does not know; `app` is known to it alone."""
    primary, replica = cluster.servers
    _run(primary, "CREATE DATABASE shop", "CREATE TABLE shop.t (id INT PRIMARY KEY)")
    _run(primary, "CREATE USER app@'%' IDENTIFIED BY 'of the primary'")
    for user in ("own", "stale"):
        _run(replica, f"CREATE USER {user}@'%' IDENTIFIED BY 'secret'")
        _run(replica, f"GRANT ALL PRIVILEGES ON *.* TO {user}@'%' WITH GRANT OPTION")
    found = deployment(read_environment({}, cluster.environment_file))
    target = replace(found.replicas[0], user="own", password="secret")
    result = asyncio.run(set_up(Deployment(found.primary, (target,)), Options(users=users)))
    assert result.exit_code == 0, [str(each.error) for each in result.replicas]


@pytest.mark.parametrize("flavor", list(Flavor))
@pytest.mark.parametrize(
    ("users", "valid"),
    [(Users.COPY, {"app"}), (Users.MERGE, {"app", "own"}), (Users.KEEP, {"own", "stale"})],
)
def test_accounts_become_the_primarys_as_far_as_wanted(flavor: Flavor, users: Users, valid: set[str]) -> None:
    with blank_cluster(flavor, 1) as cluster:
        _copied_by_its_own_login(cluster, users)
        replica = cluster.servers[1]
        logins = {"app": "of the primary", "own": "secret", "stale": "secret"}
        assert {user for user, password in logins.items() if _may_log_in(replica, user, password)} == valid


@pytest.mark.parametrize("flavor", list(Flavor))
def test_accounts_of_names_that_the_primary_does_not_resolve_are_no_obstacle(flavor: Flavor) -> None:
    """MariaDB with skip_name_resolve does not show them, once it has read its tables again; MySQL does."""
    with blank_cluster(flavor, 1, {"skip_name_resolve": "ON"}) as cluster:
        primary, replica = cluster.servers
        unused = ("CREATE USER far@'db.example' IDENTIFIED BY 'secret'", "FLUSH PRIVILEGES")
        _run(primary, "CREATE DATABASE shop", "CREATE USER app@'db.example'", *unused)
        _run(primary, "DROP USER app@'db.example'", "CREATE USER app@'db.example' IDENTIFIED BY 'here'")
        _run(replica, "CREATE USER app@'db.example'", *unused)
        told = Told()
        found = deployment(read_environment({}, cluster.environment_file))
        result = asyncio.run(set_up(found, Options(), told))
        assert result.exit_code == 0, [str(each.error) for each in result.replicas]
        # The replica's root has the primary's password now.
        assert _names(replica, primary.password) == _names(primary, primary.password)
        left = [warning for warning in told.warnings if "left 'far'@'db.example' as it is there" in warning]
        assert len(left) == (flavor is Flavor.MARIADB)


def _names(server: LocalServer, password: str) -> set[tuple[str, ...]]:
    login = {"host": server.host, "port": server.port, "user": server.user, "password": password}
    with pymysql.connect(**login) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT User, Host FROM mysql.user")
        return set(cursor.fetchall())
