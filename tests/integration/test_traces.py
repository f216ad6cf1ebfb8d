"""Spans of statements, as a collector gets them."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import mysql.connector
import pymysql
import pytest

from replication.sandbox import Cluster, Flavor
from tests.support.clients import connect, run
from tests.support.collector import Collector, Told, collecting
from tests.support.proxies import ROOT, ProxyProcess, running_proxy
from tests.support.waiting import wait_until

SECRET = "hunter2"


def traceparent(number: int, sampled: bool = True) -> str:
    return f"00-{number:032x}-{number:016x}-{int(sampled):02d}"


def comment(number: int, sampled: bool = True) -> str:
    return f"/*framework='x',traceparent='{traceparent(number, sampled)}'*/"


@dataclass(frozen=True)
class Traced:
    """A proxy that sends the spans of traced statements, and who gets them."""

    cluster: Cluster
    proxy: ProxyProcess
    collector: Collector

    def span(self, trace: int) -> Told:
        """The only span of the trace, once it is here."""
        wait_until(lambda: bool(self.of(trace)), f"a span of trace {trace}", lambda: self.proxy.log)
        (told,) = self.of(trace)
        return told

    def of(self, trace: int) -> list[Told]:
        return [told for told in self.collector.spans() if told.trace == f"{trace:032x}"]

    def connector(self) -> Any:
        """A client that has prepared statements, and query attributes on MySQL."""
        primary = self.cluster.servers[0]
        login: dict[str, Any] = {"user": primary.user, "password": primary.password, "use_pure": True}
        return mysql.connector.connect(host=self.proxy.host, port=self.proxy.port, autocommit=True, **login)


@pytest.fixture(scope="module")
def traced(shared_cluster: Cluster) -> Iterator[Traced]:
    with (
        pytest.MonkeyPatch.context() as patch,
        collecting() as collector,
    ):
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        patch.setenv("OTEL_SERVICE_NAME", "shop-database")
        flags = ("--tracing", "otlp", "--tracing-endpoint", collector.url, "--http", "127.0.0.1:0")
        with running_proxy(shared_cluster, *flags) as proxy:
            yield Traced(shared_cluster, proxy, collector)


def test_a_comment_names_the_parent(traced: Traced) -> None:
    with connect(traced.cluster, traced.proxy) as client:
        run(client, f"SELECT '{SECRET}' AS told {comment(0xA1)}")
        run(client, f"SELECT '{SECRET}' AS untold {comment(0xA2, sampled=False)}")
        run(client, "SELECT 1 AS alone")
        run(client, "SELECT '/*traceparent=''" + traceparent(0xA3) + "''*/' AS quoted")
        run(client, f"SELECT 1 AS behind {comment(0xA4)}")
        behind = traced.span(0xA4)
    told = traced.span(0xA1)
    attributes = told.attributes
    server = next(one for one in traced.cluster.servers if one.name == attributes["manyreads.server"])
    assert told.span.parent_span_id.hex() == f"{0xA1:016x}"
    assert told.span.name == attributes["db.query.summary"] == attributes["db.query.text"] == "SELECT ? AS `told`"
    assert attributes["db.system.name"] == str(traced.cluster.flavor)
    assert attributes["db.operation.name"] == "SELECT"
    assert (attributes["server.address"], attributes["server.port"]) == (server.host, server.port)
    assert attributes["manyreads.route.reason"] == "read"
    assert told.resource["service.name"] == "shop-database"
    (sent,) = (event for event in told.span.events if event.name == "sent")
    assert told.span.start_time_unix_nano <= sent.time_unix_nano <= told.span.end_time_unix_nano
    # Spans come in order, so the others would be here.
    assert behind.summary
    assert not any(told.summary.endswith(("`untold`", "`alone`", "`quoted`")) for told in traced.collector.spans())
    assert not any(SECRET.encode() in body for body in traced.collector.bodies)


def test_writes_and_errors(traced: Traced) -> None:
    with connect(traced.cluster, traced.proxy) as client:
        run(client, "CREATE DATABASE IF NOT EXISTS traced")
        run(client, "CREATE TABLE traced.item (id INT PRIMARY KEY, name VARCHAR(20))")
        try:
            run(client, f"INSERT INTO traced.item VALUES (1, '{SECRET}') {comment(0xB1)}")
            with pytest.raises(pymysql.err.IntegrityError):
                run(client, f"INSERT INTO traced.item VALUES (1, '{SECRET}') {comment(0xB2)}")
        finally:
            run(client, "DROP DATABASE traced")
    written, failed = traced.span(0xB1), traced.span(0xB2)
    assert (written.attributes["manyreads.server.role"], written.span.status.code) == ("primary", 0)
    assert (failed.attributes["error.type"], failed.attributes["db.response.status_code"]) == ("1062", "1062")
    assert failed.span.status.code == failed.span.status.STATUS_CODE_ERROR
    assert not any(SECRET.encode() in body for body in traced.collector.bodies)


def test_prepared_statements(traced: Traced) -> None:
    mysql_ = traced.cluster.flavor is Flavor.MYSQL
    with traced.connector() as client, client.cursor(prepared=True) as cursor:
        cursor.execute(f"SELECT %s AS executed {comment(0xC1)}", (SECRET,))
        cursor.fetchall()
        if mysql_:
            cursor.add_attribute("other", 7)
            cursor.add_attribute("traceparent", traceparent(0xC2))
            cursor.execute("SELECT %s AS attributed", (SECRET,))
            cursor.fetchall()
    assert traced.span(0xC1).summary == "SELECT ? AS `executed`"
    if mysql_:
        assert traced.span(0xC2).summary == "SELECT ? AS `attributed`"
    assert not any(SECRET.encode() in body for body in traced.collector.bodies)


def test_query_attributes(traced: Traced) -> None:
    if traced.cluster.flavor is Flavor.MARIADB:
        pytest.skip("MariaDB has no query attributes")
    with traced.connector() as client, client.cursor() as cursor:
        cursor.add_attribute("traceparent", traceparent(0xD1))
        cursor.execute(f"SELECT 5 AS attributed {comment(0xD2)}")
        cursor.fetchall()
    assert traced.span(0xD1).summary == "SELECT ? AS `attributed`"
    assert traced.of(0xD2) == []


def test_each_worker_sends_a_share_of_the_rest(shared_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    with collecting() as collector:
        flags = ("--tracing", "otlp", "--tracing-endpoint", collector.url, "--tracing-ratio", "1", "--workers", "2")
        with running_proxy(shared_cluster, *flags, "--http", "127.0.0.1:0") as proxy:
            # The parent gives each to the worker with the fewest.
            with connect(shared_cluster, proxy) as one, connect(shared_cluster, proxy) as other:
                for number in range(20):
                    run(one if number % 2 else other, "SELECT 1 AS shared")
            # What is queued is sent at the end.
            assert proxy.stop() == 0
        assert len(collector.spans("shared")) == 20
        assert len({told.resource["process.pid"] for told in collector.spans("shared")}) == 2


def test_a_collector_that_is_away(traced: Traced) -> None:
    traced.collector.answer = 400
    try:
        with connect(traced.cluster, traced.proxy) as client:
            run(client, f"SELECT 1 AS lost {comment(0xE1)}")
        address = traced.proxy.log.partition("health on http://")[2].partition("/")[0]

        def failed() -> bool:
            with urllib.request.urlopen(f"http://{address}/metrics") as answer:
                return b'manyreads_spans_total{result="failed"} 1.0' in answer.read()

        wait_until(failed, "the failure is counted", lambda: traced.proxy.log)
    finally:
        traced.collector.answer = 200


def test_without_the_extra(tmp_path: Any) -> None:
    hidden = "import sys; sys.modules['opentelemetry'] = None; from proxy.__main__ import app; app()"
    command = [sys.executable, "-c", hidden, "--tracing", "otlp", "--writer", "mysql://u:p@127.0.0.1:1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "pip install 'manyreads[otel]'" in done.stderr
