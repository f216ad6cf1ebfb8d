"""dotcloud.yml: what the platform demands of it."""

import os
import re

import pytest

from tests.support.dotcloud import PUSHED, ROOT, services


def test_the_services_are_those_of_the_recipe_and_the_proxy() -> None:
    assert {name: service["type"] for name, service in services().items()} == {
        "dbwrite": "mysql",
        "dbread1": "mysql",
        "dbread2": "mysql",
        "dbmanager": "custom",
        "proxy": "custom",
    }
    assert services()["dbwrite"]["instances"] == 2


@pytest.mark.parametrize("name", services())
def test_a_name_is_one_that_the_platform_takes(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9_]{1,16}", name)


def test_every_replica_has_a_server_id_of_its_own() -> None:
    ids = [service["config"]["mysql_serverid"] for name, service in services().items() if name.startswith("dbread")]
    assert ids == [1001, 1002]


def test_the_page_names_all_that_has_to_be_pushed() -> None:
    page = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
    assert [name for name in PUSHED if f"`{name}`" not in page and f"`{name}/`" not in page] == []


def test_the_scripts_can_be_executed() -> None:
    scripts = sorted((ROOT / "dbmanager").iterdir())
    assert [script.name for script in scripts] == ["builder", "run", "runproxy", "startsync"]
    assert all(os.access(script, os.X_OK) for script in scripts)
    custom = [service for service in services().values() if service["type"] == "custom"]
    assert all((ROOT / service["buildscript"]) in scripts for service in custom)
    assert {service["process"] for service in custom} == {"~/run", "~/runproxy"}
