"""cluster.json, environment.json and process.json."""

import json
import stat
from pathlib import Path

import pytest

from replication.sandbox import records
from replication.sandbox.processes import Process
from topology.environment import deployment, read_environment
from topology.errors import ConfigError
from topology.servers import Vendor as Flavor


def cluster(readers: int = 2) -> records.ClusterRecord:
    servers = tuple(
        records.ServerRecord(
            name=name, server_id=number, port=20000 + number, socket=Path("/s"), password=f"pw{number}"
        )
        for name, number in zip(records.server_names(readers), records.server_ids(readers), strict=True)
    )
    return records.ClusterRecord(flavor=Flavor.MYSQL, servers=servers, options={"max_connections": "9"})


def test_names_and_ids_are_the_recipes() -> None:
    assert records.server_names(2) == ("dbwrite", "dbread1", "dbread2")
    assert records.server_ids(2) == (1, 1001, 1002)


def test_passwords_are_long_alphanumeric_and_different() -> None:
    first, second = records.new_password(), records.new_password()
    assert first != second
    assert first.isalnum()
    assert len(first) == 20


def test_environment_is_dotclouds() -> None:
    variables = records.environment_variables(cluster())
    assert variables["DOTCLOUD_DBWRITE_MYSQL_HOST"] == "127.0.0.1"
    assert variables["DOTCLOUD_DBREAD1_MYSQL_PORT"] == "21001"
    assert variables["DOTCLOUD_DBREAD2_MYSQL_LOGIN"] == "root"
    assert variables["DOTCLOUD_DBREAD2_MYSQL_PASSWORD"] == "pw1002"
    assert variables["DOTCLOUD_DBWRITE_MYSQL_URL"] == "mysql://root:pw1@127.0.0.1:20001/"


def test_environment_file_is_private_and_read_by_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "environment.json"
    records.write_environment(file, cluster())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = deployment(read_environment({}, file))
    assert found.primary.address == "127.0.0.1:20001"
    assert [replica.name for replica in found.replicas] == ["dbread1", "dbread2"]
    assert all(isinstance(value, str) for value in json.loads(file.read_text()).values())


def test_cluster_file_comes_back_as_written(tmp_path: Path) -> None:
    file = tmp_path / "cluster.json"
    records.write_cluster(file, cluster())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert records.read_cluster(file) == cluster()


def test_no_cluster_file(tmp_path: Path) -> None:
    assert records.read_cluster(tmp_path / "cluster.json") is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"flavor": "oracle"}'])
def test_damaged_cluster_file_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "cluster.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"cluster\.json does not describe a sandbox"):
        records.read_cluster(file)


def test_password_is_not_shown() -> None:
    assert "pw1001" not in repr(cluster())


@pytest.mark.parametrize("text", [None, "", "7"])
def test_process_file_that_says_nothing(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "process.json"
    if text is not None:
        file.write_text(text)
    assert records.recorded_process(file) is None


def test_a_process_is_known_by_its_start_and_its_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    record, datadir = records.ProcessRecord(pid=7, started="100"), Path("/data")
    server = Process(7, "100", "/usr/sbin/server --datadir=/data")
    about_to_become_it = Process(7, "100", "")
    after_a_reboot = Process(7, "100", "/bin/something --else")
    another = Process(7, "101", server.command)
    for found, expected in (
        (server, server),
        (about_to_become_it, about_to_become_it),
        (after_a_reboot, None),
        (another, None),
        (None, None),
    ):
        monkeypatch.setattr(records, "inspect", lambda pid, found=found: found)
        assert records.living(record, datadir) == expected
