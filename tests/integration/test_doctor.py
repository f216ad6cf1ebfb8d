"""`manyreads doctor` and `manyreads top`, asked as users ask them."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from replication.sandbox import Cluster, Flavor
from tests.support.clients import connect, direct, run
from tests.support.clusters import replicating_cluster
from tests.support.proxies import ROOT, running_proxy
from tests.support.waiting import wait_until

Problems = dict[tuple[str, str], str]


@pytest.fixture(scope="module", params=list(Flavor))
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with replicating_cluster(Flavor(request.param)) as made:
        yield made


def manyreads(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "manyreads", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def doctor(cluster: Cluster, *arguments: str) -> tuple[int, Problems]:
    """The exit code, and what is not well: its text by server and check."""
    done = manyreads("doctor", "--environment", str(cluster.environment_file), "--json", *arguments)
    found = json.loads(done.stdout)
    assert found["ok"] == (done.returncode == 0)
    for server in cluster.servers:
        assert server.password not in done.stdout + done.stderr
    told = [one for one in found["findings"] if one["level"] != "ok"]
    return done.returncode, {(one["server"], one["check"]): one["text"] for one in told}


def statement(cluster: Cluster, name: str, sql: str) -> Any:
    with closing(direct(cluster, cluster.server(name))) as connection:
        return run(connection, sql)


def word(cluster: Cluster) -> str:
    return "SLAVE" if cluster.flavor is Flavor.MARIADB else "REPLICA"


def test_a_good_deployment_is_well(cluster: Cluster) -> None:
    # The sandbox has accounts that log in over sockets only.
    code, problems = doctor(cluster)
    problems.pop(("dbwrite", "accounts"), None)
    assert (code, problems) == (0, {})


def test_it_is_told_in_words_too(cluster: Cluster) -> None:
    done = manyreads("doctor", "--environment", str(cluster.environment_file), "--all")
    assert "ok dbread1: replication: healthy, 0 s behind" in done.stdout
    assert re.search(r"\d+ checks: 0 errors, \d warnings?\n$", done.stdout)


def test_a_replica_that_stands_still_and_can_be_written(cluster: Cluster) -> None:
    statement(cluster, "dbread1", f"STOP {word(cluster)}")
    statement(cluster, "dbread1", "SET GLOBAL read_only = OFF")
    try:
        code, problems = doctor(cluster)
        assert code == 1
        assert "does not run" in problems["dbread1", "replication"]
        assert "not read_only" in problems["dbread1", "read_only"]
        assert not any(server == "dbread2" for server, _ in problems)
    finally:
        statement(cluster, "dbread1", "SET GLOBAL read_only = ON")
        statement(cluster, "dbread1", f"START {word(cluster)}")
    wait_until(lambda: ("dbread1", "replication") not in doctor(cluster)[1], "it replicates again")


def test_a_replica_that_is_down_and_settings_that_do_not_fit(cluster: Cluster) -> None:
    most = statement(cluster, "dbwrite", "SELECT @@max_connections")[0][0]
    cluster.server("dbread2").kill()
    try:
        code, problems = doctor(cluster, "--server-connections", str(most + 1))
        assert code == 1
        assert "cannot reach" in problems["dbread2", "login"]
        assert f"it takes {most}" in problems["dbwrite", "connections"]
    finally:
        cluster.server("dbread2").start()


def test_an_account_that_may_not_see_enough(cluster: Cluster) -> None:
    primary = cluster.server("dbwrite")
    url = f"mysql://narrow:narrow@{primary.host}:{primary.port}"
    statement(cluster, "dbwrite", "CREATE USER narrow@'%' IDENTIFIED BY 'narrow'")
    try:
        done = manyreads("doctor", "--writer", url, "--no-find-replicas", "--json")
        found = [one for one in json.loads(done.stdout)["findings"] if one["check"] == "privileges"]
        assert [one["level"] for one in found] == ["error", "warning", "warning"]
        assert done.returncode == 1
        for one in found:
            statement(cluster, "dbwrite", one["remedy"])
        done = manyreads("doctor", "--writer", url, "--no-find-replicas", "--json")
        (finding,) = [one for one in json.loads(done.stdout)["findings"] if one["check"] == "privileges"]
        assert (finding["level"], done.returncode) == ("ok", 0)
        asked = json.loads(manyreads("doctor", "--writer", url, "--json").stdout)["findings"]
        (finding,) = [one for one in asked if one["check"] == "servers"]
        assert re.search(r"does not tell its replicas: .*REPLICATION (SLAVE|MASTER ADMIN)", finding["text"])
        denied = manyreads("doctor", "--writer", url.replace(":narrow@", ":wrong@"), "--no-find-replicas", "--json")
        (finding,) = [one for one in json.loads(denied.stdout)["findings"] if one["level"] == "error"]
        assert (finding["server"], finding["check"]) == ("dbwrite", "login")
        assert "Access denied" in finding["text"]
    finally:
        statement(cluster, "dbwrite", "DROP USER narrow@'%'")


def test_a_clock_that_is_wrong(cluster: Cluster) -> None:
    """A session that is told another time stands in for a machine that has one."""
    primary = cluster.server("dbwrite")
    url = f"mysql://late:late@{primary.host}:{primary.port}"
    statement(cluster, "dbwrite", "CREATE USER late@'%' IDENTIFIED BY 'late'")
    statement(cluster, "dbwrite", "SET GLOBAL init_connect = 'SET timestamp = UNIX_TIMESTAMP() - 90'")
    try:
        done = manyreads("doctor", "--writer", url, "--no-find-replicas", "--json")
        (finding,) = [one for one in json.loads(done.stdout)["findings"] if one["check"] == "clock"]
        assert re.match(r"its clock is (89|9\d)\.\d s behind this machine's", finding["text"])
        assert "NTP" in finding["remedy"]
    finally:
        statement(cluster, "dbwrite", "SET GLOBAL init_connect = ''")
        statement(cluster, "dbwrite", "DROP USER late@'%'")


def test_tls_and_pools_that_the_servers_do_not_have(cluster: Cluster) -> None:
    """MariaDB's have no TLS here, and MySQL's have it with certificates of their own making."""
    word = "required" if cluster.flavor is Flavor.MARIADB else "verify-ca"
    code, problems = doctor(cluster, "--server-tls", word)
    assert code == 1
    assert "TLS" in problems["dbwrite", "login"] or "certificate" in problems["dbwrite", "login"]
    most = statement(cluster, "dbread1", "SELECT @@max_connections")[0][0]
    code, problems = doctor(cluster, "--connection-sharing", "session")
    assert problems["dbread1", "connections"] == f"max_connections = 10000, and it takes {most}"


def test_replicas_are_found_by_asking_the_primary(cluster: Cluster) -> None:
    primary = cluster.server("dbwrite")
    url = f"mysql://{primary.user}:{primary.password}@{primary.host}:{primary.port}"
    findings = json.loads(manyreads("doctor", "--writer", url, "--json").stdout)["findings"]
    assert {one["server"] for one in findings} == {"dbwrite", "dbread1", "dbread2"}


def test_an_account_made_on_a_replica_is_found_and_the_remedy_mends_it(cluster: Cluster) -> None:
    if cluster.flavor is Flavor.MYSQL:
        statement(cluster, "dbread1", "SET GLOBAL super_read_only = OFF")
    for sql in ("CREATE USER errant_made@'%'", "DROP USER errant_made@'%'"):
        statement(cluster, "dbread1", sql)
    if cluster.flavor is Flavor.MYSQL:
        statement(cluster, "dbread1", "SET GLOBAL super_read_only = ON")
    assert "transactions that the primary lacks" in doctor(cluster)[1]["dbread1", "errant"]
    if cluster.flavor is Flavor.MARIADB:
        for sql in ("STOP SLAVE", "RESET MASTER", "START SLAVE"):
            statement(cluster, "dbread1", sql)
    else:
        for gtid in made_on(cluster, "dbread1"):
            with closing(direct(cluster, cluster.server("dbwrite"))) as connection:
                for sql in (f"SET gtid_next = '{gtid}'", "BEGIN", "COMMIT", "SET gtid_next = 'AUTOMATIC'"):
                    run(connection, sql)
    wait_until(lambda: not {check for _, check in doctor(cluster)[1]} & {"errant", "replication"}, "all is well again")


def made_on(cluster: Cluster, name: str) -> list[str]:
    """The GTIDs that a server of MySQL has made itself, one by one."""
    ((uuid, executed),) = statement(cluster, name, "SELECT @@server_uuid, @@global.gtid_executed")
    (numbers,) = re.findall(rf"{uuid}:(\d+(?:-\d+)?)", executed)
    first, _, last = numbers.partition("-")
    return [f"{uuid}:{number}" for number in range(int(first), int(last or first) + 1)]


def test_settings_that_cannot_be_used_end_it() -> None:
    done = manyreads("doctor", "--max-lag", "never")
    assert done.returncode == 2
    assert "--max-lag" in done.stderr


def live(url: str, token: str) -> str:
    """What `manyreads top` shows on a terminal until Ctrl-C."""
    terminal, own = pty.openpty()
    command = [sys.executable, "-m", "manyreads", "top", "--interval", "0.2", "--url", url, "--token", token]
    with os.fdopen(terminal, "rb", 0) as screen, subprocess.Popen(command, cwd=ROOT, stdout=own, stderr=own) as top:
        os.close(own)
        shown = ""
        try:
            # Twice: it goes on by itself.
            while shown.count("dbread1") < 2:
                shown += screen.read(4096).decode()
        finally:
            top.send_signal(signal.SIGINT)
        while top.poll() is None:
            with contextlib.suppress(OSError):
                screen.read(4096)
        assert top.returncode == 0
    return shown


def test_top_shows_what_a_proxy_does(cluster: Cluster) -> None:
    token = "a token of the tests"
    with running_proxy(cluster, "--http", "127.0.0.1:0", "--http-token", token) as proxy:
        found = re.search(r"dashboard, metrics and health on (http://[\d.:]+)/", proxy.log)
        assert found is not None
        with connect(cluster, proxy) as client:
            run(client, "SELECT 'topmost'")
            shown = manyreads("top", "--once", "--interval", "0.2", "--url", found[1], "--token", token)
            number = client.thread_id()
            assert "SELECT ?" in live(found[1], token)
        assert shown.returncode == 0, shown.stderr
        assert re.search(r"^dbread1 +replica +healthy", shown.stdout, re.MULTILINE)
        assert re.search(r"read +SELECT \?", shown.stdout)
        assert str(number) in shown.stdout
        refused = manyreads("top", "--once", "--url", found[1])
        assert (refused.returncode, "wrong token" in refused.stderr) == (2, True)
    away = manyreads("top", "--once", "--url", found[1])
    assert away.returncode == 2
    assert "refused" in away.stderr
    assert "run the proxy with --http HOST:PORT" in away.stderr
