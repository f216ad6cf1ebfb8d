"""Nothing that the proxy, its command and the replication kit tell anywhere holds a password or a token."""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from proxy.sql.own import Topic
from replication.sandbox import Cluster
from tests.support.clients import connect, direct, run
from tests.support.proxies import ROOT, ProxyProcess, running_proxy

TOKEN, KEPT, CREATED, GUESSED = "token-4f1c9a7e55d0", "kept-77d0e1b2aa", "created-0a51cc93", "guessed-be02f4d1"
ENDPOINTS = ("/", "/status", "/metrics", "/readyz", "/healthz", "/nothing")
COMMANDS = (
    ("config", "--explain"),
    ("check",),
    ("doctor", "--all"),
    ("doctor", "--json"),
)
KIT = (("status",), ("status", "--json"), ("verify",))


@pytest.fixture
def settings(shared_cluster: Cluster, tmp_path: Path) -> Path:
    """A file with every kind of secret that there is a key for."""
    primary, *replicas = shared_cluster.servers
    # After their set-up replicas have the accounts of the primary.
    login = f"{primary.user}:{primary.password}"
    file = tmp_path / "manyreads.toml"
    lines = (
        f'writer = "mysql://{login}@{primary.host}:{primary.port}"',
        f"readers = {json.dumps([f'mysql://{login}@{one.host}:{one.port}' for one in replicas])}",
        f'http = "127.0.0.1:0"\nhttp_token = "{TOKEN}"',
        f'admin_users = ["{primary.user}"]',
        'log_level = "debug"\naudit_log = true\nlong_query_time = 0\nlog_sample = 1',
        f'[[accounts]]\nuser = "{primary.user}"\npassword = "{primary.password}"',
        f'[[accounts]]\nuser = "kept"\npassword = "{KEPT}"',
    )
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


# Runs commands one after the other, each with a line after its output: Python takes longer to start than they take.
_IN_TURN = """
import json, sys
from manyreads.__main__ import main
for arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit:
        print("=== ended", flush=True)
"""


def commanded(*commands: tuple[str, ...]) -> list[str]:
    """What each command tells, on both of its outputs."""
    python = [sys.executable, "-c", _IN_TURN, json.dumps(commands)]
    output = subprocess.run(
        python, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120
    ).stdout
    assert "Traceback" not in output
    *told, rest = output.split("=== ended\n")
    assert (len(told), rest) == (len(commands), ""), output
    assert all(told), output
    return told


def asked(address: str, path: str, token: str, method: str = "GET") -> str:
    request = urllib.request.Request(address + path, headers={"Authorization": f"Bearer {token}"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(answer.headers) + str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return str(error.headers) + error.read().decode()


def used(cluster: Cluster, proxy: ProxyProcess) -> Iterator[str]:
    """Do what clients do with passwords; yields what they are told."""
    for user, password in (("kept", GUESSED), ("nobody", GUESSED), ("kept", KEPT)):
        with pytest.raises(pymysql.MySQLError) as caught:
            pymysql.connect(host=proxy.host, port=proxy.port, user=user, password=password)
        yield str(caught.value)
    with connect(cluster, proxy) as client:
        run(client, f"CREATE USER secret_made IDENTIFIED BY '{CREATED}'")
        run(client, f"ALTER USER secret_made IDENTIFIED BY '{CREATED}2'")
        run(client, "DROP USER secret_made")
        with pytest.raises(pymysql.MySQLError) as caught:
            run(client, "DROP USER secret_made")
        yield str(caught.value)
        for topic in Topic:
            yield str(run(client, f"SHOW PROXY {topic}"))
        yield str(run(client, f"EXPLAIN ROUTE SELECT '{CREATED}'"))


def test_no_output_holds_a_secret(shared_cluster: Cluster, settings: Path) -> None:
    config, environment = ("--config", str(settings)), ("--environment", str(shared_cluster.environment_file))
    with running_proxy(shared_cluster, *config) as proxy:
        told = list(used(shared_cluster, proxy))
        serving = re.search(r"dashboard, metrics and health on (http://[\d.:]+)/", proxy.log)
        assert serving is not None
        for token in (TOKEN, GUESSED):
            told += [asked(serving[1], path, token) for path in ENDPOINTS]
            told += [asked(serving[1], path, token, "POST") for path in ("/reload", "/sessions/1/kill")]
        top = ("top", "--url", serving[1], "--token", TOKEN, "--once")
        told += commanded(top, *((*command, *config) for command in COMMANDS))
        settings.write_text(settings.read_text(encoding="utf-8").replace(KEPT, f"{KEPT}2"), encoding="utf-8")
        proxy.wait_for_log("settings: accounts: ")
        settings.write_text(settings.read_text(encoding="utf-8") + f'server_password = ["{KEPT}"]\n', encoding="utf-8")
        proxy.wait_for_log("the settings cannot be used")
        told += commanded(("check", *config), *(("replication", *command, *environment) for command in KIT))
        told.append(proxy.log)
    # Each was used, and none is anywhere.
    secrets = {TOKEN, KEPT, CREATED, GUESSED, *(server.password for server in shared_cluster.servers)}
    assert {secret for secret in secrets for text in told if secret in text} == set()
    assert "Access denied" in told[0]
    with direct(shared_cluster, shared_cluster.servers[0]) as admin:
        assert run(admin, "SELECT COUNT(*) FROM mysql.user WHERE user = 'secret_made'") == ((0,),)
