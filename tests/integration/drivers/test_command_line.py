"""The vendors' command-line clients and sysbench."""

import os
import subprocess

import pytest

from replication.sandbox import Cluster
from replication.sandbox.programs import servers_directory
from tests.integration.drivers.endpoint import SCHEMA, Account, Endpoint, Endpoints
from tests.integration.drivers.processes import program
from tests.support.clients import connect, run
from tests.support.proxies import ProxyProcess

CLIENTS = {"mariadb": "mariadb", "mysql": str(servers_directory(os.environ) / "mysql/bin/mysql")}
SCRIPT = f"""
SELECT 1 AS one, NULL AS nothing, '{"Grüße, 世界, 🎉"}' AS text;
CREATE TABLE line (id INT PRIMARY KEY AUTO_INCREMENT, text VARCHAR(100));
START TRANSACTION; INSERT INTO line (text) VALUES ('gone'); ROLLBACK;
START TRANSACTION; INSERT INTO line (text) VALUES ('kept'); COMMIT;
SELECT LAST_INSERT_ID(); SELECT * FROM line;
SELECT 1/0; SHOW WARNINGS;
CALL {SCHEMA}.several(7);
PREPARE s FROM 'SELECT ? + 1'; SET @a = 4; EXECUTE s USING @a; DEALLOCATE PREPARE s;
SELECT LENGTH(REPEAT('x', 1048576));
SELECT * FROM no_such_table;
SELEC 1;
DROP TABLE line;
USE information_schema;
SELECT DATABASE();
"""


def output_of(command: list[str], text: str = "") -> str:
    """What a program says, to both streams; fails when it hangs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MYSQL")}
    done = subprocess.run(
        command, input=text, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
    )
    return done.stdout


def client_command(name: str, to: Endpoint, *options: str) -> list[str]:
    login = [f"--host={to.host}", f"--port={to.port}", f"--user={to.user}", f"--password={to.password}"]
    return [program(CLIENTS[name]), "--no-defaults", *login, "--default-character-set=utf8mb4", *options]


@pytest.mark.parametrize("name", CLIENTS)
def test_a_command_line_client_prints_the_same(endpoints: Endpoints, name: str) -> None:
    without, through = (
        output_of(client_command(name, endpoint, "--force", "--table", "--verbose", SCHEMA), SCRIPT)
        for endpoint in endpoints
    )
    assert through == without
    assert "Grüße, 世界, 🎉" in without
    assert "kept" in without
    assert "1146" in without
    assert "1064" in without


@pytest.mark.parametrize("name", CLIENTS)
def test_a_dump_is_the_same(endpoints: Endpoints, name: str) -> None:
    commands = {"mariadb": "mariadb-dump", "mysql": CLIENTS["mysql"].replace("bin/mysql", "bin/mysqldump")}
    dumps = []
    for endpoint in endpoints:
        command = [
            program(commands[name]),
            *client_command(name, endpoint)[1:],
            "--skip-comments",
            "--routines",
            SCHEMA,
        ]
        dumps.append(output_of([argument for argument in command if argument]))
    assert dumps[0] == dumps[1]
    assert "PROCEDURE" in dumps[0]


# What each client needs for its first login at an account of caching_sha2_password where there is no TLS.
FIRST_LOGIN = {"mariadb": "--skip-ssl", "mysql": "--get-server-public-key"}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_first_login_of_a_command_line_client(shared_proxy: ProxyProcess, stranger: Account, name: str) -> None:
    to = Endpoint(shared_proxy.host, shared_proxy.port, stranger.user, stranger.password, stranger)
    printed = output_of(client_command(name, to, FIRST_LOGIN[name], "--skip-column-names"), "SELECT CURRENT_USER()")
    assert "stranger@%" in printed


@pytest.mark.parametrize("mode", ["disable", "auto"], ids=["text", "prepared"])
def test_sysbench_runs_without_an_error(
    shared_cluster: Cluster, shared_proxy: ProxyProcess, endpoints: Endpoints, mode: str
) -> None:
    to = endpoints[1]
    command = [
        program("sysbench"),
        "oltp_read_write",
        f"--mysql-host={to.host}",
        f"--mysql-port={to.port}",
        f"--mysql-user={to.user}",
        f"--mysql-password={to.password}",
        "--mysql-db=sysbench_test",
        f"--db-ps-mode={mode}",
        "--tables=2",
        "--table-size=500",
        "--threads=4",
        "--time=2",
    ]
    with connect(shared_cluster, shared_proxy) as admin:
        run(admin, "DROP DATABASE IF EXISTS sysbench_test")
        run(admin, "CREATE DATABASE sysbench_test")
        try:
            output_of([*command, "prepare"])
            printed = output_of([*command, "run"])
        finally:
            run(admin, "DROP DATABASE sysbench_test")
    # Of errors sysbench passes over deadlocks alone, which its threads have without a proxy too.
    assert "FATAL" not in printed
    assert "reconnects:                          0 " in printed, printed
    assert "transactions:                        0 " not in printed, printed
