"""Metrics and health of the proxy over HTTP."""

import json
import re
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pymysql
import pytest
from prometheus_client.parser import text_string_to_metric_families

from replication.sandbox import Cluster
from tests.support.clients import connect, run
from tests.support.clusters import replicating_cluster
from tests.support.observing import alert_expressions, dashboard_expressions, metrics_in
from tests.support.proxies import ProxyProcess, running_proxy, started_proxy
from tests.support.waiting import wait_until

SCHEMA = "metered"
_HTTP = re.compile(r"dashboard, metrics and health on (https?://[\d.]+:\d+)/")


@dataclass
class Metered:
    """A proxy with HTTP, and its address."""

    cluster: Cluster
    proxy: ProxyProcess

    def get(
        self,
        path: str,
        token: str = "",
        trusted: Path | None = None,
        method: str = "GET",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[int, str]:
        """Status and body; over HTTPS the certificate is one of `trusted`."""
        found = _HTTP.search(self.proxy.log)
        assert found is not None, self.proxy.log
        try:
            asked = urllib.request.Request(
                found[1].replace("0.0.0.0", "127.0.0.1") + path,
                headers={"Authorization": f"Bearer {token}", **headers},
                method=method,
            )
            tls = ssl.create_default_context(cafile=trusted) if trusted is not None else None
            with urllib.request.urlopen(asked, timeout=30, context=tls) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def samples(self) -> dict[tuple[str, tuple[str, ...]], float]:
        """Each value, by name and the values of its labels in alphabetical order of these."""
        families = text_string_to_metric_families(self.get("/metrics")[1])
        return {
            (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }


class Bytes:
    """Counts what a client sends and receives."""

    def __init__(self, client: Any) -> None:
        self.sent = self.received = 0
        self._read, self._write = client._read_bytes, client._write_bytes
        client._read_bytes, client._write_bytes = self.read, self.write

    def read(self, size: int) -> bytes:
        self.received += size
        found: bytes = self._read(size)
        return found

    def write(self, data: bytes) -> None:
        self.sent += len(data)
        self._write(data)


@pytest.fixture
def metered(shared_cluster: Cluster) -> Iterator[Metered]:
    with running_proxy(shared_cluster, "--http", "127.0.0.1:0") as proxy:
        yield Metered(shared_cluster, proxy)


def test_sums_are_what_clients_counted(metered: Metered) -> None:
    before = metered.samples()
    with connect(metered.cluster, metered.proxy) as client:
        after_login, bytes_ = metered.samples(), Bytes(client)
        run(client, f"CREATE DATABASE {SCHEMA}")
        run(client, f"CREATE TABLE {SCHEMA}.item (id INT PRIMARY KEY)")
        for number in range(20):
            run(client, f"INSERT INTO {SCHEMA}.item VALUES ({number})")
            run(client, "SELECT 1")
        with pytest.raises(Exception, match="1062"):
            run(client, f"INSERT INTO {SCHEMA}.item VALUES (1)")
        assert run(client, "SHOW PROXY VERSION")
        run(client, f"DROP DATABASE {SCHEMA}")
        after = metered.samples()
        for way, count in (("received", bytes_.sent), ("sent", bytes_.received)):
            key = "manyreads_client_bytes_total", (way,)
            assert after[key] - after_login[key] == count
    grown = {key: value - before.get(key, 0) for key, value in after.items()}
    assert all(value >= 0 for (name, _), value in grown.items() if name.endswith("_total"))
    reads = sum(
        value
        for (name, labels), value in grown.items()
        if name == "manyreads_server_statements_total" and labels[0] == "read"
    )
    # Those of the login, if there were any, are no reads of tables.
    assert reads == 20
    assert {key: value for key, value in grown.items() if key[0] == "manyreads_server_errors_total" and value} == {
        ("manyreads_server_errors_total", ("duplicate", "dbwrite")): 1
    }
    ways = sum(value for (name, _), value in grown.items() if name == "manyreads_statements_total")
    given = sum(value for (name, _), value in grown.items() if name == "manyreads_server_statements_total")
    assert ways == given >= 45
    user = metered.cluster.servers[0].user
    of_user = sum(grown["manyreads_user_statements_total", (target, user)] for target in ("primary", "replica"))
    assert of_user == ways
    assert grown["manyreads_user_errors_total", (user,)] == 1
    for part in ("served", "queued"):
        measured = [value for (name, _), value in grown.items() if name == f"manyreads_{part}_seconds_count"]
        assert sum(measured) == given
    assert after["manyreads_served_seconds_sum", ("dbwrite",)] > 0
    # One in sixteen, and the first one of each time that what was noted is added up.
    assert 0 < sum(value for (name, _), value in grown.items() if name == "manyreads_own_seconds_count") <= given
    assert grown["manyreads_server_bytes_total", ("dbwrite", "sent")] > 20 * len("INSERT INTO metered.item VALUES (1)")
    assert grown["manyreads_server_bytes_total", ("dbwrite", "received")] > 0
    assert grown["manyreads_writes_acknowledged_total", ()] >= 23
    assert after["manyreads_sessions", ("idle",)] == 1
    assert after["manyreads_server_state", ("dbwrite", "healthy")] == 1
    assert after["manyreads_server_role", ("replica", "dbread1")] == 1
    assert after["process_cpu_seconds_total", ()] > 0


def test_dashboard_and_alerts_ask_for_metrics_that_there_are(metered: Metered) -> None:
    with connect(metered.cluster, metered.proxy) as client:
        run(client, f"CREATE DATABASE {SCHEMA}_pinned")
        run(client, f"CREATE TEMPORARY TABLE {SCHEMA}_pinned.t (id INT)")
        with pytest.raises(pymysql.MySQLError):
            run(client, "SELECT 1 FROM no_such_schema.t")
        run(client, f"DROP DATABASE {SCHEMA}_pinned")
        there = {name for name, _ in metered.samples()}
    for expression in (*alert_expressions(), *dashboard_expressions()):
        assert metrics_in(expression) <= there, expression


def test_a_session_is_killed_with_the_token_only(shared_cluster: Cluster, tmp_path: Path) -> None:
    token = "a token of the tests"
    flags = ("--http", "127.0.0.1:0", "--http-token", token, "--audit-log")
    with running_proxy(shared_cluster, *flags) as proxy, connect(shared_cluster, proxy) as client:
        metered = Metered(shared_cluster, proxy)
        (session,) = json.loads(metered.get("/status", token)[1])["sessions"]["shown"]
        path = f"/sessions/{session['number']}/kill"
        assert metered.get(path, "a wrong token of them", method="POST")[0] == 401
        assert metered.get(path, token, method="GET")[0] == 405
        assert metered.get(path, token, method="POST", headers={"Sec-Fetch-Site": "cross-site"})[0] == 403
        run(client, "SELECT 1")
        assert metered.get(path, token, method="POST") == (200, '{"ok": true}')
        with pytest.raises(pymysql.MySQLError):
            run(client, "SELECT 1")
        assert metered.get(path, token, method="POST") == (404, "there is no such session\n")
        assert f"audit: session killed by=127.0.0.1 session={session['number']}" in proxy.log
        assert metered.get("/reload", token, method="POST")[0] == 202
        proxy.wait_for_log("SIGHUP: reading the settings")
        assert token not in proxy.log


def test_replicas_are_drained_and_weighed_with_the_token_only(shared_cluster: Cluster) -> None:
    token = "a token of the tests"
    with running_proxy(shared_cluster, "--http", "127.0.0.1:0", "--http-token", token) as proxy:
        metered = Metered(shared_cluster, proxy)

        def dbread1() -> tuple[str, int]:
            servers = json.loads(metered.get("/status", token)[1])["servers"]
            return next((one["state"], one["weight"]) for one in servers if one["name"] == "dbread1")

        for path in ("/servers/dbread1/drain", "/servers/dbread1/weight/3"):
            assert metered.get(path, "a wrong token of them", method="POST")[0] == 401
            assert metered.get(path, token, method="POST", headers={"Sec-Fetch-Site": "cross-site"})[0] == 403
            assert metered.get(path, token)[0] == 405
        assert dbread1() == ("healthy", 1)
        assert metered.get("/servers/dbread1/drain", token, method="POST")[0] == 200
        assert dbread1() == ("draining", 1)
        assert metered.get("/servers/dbread1/resume", token, method="POST")[0] == 200
        assert metered.get("/servers/dbread1/weight/3", token, method="POST")[0] == 200
        assert dbread1() == ("healthy", 3)
        for path in ("/servers/dbwrite/drain", "/servers/nobody/weight/3", "/servers/dbread1/weight/101"):
            assert metered.get(path, token, method="POST")[0] == 404
        with connect(shared_cluster, proxy) as client:
            assert run(client, "PROXY WEIGHT SERVER dbread1 TO 5")[0][-2] == 5
        assert dbread1() == ("healthy", 5)


def test_pages_of_other_sites_and_names_learn_nothing(metered: Metered) -> None:
    assert metered.get("/status")[0] == 200
    assert metered.get("/status", headers={"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert metered.get("/status", headers={"Host": "rebound.example:80"})[0] == 403
    assert metered.get("/reload", method="POST")[0] == 403


def test_nothing_secret_is_told(metered: Metered) -> None:
    with connect(metered.cluster, metered.proxy) as client:
        run(client, "SELECT 'a secret literal'")
        told = "".join(metered.get(path)[1] for path in ("/metrics", "/status", "/readyz", "/")) + metered.proxy.log
    primary = metered.cluster.servers[0]
    assert primary.password not in told
    assert "secret literal" not in told


def test_with_a_token_and_tls_metrics_are_for_those_who_show_it(shared_cluster: Cluster, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("a token of the tests\n", encoding="utf-8")
    flags = ("--http", "0.0.0.0:0", "--http-token-file", str(token), "--http-tls", "--tls", "off")
    with running_proxy(shared_cluster, *flags, "--state-directory", str(tmp_path)) as proxy:
        metered, trusted = Metered(shared_cluster, proxy), tmp_path / "certificate.pem"
        assert metered.get("/metrics", "another token of them", trusted) == (401, "wrong token\n")
        # Strangers hear of states, and of no reasons.
        for shown, token_ in ((False, ""), (True, "a token of the tests")):
            code, body = metered.get("/healthz", token_, trusted)
            assert (code, ["reason" in each for each in json.loads(body)["servers"]]) == (200, [shown] * 3)
        assert "manyreads_build_info" in metered.get("/metrics", "a token of the tests", trusted)[1]
        assert "a token" not in proxy.log


def test_readiness_follows_the_primary(metered: Metered) -> None:
    for path, more in (("/healthz", {}), ("/readyz", {"problem": ""})):
        code, body = metered.get(path)
        servers = json.loads(body)["servers"]
        assert (code, json.loads(body)) == (200, {"ok": True, **more, "servers": servers})
        assert {each["name"]: each["state"] for each in servers} == dict.fromkeys(
            ("dbwrite", "dbread1", "dbread2"), "healthy"
        )


def test_without_its_primary_it_is_alive_and_not_ready(shared_cluster: Cluster) -> None:
    flavor = shared_cluster.flavor
    with replicating_cluster(flavor, 1) as cluster, running_proxy(cluster, "--http", "127.0.0.1:0") as proxy:
        metered = Metered(cluster, proxy)
        cluster.servers[0].kill()
        wait_until(lambda: metered.get("/readyz")[0] == 503, "the proxy is not ready")
        assert "the primary is down" in metered.get("/readyz")[1]
        code, body = metered.get("/healthz")
        primary, _ = json.loads(body)["servers"]
        assert (code, primary["state"]) == (200, "down")
        assert primary["reason"]
        assert metered.samples()["manyreads_server_state", ("dbwrite", "healthy")] == 0


def test_a_port_in_use_ends_the_start(shared_cluster: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with started_proxy("--environment", str(shared_cluster.environment_file), "--http", address) as proxy:
            assert proxy.process.wait(60) == 2
            assert f"cannot listen on {address}" in proxy.log
            assert "--http" in proxy.log
