"""Finding the servers in dotCloud's environment."""

import errno
import json
import os
from pathlib import Path

import pytest

from topology.environment import Environment, deployment, read_environment
from topology.errors import ConfigError, EnvironmentFileError
from topology.servers import Role


def service(name: str, host: str = "10.0.0.1", port: str = "3306", **other: str) -> dict[str, str]:
    keys = {"HOST": host, "PORT": port, "LOGIN": "root", "PASSWORD": f"pw-{name}", **other}
    return {f"DOTCLOUD_{name.upper()}_MYSQL_{key}": value for key, value in keys.items()}


RECIPE = service("dbwrite", port="1") | service("dbread1", port="2") | service("dbread2", port="3")


def found(variables: dict[str, str]) -> list[str]:
    return [server.name for server in deployment(Environment(variables, "test")).servers]


def test_the_recipes_services_are_found_by_name() -> None:
    assert found(RECIPE) == ["dbwrite", "dbread1", "dbread2"]


def test_a_server_has_its_address_login_and_role() -> None:
    result = deployment(Environment(RECIPE, "test"))
    assert (result.primary.address, result.primary.user, result.primary.password) == (
        "10.0.0.1:1",
        "root",
        "pw-dbwrite",
    )
    assert [server.role for server in result.servers] == [Role.PRIMARY, Role.REPLICA, Role.REPLICA]


def test_master_and_slaves_name_services_in_any_case() -> None:
    variables = RECIPE | service("main", port="9") | {"MASTER": "MAIN", "SLAVES": "DbRead2  dbwrite"}
    assert found(variables) == ["main", "dbread2", "dbwrite"]


def test_a_replica_named_twice_counts_once() -> None:
    assert found(RECIPE | {"SLAVES": "dbread1 dbread1"}) == ["dbwrite", "dbread1"]


def test_a_service_named_mysql_is_read_greedily() -> None:
    assert found(service("mysql", port="7") | RECIPE | {"MASTER": "mysql", "SLAVES": "dbread1"})[0] == "mysql"


def test_an_open_port_named_mysql_is_no_database() -> None:
    proxy = {"DOTCLOUD_DBREADPROXY_MYSQL_HOST": "h", "DOTCLOUD_DBREADPROXY_MYSQL_PORT": "5"}
    assert found(RECIPE | proxy) == ["dbwrite", "dbread1", "dbread2"]


def test_nor_is_it_offered_as_one() -> None:
    proxy = {
        "DOTCLOUD_PROXY_MYSQL_HOST": "h",
        "DOTCLOUD_PROXY_MYSQL_PORT": "5",
        "DOTCLOUD_PROXY_MYSQL_URL": "mysql://h:5",
    }
    with pytest.raises(ConfigError) as caught:
        found(service("main", port="9") | proxy)
    assert "(services there: main)" in caught.value.remedy


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({}, "no key DOTCLOUD_DBWRITE_MYSQL_HOST"),
        (service("dbwrite"), "names no service dbread"),
        (RECIPE | {"MASTER": "nothere"}, "no service 'nothere'"),
        (RECIPE | {"MASTER": "a b"}, "MASTER names 2 services"),
        (RECIPE | service("dbread1", port="many"), "DOTCLOUD_DBREAD1_MYSQL_PORT is 'many'"),
        (RECIPE | service("dbread1", port="1"), "dbwrite and dbread1 are both at 10.0.0.1:1"),
        (
            {key: value for key, value in RECIPE.items() if key != "DOTCLOUD_DBREAD1_MYSQL_PASSWORD"},
            "DBREAD1_MYSQL_PASS",
        ),
    ],
)
def test_what_is_missing_is_named(variables: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        found(variables)
    assert caught.value.remedy
    assert "pw-" not in str(caught.value)


def test_the_file_is_read_and_the_process_wins(tmp_path: Path) -> None:
    file = tmp_path / "environment.json"
    content: dict[str, object] = {**RECIPE, "DOTCLOUD_DBWRITE_MYSQL_PORT": 1, "OTHER": ["list"]}
    file.write_text(json.dumps(content))
    read = read_environment({"SLAVES": "dbread2"}, file)
    assert [server.name for server in deployment(read).servers] == ["dbwrite", "dbread2"]
    assert read.source == str(file)


@pytest.mark.parametrize(("text", "problem"), [("{", "is not JSON"), ("[]", "holds no JSON object")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "environment.json"
    file.write_text(text)
    with pytest.raises(EnvironmentFileError, match=problem):
        read_environment({}, file)


def test_a_file_for_another_user_is_no_wrong_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "environment.json"

    def refused(*_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refused)
    with pytest.raises(EnvironmentFileError, match=f"not for user id {os.geteuid()}") as caught:
        read_environment({}, file)
    assert "let that user read it" in caught.value.remedy


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFileError, match=r"cannot read .*nothere\.json"):
        read_environment({}, tmp_path / "nothere.json")


def test_a_password_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from the file \n")
    key = "DOTCLOUD_DBWRITE_MYSQL_PASSWORD"
    variables = {name: value for name, value in RECIPE.items() if name != key} | {f"{key}_FILE": str(file)}
    assert deployment(read_environment(variables)).primary.password == "from the file "
    assert deployment(read_environment(variables | {key: "given"})).primary.password == "given"


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_password_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot read") as caught:
        read_environment({"DOTCLOUD_DBWRITE_MYSQL_PASSWORD_FILE": str(file)})
    assert "DOTCLOUD_DBWRITE_MYSQL_PASSWORD_FILE" in caught.value.remedy
