"""How far a server that is down is behind is not known, and nowhere is a figure told of it."""

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pymysql.cursors import DictCursor

from replication.sandbox import Cluster, Flavor
from tests.support.clients import connect
from tests.support.clusters import replicating_cluster
from tests.support.proxies import ROOT, ProxyProcess, running_proxy
from tests.support.waiting import wait_until
from tests.support.watchers import running_watcher

_URL = re.compile(r"(http://[\d.]+:\d+)/")


@dataclass(frozen=True)
class Told:
    """A proxy and a manager of one cluster, by the addresses of their HTTP."""

    cluster: Cluster
    proxy: ProxyProcess
    of_proxy: str
    of_manager: str


def served(log: str) -> str:
    """The address of the HTTP that `log` tells of."""
    found = _URL.search(log)
    assert found is not None, log
    return found[1]


def got(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        found: str = answer.read().decode()
        return found


def server(told: Told, name: str) -> Any:
    return next(one for one in json.loads(got(f"{told.of_proxy}/status"))["servers"] if one["name"] == name)


def replica(told: Told, name: str) -> Any:
    return next(one for one in json.loads(got(f"{told.of_manager}/status"))["replicas"] if one["name"] == name)


@pytest.fixture(scope="module", params=list(Flavor))
def told(request: pytest.FixtureRequest) -> Iterator[Told]:
    """With `dbread1` known to be in step, then killed, and seen to be down."""
    http = ("--http", "127.0.0.1:0")
    with (
        replicating_cluster(Flavor(request.param)) as cluster,
        running_proxy(cluster, *http) as proxy,
        running_watcher("--environment", str(cluster.environment_file), "--repair", "none", *http) as watcher,
    ):
        watcher.wait_for_log("dbread1: HEALTHY")
        made = Told(cluster, proxy, served(proxy.log), served(watcher.log))
        wait_until(lambda: server(made, "dbread1")["lag"] == 0, "the proxy knows that it is in step")
        wait_until(lambda: replica(made, "dbread1")["lag_seconds"] == 0, "the manager knows that it is in step")
        cluster.server("dbread1").kill()
        wait_until(lambda: server(made, "dbread1")["state"] == "down", "the proxy sees it down")
        wait_until(lambda: replica(made, "dbread1")["state"] == "UNREACHABLE", "the manager does")
        yield made


def test_status_of_the_proxy(told: Told) -> None:
    assert (server(told, "dbread1")["lag"], server(told, "dbread1")["fresh"]) == (None, False)
    assert server(told, "dbread2")["lag"] == 0


def test_metrics_of_the_proxy(told: Told) -> None:
    metrics = got(f"{told.of_proxy}/metrics")
    assert 'manyreads_server_lag_seconds{server="dbread2"}' in metrics
    assert 'manyreads_server_lag_seconds{server="dbread1"}' not in metrics
    assert 'manyreads_server_fresh{server="dbread1"} 0.0' in metrics


def test_show_proxy_servers(told: Told) -> None:
    with connect(told.cluster, told.proxy) as client, client.cursor(DictCursor) as cursor:
        cursor.execute("SHOW PROXY SERVERS LIKE 'dbread1'")
        (row,) = cursor.fetchall()
    assert (row["state"], row["lag"], row["fresh"]) == ("down", None, "no")


def test_top(told: Told) -> None:
    command = [sys.executable, "-m", "manyreads", "top", "--once", "--interval", "0.2", "--url", told.of_proxy]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    assert re.search(r"^dbread1 +replica +down +unknown +no ", shown, re.MULTILINE), shown


def test_the_manager(told: Told) -> None:
    assert (replica(told, "dbread1")["lag_seconds"], replica(told, "dbread1")["transactions_behind"]) == (None, None)
    metrics = got(f"{told.of_manager}/metrics")
    assert 'manyreads_replica_lag_seconds{replica="dbread2"}' in metrics
    assert 'manyreads_replica_lag_seconds{replica="dbread1"}' not in metrics
