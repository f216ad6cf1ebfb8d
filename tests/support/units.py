"""The systemd units and Kubernetes manifests of deploy/, as values, and their commands as this machine can run them."""

import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SYSTEMD = ROOT / "deploy" / "systemd"
KUBERNETES = ROOT / "deploy" / "kubernetes"


def unit_settings(file: Path) -> dict[str, list[str]]:
    """The settings of a unit, by name, each as often as it is there."""
    found: dict[str, list[str]] = {}
    for line in file.read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def unit_command(name: str) -> list[str]:
    """What a unit starts."""
    return shlex.split(unit_settings(SYSTEMD / f"{name}.service")["ExecStart"][0])


def manifests() -> list[dict[str, Any]]:
    """All Kubernetes objects."""
    files = sorted(KUBERNETES.glob("*.yaml"))
    return [manifest for file in files for manifest in yaml.safe_load_all(file.read_text())]


def manifest(kind: str, name: str) -> dict[str, Any]:
    """One of them."""
    (found,) = (each for each in manifests() if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def container(deployment: str) -> dict[str, Any]:
    """The one container of a Deployment."""
    (found,) = manifest("Deployment", deployment)["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


@contextmanager
def command_running(command: list[str], texts: Mapping[str, str], log_file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command whose texts are replaced by those of this machine, with this Python, its output in `log_file`."""
    for text, here in texts.items():
        command = [word.replace(text, here) for word in command]
    own = [sys.executable, *command[1:]]
    with log_file.open("wb") as log, subprocess.Popen(own, cwd=ROOT, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            process.kill()
