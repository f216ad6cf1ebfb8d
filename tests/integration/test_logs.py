"""What a proxy logs when it is asked to log more, or for programs."""

import json
from pathlib import Path
from typing import Any

import pymysql
import pytest

from replication.sandbox import Cluster
from tests.support.clients import connect, run
from tests.support.proxies import ProxyProcess, running_proxy
from tests.support.waiting import wait_until


def lines(proxy: ProxyProcess) -> list[dict[str, Any]]:
    """Each line that is whole, which must be an object."""
    return [json.loads(line) for line in proxy.log.split("\n")[:-1]]


def found(proxy: ProxyProcess, message: str) -> list[dict[str, Any]]:
    return [line for line in lines(proxy) if line["message"] == message]


def test_lines_for_programs(shared_cluster: Cluster) -> None:
    primary = shared_cluster.servers[0]
    flags = ("--log-format", "json", "--audit-log", "--long-query-time", "0.2")
    with running_proxy(shared_cluster, *flags) as proxy:
        with connect(shared_cluster, proxy) as client:
            run(client, "SELECT SLEEP(0.3), 'a secret literal'")
            run(client, "SELECT 'another secret'")
        with pytest.raises(pymysql.MySQLError):
            pymysql.connect(host=proxy.host, port=proxy.port, user=primary.user, password="a wrong password")
        wait_until(lambda: bool(found(proxy, "login refused")), "the refusal is logged", lambda: proxy.log)
        wait_until(lambda: bool(found(proxy, "logged out")), "the end is logged", lambda: proxy.log)
        (slow,) = found(proxy, "slow statement")
        assert slow["digest"] == "SELECT `SLEEP` (?) , ?"
        assert slow["user"] == primary.user
        assert slow["server"] in [server.name for server in shared_cluster.servers]
        assert 0.2 <= slow["served"] <= slow["seconds"]
        (entered,) = found(proxy, "logged in")
        assert (entered["user"], entered["client"]) == (primary.user, "127.0.0.1")
        assert primary.user in found(proxy, "login refused")[0]["error"]
        for secret in ("secret", "a wrong password", primary.password):
            assert secret not in proxy.log


def test_texts_are_shown_when_asked_for(shared_cluster: Cluster) -> None:
    flags = ("--log-sample", "1", "--statement-texts")
    with running_proxy(shared_cluster, *flags) as proxy, connect(shared_cluster, proxy) as client:
        run(client, "SELECT 'a literal' AS sampled")
        proxy.wait_for_log("text=\"SELECT 'a literal' AS sampled\"")
        (row,) = run(client, "SHOW PROXY DIGESTS LIKE '%sampled%'")
        assert row[-1] == "SELECT 'a literal' AS sampled"
        assert "logged in" not in proxy.log


def test_what_its_connection_cannot_be_prepared_for_has_its_times(shared_cluster: Cluster) -> None:
    flags = ("--log-sample", "1", "--log-format", "json", "--server-connections", "1", "--server-connection-wait", "5")
    with (
        running_proxy(shared_cluster, *flags) as proxy,
        connect(shared_cluster, proxy) as client,
        connect(shared_cluster, proxy) as other,
    ):
        run(client, "CREATE DATABASE going")
        run(client, "USE going")
        run(client, "CREATE TABLE t (a INT)")
        run(other, "DROP DATABASE going")
        with pytest.raises(pymysql.MySQLError, match="1049"):
            run(client, "DO 1")
        wait_until(lambda: found(proxy, "statement")[-1]["errno"] == 1049, "the error is logged", lambda: proxy.log)
        refused = found(proxy, "statement")[-1]
        assert 0 < refused["queued"] <= refused["seconds"]
        assert 0 <= refused["served"] <= refused["seconds"]


def test_what_is_logged_changes_while_the_proxy_runs(shared_cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "manyreads.toml"
    file.write_text("")
    with running_proxy(shared_cluster, "--config", str(file)) as proxy:
        file.write_text('log_format = "json"\naudit_log = true\n')
        proxy.wait_for_log("audit_log: false -> true, at once")
        with connect(shared_cluster, proxy) as client:
            run(client, "SELECT 1")
        assert json.loads(proxy.log.split("\n")[-2])["logger"] == "audit"
