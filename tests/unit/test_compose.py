"""docker-compose.yml against the Compose specification, and what its services need of each other."""

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.support.compose import ROOT, compose_file, flags, is_database, services, start_order
from topology.environment import deployment, read_environment

SCHEMA = ROOT / "tests" / "data" / "compose" / "compose-spec.json"
NAMES = ("dbwrite", "dbread1", "dbread2")
SERVERS = {"proxy": list(NAMES), "mysql_proxy": [f"mysql_{name}" for name in NAMES]}


@pytest.fixture(scope="module")
def validator() -> Any:
    return jsonschema.Draft7Validator(json.loads(SCHEMA.read_text()))


def test_the_file_is_a_compose_file(validator: Any) -> None:
    assert not [error.message for error in validator.iter_errors(compose_file())]


def test_the_schema_finds_a_mistake(validator: Any) -> None:
    wrong = compose_file()
    wrong["services"]["proxy"]["depends_on"]["dbwrite"]["condition"] = "service_well"
    assert list(validator.iter_errors(wrong))


def test_mariadb_is_what_comes_without_a_profile() -> None:
    assert {name for name, service in services().items() if "profiles" not in service} == {
        *NAMES,
        "manager",
        "proxy",
    }
    assert all(service["profiles"] == ["mysql"] for name, service in services().items() if name.startswith("mysql_"))


@pytest.mark.parametrize("target", SERVERS)
def test_servers_start_first_and_the_proxy_last(target: str) -> None:
    order = start_order(target)
    assert set(order[:3]) == set(SERVERS[target])
    assert order[3:] == [target.replace("proxy", "manager"), target]
    for name in order:
        for needed, how in services()[name].get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert services()[needed]["healthcheck"]["test"][0] == "CMD"


def test_all_that_the_image_is_made_of_is_sent_to_its_build() -> None:
    lines = [line.split() for line in (ROOT / "Dockerfile").read_text().splitlines()]
    copied = {path for line in lines if line[:1] == ["COPY"] and "--from" not in line[1] for path in line[1:-1]}
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert copied == sent == packages | {path for path in copied if (ROOT / path).is_file()}
    assert {"pyproject.toml", "setup.py", project["project"]["readme"]} <= copied


@pytest.mark.parametrize("target", SERVERS)
def test_every_server_has_an_id_and_a_volume_of_its_own(target: str) -> None:
    servers = [name for name in start_order(target) if is_database(name)]
    assert len({dict(flags(name))["server_id"] for name in servers}) == 3
    volumes = [services()[name]["volumes"] for name in servers]
    assert sorted(volumes) == sorted([f"{name}:/var/lib/mysql"] for name in servers)
    assert set(compose_file()["volumes"]) >= set(servers)


@pytest.mark.parametrize("name", ["manager", "proxy", "mysql_manager", "mysql_proxy"])
def test_the_environment_names_the_servers(name: str, tmp_path: Path) -> None:
    secret = tmp_path / "root_password"
    secret.write_text("it")
    variables = {
        key: str(secret) if key.endswith("_FILE") else str(value)
        for key, value in services()[name]["environment"].items()
    }
    found = deployment(read_environment(variables))
    assert [server.host for server in found.servers] == SERVERS[name.replace("manager", "proxy")]
    assert {server.password for server in found.servers} == {"it"}


def test_no_password_is_in_the_file() -> None:
    for service in services().values():
        for key, value in service["environment"].items():
            if "PASSWORD" in key or "TOKEN" in key:
                assert key.endswith("_FILE")
                assert value.removeprefix("/run/secrets/") in service["secrets"]


@pytest.mark.parametrize("name", ["manager", "mysql_manager"])
def test_what_listens_for_others_has_a_token(name: str) -> None:
    assert "0.0.0.0:8080" in services()[name]["command"]
    assert services()[name]["environment"]["MANYREADS_HTTP_TOKEN_FILE"] == "/run/secrets/http_token"
    assert "http_token" in services()[name]["secrets"]


def test_the_proxy_may_drain_before_it_is_killed() -> None:
    command = services()["proxy"]["command"]
    drain = float(command[command.index("--drain-timeout") + 1])
    assert drain < float(services()["proxy"]["stop_grace_period"].removesuffix("s"))
