"""The Kubernetes manifests against Kubernetes' own schemas, and what they need of each other."""

import copy
import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from tests.support.units import container, manifest, manifests
from topology.environment import deployment, read_environment

VERSIONS = ("1.25", "1.31")
DEPLOYMENTS = {"manyreads-proxy": "manyreads", "manyreads-manager": "manyreads-manager"}


def label(each: dict[str, Any]) -> str:
    return f"{each['kind']} {each['metadata']['name']}"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("each", manifests(), ids=label)
def test_a_manifest_is_what_kubernetes_takes(each: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(each, version, strict=True)


def test_the_schema_finds_a_mistake() -> None:
    wrong = copy.deepcopy(manifest("Deployment", "manyreads-proxy"))
    wrong["spec"]["replica"] = 3
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_service_leads_to_its_pods(name: str) -> None:
    service, pods = manifest("Service", DEPLOYMENTS[name])["spec"], manifest("Deployment", name)["spec"]
    assert service["selector"] == pods["selector"]["matchLabels"] == pods["template"]["metadata"]["labels"]
    ports = {port["name"]: port["containerPort"] for port in container(name)["ports"]}
    assert {port["targetPort"] for port in service["ports"]} == set(ports)
    listened = container(name)["args"][-1 if name == "manyreads-manager" else 3]
    assert [int(listened.rpartition(":")[2])] == list(ports.values())


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_the_secret_is_mounted_where_the_command_looks(name: str, tmp_path: Path) -> None:
    secret = manifest("Secret", "manyreads")
    (file,) = secret["stringData"]
    volumes = manifest("Deployment", name)["spec"]["template"]["spec"]["volumes"]
    assert volumes[0]["secret"]["secretName"] == "manyreads"
    mount = container(name)["volumeMounts"][0]
    assert mount["name"] == volumes[0]["name"]
    assert container(name)["args"][:2] == ["--environment", f"{mount['mountPath']}/{file}"]
    (tmp_path / file).write_text(secret["stringData"][file])
    assert json.loads(secret["stringData"][file])
    found = deployment(read_environment({}, tmp_path / file))
    assert [server.name for server in found.servers] == ["dbwrite", "dbread1", "dbread2"]


def test_the_proxy_may_drain_before_it_is_killed() -> None:
    proxy = container("manyreads-proxy")
    drain = float(proxy["args"][proxy["args"].index("--drain-timeout") + 1])
    pause = float(proxy["lifecycle"]["preStop"]["exec"]["command"][1])
    grace = manifest("Deployment", "manyreads-proxy")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert pause + drain < grace


def test_there_are_several_of_each() -> None:
    assert all(manifest("Deployment", name)["spec"]["replicas"] > 1 for name in DEPLOYMENTS)
    budget = manifest("PodDisruptionBudget", "manyreads-proxy")["spec"]
    assert budget["selector"] == manifest("Deployment", "manyreads-proxy")["spec"]["selector"]


def test_the_managers_token_is_a_secret() -> None:
    (variable,) = container("manyreads-manager")["env"]
    assert variable["name"] == "MANYREADS_HTTP_TOKEN"
    assert variable["valueFrom"]["secretKeyRef"] == {"name": "manyreads-http", "key": "token", "optional": True}
