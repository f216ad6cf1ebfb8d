"""Allowed networks and users, and what becomes of those who guess passwords."""

import re
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql
import pytest

from proxy.wire.proxyprotocol import header_1
from replication.sandbox import Cluster
from tests.support.clients import connect, direct, run
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until
from tests.support.wireclient import Login, Refused, WireClient, first_error

USERS = ("allowed", "kept_out")


@pytest.fixture(scope="module", autouse=True)
def users(shared_cluster: Cluster) -> Iterator[None]:
    with direct(shared_cluster, shared_cluster.servers[0]) as admin:
        for user in USERS:
            run(admin, f"CREATE USER {user}@'%' IDENTIFIED BY 'right'")
        yield
        for user in USERS:
            run(admin, f"DROP USER {user}@'%'")


def denial(proxy: ProxyProcess, user: str, password: str, header: bytes = b"", source: str = "") -> str:
    """Number and text of the error that a login gets, empty for none."""
    try:
        with WireClient(proxy.host, proxy.port, source=source) as client:
            client.send_bytes(header)
            client.log_in(Login(user, password))
    except Refused as error:
        return f"{error.err.errno} {error.err.message}"
    return ""


def refusals(proxy: ProxyProcess) -> dict[str, float]:
    """How many logins were refused, by reason."""
    found = re.search(r"health on (http://\S+)/", proxy.log)
    assert found is not None
    with urllib.request.urlopen(f"{found[1]}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    lines = re.findall(r'manyreads_logins_refused_total\{reason="(\w+)"\} ([\d.]+)', text)
    return {reason: float(count) for reason, count in lines}


@contextmanager
def guarded(cluster: Cluster, *flags: str) -> Iterator[ProxyProcess]:
    with running_proxy(cluster, "--http", "127.0.0.1:0", *flags) as proxy:
        yield proxy


def test_users_that_are_not_allowed_are_refused_like_those_that_do_not_exist(shared_cluster: Cluster) -> None:
    with guarded(shared_cluster, "--allowed-users", "allowed,nobody") as proxy:
        assert denial(proxy, "allowed", "right") == ""
        told = {user: denial(proxy, user, "right").replace(user, "USER") for user in ("kept_out", "stranger", "nobody")}
        assert set(told.values()) == {"1045 Access denied for user 'USER'@'localhost' (using password: YES)"}
        with pymysql.connect(host=proxy.host, port=proxy.port, user="allowed", password="right") as client:
            assert run(client, "SELECT 5") == ((5,),)
        assert "'kept_out' is not among allowed_users" in proxy.log
        assert refusals(proxy) == {"address": 0, "user": 2, "password": 1, "blocked": 0}


def test_the_new_user_of_a_session_has_to_be_allowed_too(shared_cluster: Cluster) -> None:
    flags = ("--allowed-users", "allowed")
    with guarded(shared_cluster, *flags) as proxy, WireClient(proxy.host, proxy.port) as client:
        client.log_in(Login("allowed", "right"))
        error = first_error(client.change_user(Login("kept_out", "right")))
        assert error is not None
        assert error.errno == 1045
        assert client.is_closed()


def test_clients_from_elsewhere_are_refused(shared_cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "manyreads.toml"
    balancers = 'proxy_protocol_networks = ["127.0.0.2/32"]'
    file.write_text(f'allowed_networks = ["10.1.0.0/16"]\n{balancers}\n', encoding="utf-8")
    with guarded(shared_cluster, "--config", str(file)) as proxy:
        assert denial(proxy, "allowed", "right").startswith("1130 Host 'localhost' is not allowed to connect")
        inside, outside = (header_1((address, 1), ("10.9.9.9", 2)) for address in ("10.1.2.3", "10.2.2.3"))
        assert denial(proxy, "allowed", "right", inside, "127.0.0.2") == ""
        assert denial(proxy, "allowed", "right", outside, "127.0.0.2").startswith("1130 Host '10.2.2.3'")
        assert "127.0.0.1 is in none of allowed_networks" in proxy.log
        assert refusals(proxy)["address"] >= 2
        file.write_text('allowed_networks = ["127.0.0.0/8"]\n', encoding="utf-8")
        wait_until(lambda: not denial(proxy, "allowed", "right"), "this machine is allowed by now")


def test_who_guesses_passwords_has_to_wait_whether_there_is_such_a_user_or_not(shared_cluster: Cluster) -> None:
    with guarded(shared_cluster, "--failed-logins", "3", "--audit-log") as proxy:
        for user in ("allowed", "nobody"):
            told = [denial(proxy, user, "wrong") for _ in range(3)]
            assert {text.partition(" (")[0] for text in told} == {f"1045 Access denied for user '{user}'@'localhost'"}
            told = [denial(proxy, user, "right"), denial(proxy, user, "wrong")]
            expected = f"1045 Access denied for user '{user}'@'localhost': too many failed logins; try again in"
            assert {text.rpartition(" in ")[0] + " in" for text in told} == {expected}, told
        with connect(shared_cluster, proxy) as client:
            assert run(client, "SELECT 5") == ((5,),)
        wait_until(lambda: not denial(proxy, "allowed", "right"), "the right password is looked at again")
        assert refusals(proxy)["password"] == 6
        assert refusals(proxy)["blocked"] >= 4
        assert "login refused client=127.0.0.1" in proxy.log
