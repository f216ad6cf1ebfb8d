"""A proxy in front of a Galera cluster and of a Group Replication group. Tests of one kind share servers, in order."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from replication.sandbox import Cluster, Flavor
from tests.support.clients import Connection, connect, run
from tests.support.groups import group, is_member, on
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until
from topology.environment import deployment, read_environment
from topology.probe import Prober


@pytest.fixture(scope="module", params=list(Flavor))
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with group(Flavor(request.param)) as made:
        on(made, made.servers[0], "CREATE DATABASE app", "CREATE TABLE app.t (id INT PRIMARY KEY) ENGINE = InnoDB")
        yield made


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[ProxyProcess]:
    with running_proxy(cluster, "--primary-wait", "60") as proxy:
        yield proxy


def servers(client: Connection) -> dict[str, tuple[str, str, str]]:
    """Role, health and its reason, by name."""
    return {row[0]: (row[2], row[3], row[4]) for row in run(client, "SHOW PROXY SERVERS")}


def primary_of(client: Connection) -> str:
    return next(name for name, (role, _, _) in servers(client).items() if role == "primary")


def reads(client: Connection) -> dict[str, int]:
    """How many each server has answered, by the proxy's own count."""
    return {row[0]: row[7] for row in run(client, "SHOW PROXY SERVERS")}


def readers(client: Connection) -> set[str]:
    """The names of the servers that answer a number of reads."""
    before = reads(client)
    for _ in range(20):
        run(client, "SELECT COUNT(*) FROM app.t")
    return {name for name, count in reads(client).items() if count > before[name]}


def test_all_members_are_used(cluster: Cluster, proxy: ProxyProcess) -> None:
    with connect(cluster, proxy) as client:
        wait_until(
            lambda: {health for _, health, _ in servers(client).values()} == {"healthy"},
            "all members are fit",
            lambda: f"{servers(client)}\n{proxy.log}",
        )
        assert primary_of(client) == "dbwrite"
        for number in range(50):
            run(client, f"INSERT INTO app.t VALUES ({number})")
            assert run(client, "SELECT COUNT(*) FROM app.t") == ((number + 1,),)
        wait_until(lambda: readers(client) == {"dbread1", "dbread2"}, "both are read from", lambda: proxy.log)


def test_positions_are_waited_for(cluster: Cluster) -> None:
    password = cluster.servers[0].password
    servers = deployment(read_environment({}, cluster.environment_file)).servers
    found = {server.name: replace(server, password=password) for server in servers}

    async def waits() -> list[bool]:
        with closing(Prober(found["dbwrite"], 10)) as first, closing(Prober(found["dbread1"], 10)) as other:
            position = await first.position()
            group, _, numbers = position.split(",")[0].partition(":")
            later = f"{group}:1-{int(re.split('[:-]', numbers)[-1]) + 10_000_000}"
            return [await other.wait_for(position, 20), await other.wait_for(later, 0.2)]

    assert asyncio.run(waits()) == [True, False]


def test_a_member_that_is_taken_out_is_read_from_no_more(cluster: Cluster, proxy: ProxyProcess) -> None:
    server = cluster.server("dbread2")
    leave, come_back = {
        Flavor.MARIADB: ("SET GLOBAL wsrep_desync = ON", "SET GLOBAL wsrep_desync = OFF"),
        Flavor.MYSQL: (
            "STOP GROUP_REPLICATION",
            f"START GROUP_REPLICATION USER = 'root', PASSWORD = '{cluster.servers[0].password}'",
        ),
    }[cluster.flavor]
    expected = {Flavor.MARIADB: ("replica", "lagging"), Flavor.MYSQL: ("replica", "broken")}[cluster.flavor]
    with connect(cluster, proxy) as client:
        on(cluster, server, leave)
        wait_until(lambda: servers(client)["dbread2"][:2] == expected, "it is out of use", lambda: f"{servers(client)}")
        assert readers(client) <= {"dbwrite", "dbread1"}
        on(cluster, server, come_back)
        wait_until(lambda: is_member(cluster, server), "it is a member again")
        wait_until(lambda: servers(client)["dbread2"][1] == "healthy", "it is used again", lambda: f"{servers(client)}")


def test_another_member_takes_over(cluster: Cluster, proxy: ProxyProcess) -> None:
    with connect(cluster, proxy) as client:
        cluster.servers[0].kill()
        # What is under way when it dies is lost with it.
        wait_until(lambda: servers(client)["dbwrite"][1] == "down", "the loss is seen", lambda: proxy.log)
        # Waits for the group to give up the lost member.
        run(client, "INSERT INTO app.t VALUES (1000)")
        assert run(client, "SELECT COUNT(*) FROM app.t WHERE id = 1000") == ((1,),)
        heir = primary_of(client)
        assert heir != "dbwrite"
        assert on(cluster, cluster.server(heir), "SELECT @@read_only, COUNT(*) FROM app.t") == ((0, 51),)
        assert servers(client)["dbwrite"][:2] == ("replica", "down")


def test_a_member_without_the_others_is_not_used(cluster: Cluster, proxy: ProxyProcess) -> None:
    with connect(cluster, proxy) as client:
        last = primary_of(client)
        other = next(server for server in cluster.servers[1:] if server.name != last)
        other.kill()
        wait_until(
            lambda: servers(client)[last][1] == "broken", "it is cut off", lambda: f"{servers(client)}\n{proxy.log}"
        )
        assert "not in the primary component" in servers(client)[last][2]
