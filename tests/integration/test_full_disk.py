"""A replica whose disk is full: the copy says so, and is gone on with when there is room. Needs the right to mount."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pymysql
import pytest
import typer
from typer.testing import CliRunner

from replication.errors import ExitCode
from replication.resync import app as resync_command
from replication.sandbox import Cluster, Flavor, LocalServer
from replication.startsync import app as startsync_command
from tests.support.clients import direct, run
from tests.support.clusters import blank_cluster

_ROOM = 30 << 20
_ROWS_OF_A_THOUSAND = 60


def _may_mount(directory: Path) -> bool:
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(directory)], capture_output=True, check=False)
    if mounted.returncode == 0:
        subprocess.run(["umount", str(directory)], check=True)
    return mounted.returncode == 0


@contextmanager
def small_disk(server: LocalServer, room: int) -> Iterator[None]:
    """Put a server's data on a file system that has so many bytes left."""
    server.stop()
    there, aside = server.datadir, server.datadir.with_name("aside")
    used = int(subprocess.run(["du", "-sb", str(there)], capture_output=True, check=True).stdout.split()[0])
    there.rename(aside)
    there.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={used + room}", "tmpfs", str(there)], check=True)
    try:
        subprocess.run(["cp", "-a", f"{aside}/.", str(there)], check=True)
        shutil.copystat(aside, there)
        owner = aside.stat()
        os.chown(there, owner.st_uid, owner.st_gid)
        server.start()
        yield
    finally:
        server.stop()
        subprocess.run(["umount", str(there)], check=True)
        there.rmdir()
        aside.rename(there)


def startsync(cluster: Cluster) -> tuple[int, str]:
    return command(startsync_command, cluster)


def command(app: typer.Typer, cluster: Cluster, *arguments: str) -> tuple[int, str]:
    """Exit code, and the result as a line of JSON."""
    result = CliRunner().invoke(app, [*arguments, "--environment", str(cluster.environment_file), "--json"])
    print(result.output)
    return result.exit_code, next(line for line in result.output.splitlines() if line.startswith("{"))


@pytest.mark.parametrize("flavor", list(Flavor))
def test_a_full_disk_is_named_and_the_copy_is_gone_on_with(flavor: Flavor, tmp_path: Path) -> None:
    if not _may_mount(tmp_path):
        pytest.skip("mounting a file system is not permitted here")
    with blank_cluster(flavor, 1) as cluster:
        primary, replica = cluster.servers
        with direct(cluster, primary) as connection:
            _fill(connection)
        with small_disk(replica, _ROOM):
            code, line = startsync(cluster)
            assert code == ExitCode.INTERNAL
            (found,) = json.loads(line)["replicas"]
            assert "app" in found["error"]
            assert "is full" in found["error"]
            give_room(replica, 1 << 30)
            assert startsync(cluster)[0] == ExitCode.OK
            check_whole(cluster, replica)
            give_room(replica, _ROOM)
            code, line = command(
                resync_command, cluster, "dbread1", "--shadow", "--users", "keep", "--force", "dbread1"
            )
            assert code == ExitCode.INTERNAL
            assert "is full" in json.loads(line)["replicas"][0]["error"]
            check_whole(cluster, replica)


def give_room(server: LocalServer, room: int) -> None:
    """Let the file system have so many bytes left."""
    used = shutil.disk_usage(server.datadir).used
    subprocess.run(["mount", "-o", f"remount,size={used + room}", str(server.datadir)], check=True)


def check_whole(cluster: Cluster, replica: LocalServer) -> None:
    """All rows are there, and nothing of a copy beside them."""
    with direct(cluster, replica) as connection:
        assert run(connection, "SELECT COUNT(*) FROM app.t") == ((_ROWS_OF_A_THOUSAND * 1000,),)
        assert run(connection, "SHOW DATABASES LIKE 'manyreads_shadow%'") == ()


def _fill(connection: pymysql.Connection) -> None:
    numbers = ", ".join(f"({number})" for number in range(1000))
    run(connection, "CREATE DATABASE app")
    run(connection, "CREATE TABLE app.n (n INT PRIMARY KEY)")
    run(connection, f"INSERT INTO app.n VALUES {numbers}")
    run(connection, "CREATE TABLE app.t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(1000))")
    rows = f"FROM app.n a, app.n b WHERE b.n < {_ROWS_OF_A_THOUSAND}"
    run(connection, f"INSERT INTO app.t (v) SELECT REPEAT(CONCAT(a.n, '-', b.n, '.'), 100) {rows}")
    run(connection, "ANALYZE TABLE app.t")
