"""Three servers that are a Galera cluster (MariaDB) or a Group Replication group (MySQL), instead of replicating."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pymysql
import pytest

from replication.sandbox import Cluster, Flavor, LocalServer
from replication.sandbox.ports import claim_ports
from replication.sandbox.programs import servers_directory
from tests.support.clients import Rows, direct, run
from tests.support.clusters import blank_cluster
from tests.support.waiting import wait_until

_GROUP: Final = "8a94f357-aab4-11df-86ab-c80aa9429562"
_JOINED: Final = {
    Flavor.MARIADB: "SHOW GLOBAL STATUS LIKE 'wsrep_local_state_comment'",
    Flavor.MYSQL: "SELECT MEMBER_ID, MEMBER_STATE FROM performance_schema.replication_group_members "
    "WHERE MEMBER_ID = @@server_uuid",
}
_MEMBER: Final = {Flavor.MARIADB: "Synced", Flavor.MYSQL: "ONLINE"}
_STATE: Final = "# GALERA saved state\nversion: 2.1\nuuid: {group}\nseqno: {number}\nsafe_to_bootstrap: {first:d}\n"


@contextmanager
def group(flavor: Flavor) -> Iterator[Cluster]:
    """All three are members, the first was there first."""
    options = {"report_host": "127.0.0.1"} if flavor is Flavor.MYSQL else {}
    with blank_cluster(flavor, options=options) as cluster:
        for server in cluster.servers[1:]:
            _give_password(cluster, server)
        ports = claim_ports(3, cluster.environment_file)
        (_galera if flavor is Flavor.MARIADB else _group_replication)(cluster, ports)
        yield cluster


def on(cluster: Cluster, server: LocalServer, *statements: str) -> Rows:
    """Run statements as root; the rows of the last."""
    with direct(cluster, server) as connection:
        return [run(connection, statement) for statement in statements][-1]


def is_member(cluster: Cluster, server: LocalServer) -> bool:
    """Whether the server says that it is a whole member."""
    try:
        rows = on(cluster, server, _JOINED[cluster.flavor])
    except pymysql.MySQLError:
        return False
    return bool(rows) and rows[0][1] == _MEMBER[cluster.flavor]


def _wait_for(cluster: Cluster, server: LocalServer) -> None:
    wait_until(lambda: is_member(cluster, server), f"{server} has joined", lambda: server.error_log.read_text()[-3000:])


def _give_password(cluster: Cluster, server: LocalServer) -> None:
    """Let root have the first server's password, as it has on all members where they are given their data."""
    login = pymysql.connect(host=server.host, port=server.port, user=server.user, password=server.password)
    with login as connection:
        run(connection, "SET SESSION sql_log_bin = 0")
        for host in ("localhost", "%"):
            run(connection, f"ALTER USER root@'{host}' IDENTIFIED BY '{cluster.servers[0].password}'")


def _galera(cluster: Cluster, ports: list[int]) -> None:
    library = servers_directory(os.environ) / "galera/usr/lib/galera/libgalera_smm.so"
    if not library.exists():
        pytest.skip("no Galera library is here: tools/install-galera")
    receivers = claim_ports(3, cluster.environment_file)
    for at, server in enumerate(cluster.servers):
        server.stop()
        others = ",".join(f"127.0.0.1:{port}" for port in ports) if at else ""
        own = f"127.0.0.1:{ports[at]}"
        with server.layout.option_file.open("a") as file:
            file.write(
                f"wsrep_on = ON\nwsrep_provider = {library}\nwsrep_cluster_name = many\nbinlog_format = ROW\n"
                f"wsrep_cluster_address = gcomm://{others}\nwsrep_node_address = {own}\n"
                # All three begin with the same data, that of a new server; each that joins counts as one transaction.
                "wsrep_sst_method = skip\ninnodb_autoinc_lock_mode = 2\n"
                f'wsrep_provider_options = "base_host=127.0.0.1; base_port={ports[at]}; gcache.size=16M; '
                f'gmcast.listen_addr=tcp://{own}; ist.recv_addr=127.0.0.1:{receivers[at]}"\n'
            )
        state = server.datadir / "grastate.dat"
        state.write_text(_STATE.format(group=_GROUP, number=at, first=not at))
        shutil.chown(state, server.datadir.owner(), server.datadir.group())
        server.start()
        _wait_for(cluster, server)


def _group_replication(cluster: Cluster, ports: list[int]) -> None:
    seeds = ",".join(f"127.0.0.1:{port}" for port in ports)
    for at, server in enumerate(cluster.servers):
        on(
            cluster,
            server,
            "INSTALL PLUGIN group_replication SONAME 'group_replication.so'",
            f"SET GLOBAL group_replication_group_name = '{_GROUP}'",
            f"SET GLOBAL group_replication_local_address = '127.0.0.1:{ports[at]}'",
            f"SET GLOBAL group_replication_group_seeds = '{seeds}'",
            "SET GLOBAL group_replication_ip_allowlist = '127.0.0.1/32'",
            "SET GLOBAL group_replication_recovery_get_public_key = ON",
            # One that is gone is given up soon.
            "SET GLOBAL group_replication_member_expel_timeout = 0",
            f"SET GLOBAL group_replication_bootstrap_group = {'OFF' if at else 'ON'}",
            f"START GROUP_REPLICATION USER = 'root', PASSWORD = '{cluster.servers[0].password}'",
            "SET GLOBAL group_replication_bootstrap_group = OFF",
        )
        _wait_for(cluster, server)
