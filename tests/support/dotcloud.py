"""The dotCloud platform, as far as dotcloud.yml needs it: builds, environment.json, and processes with their ports."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from replication.sandbox import Cluster
from tests.support.wheels import copied

ROOT = Path(__file__).parents[2]
# What docs/deploying.md has an application push of this code.
PUSHED = (
    *("dbmanager", "manyreads", "proxy", "replication", "topology"),
    *("pyproject.toml", "setup.py", "requirements-dev.lock", "README.md", "LICENSE"),
)


def services() -> dict[str, dict[str, Any]]:
    """The services of dotcloud.yml."""
    found = yaml.safe_load((ROOT / "dotcloud.yml").read_text())
    assert isinstance(found, dict)
    return found


def environment(cluster: Cluster, public: Mapping[str, int]) -> dict[str, str | int]:
    """What environment.json holds, with the cluster's servers for the services of type mysql.

    `public` has the number under which clients reach a service's TCP port.
    """
    found: dict[str, str | int] = {"DOTCLOUD_PROJECT": "myapp", "DOTCLOUD_ENVIRONMENT": "default"}
    for name, service in services().items():
        prefix = f"DOTCLOUD_{name.upper()}"
        found |= _ssh(prefix, service.get("instances", 1))
        if service["type"] == "mysql":
            found |= _database(f"{prefix}_MYSQL", cluster, name)
        for port, kind in service.get("ports", {}).items():
            found |= _port(f"{prefix}_{port.upper()}", kind, name, public)
    return found


def _ssh(prefix: str, instances: int) -> dict[str, str | int]:
    ends = [""] if instances == 1 else [f"_{number}" for number in range(instances)]
    return {f"{prefix}{end}_SSH_PORT": 2222 for end in ends} | {f"{prefix}{end}_SSH_HOST": "a.host" for end in ends}


def _database(prefix: str, cluster: Cluster, name: str) -> dict[str, str | int]:
    server = cluster.server(name)
    return {
        f"{prefix}_HOST": server.host,
        f"{prefix}_PORT": server.port,
        f"{prefix}_LOGIN": server.user,
        f"{prefix}_PASSWORD": server.password,
        f"{prefix}_URL": f"mysql://{server.user}:{server.password}@{server.host}:{server.port}",
    }


def _port(prefix: str, kind: str, service: str, public: Mapping[str, int]) -> dict[str, str | int]:
    if kind == "http":
        return {f"{prefix.rpartition('_')[0]}_HTTP_URL": f"http://{service}.example/"}
    number = public[service]
    return {f"{prefix}_HOST": "127.0.0.1", f"{prefix}_PORT": number, f"{prefix}_URL": f"tcp://127.0.0.1:{number}"}


def build(service: Mapping[str, Any], directory: Path) -> Path:
    """Run the service's build script on a push; its home."""
    code, home = copied(PUSHED, directory / "code"), directory / "home"
    home.mkdir()
    subprocess.run([str(code / service["buildscript"])], cwd=code, env=variables(home), check=True)
    shutil.rmtree(code)
    return home


def variables(home: Path, **more: str) -> dict[str, str]:
    """The variables of a process on the platform. pip is told where packages are as it is here."""
    kept = {key: value for key, value in os.environ.items() if key == "PATH" or key.startswith(("PIP_", "SSL_"))}
    return kept | {"HOME": str(home)} | more


def write_environment(home: Path, content: Mapping[str, str | int]) -> None:
    """What the platform does before a process starts."""
    (home / "environment.json").write_text(json.dumps(content))


@contextmanager
def running(service: Mapping[str, Any], home: Path, log_file: Path, **ports: int) -> Iterator[subprocess.Popen[bytes]]:
    """The service's process, with its ports as PORT_NAME."""
    assert set(service["ports"]) == {name.lower() for name in ports}
    own = variables(home, **{f"PORT_{name.upper()}": str(port) for name, port in ports.items()})
    command = ["sh", "-c", f"exec {service['process']}"]
    with log_file.open("wb") as log, subprocess.Popen(command, cwd=home, env=own, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            process.kill()
