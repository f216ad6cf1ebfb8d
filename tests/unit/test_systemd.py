"""The systemd units: what systemd itself says of them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.units import SYSTEMD, unit_command, unit_settings

NAMES = ("manyreads-manager", "manyreads-proxy")
INSTALLED = "/opt/manyreads/bin/python"
# Of 100, in systemd's own scale of how exposed a service is.
EXPOSURE = 25


@pytest.fixture(params=NAMES)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A unit whose Python is one that is here."""
    file = tmp_path / f"{request.param}.service"
    file.write_text((SYSTEMD / file.name).read_text().replace(INSTALLED, sys.executable))
    return file


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze judges the units, and only machines with systemd have it")
    quiet = os.environ | {"SYSTEMD_LOG_LEVEL": "warning"}
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, env=quiet)


def test_systemd_understands_all_of_it(unit: Path) -> None:
    done = analyze("verify", "--man=no", str(unit))
    assert (done.returncode, [line for line in done.stderr.splitlines() if unit.name in line]) == (0, [])


def test_systemd_finds_it_well_confined(unit: Path) -> None:
    done = analyze("security", "--offline=yes", f"--threshold={EXPOSURE}", str(unit))
    assert done.returncode == 0, done.stdout


def test_the_port_is_the_same_whoever_opens_it(tmp_path: Path) -> None:
    for name in ("manyreads-proxy.socket", "manyreads-proxy.service"):
        (tmp_path / name).write_text((SYSTEMD / name).read_text().replace(INSTALLED, sys.executable))
    command = unit_command("manyreads-proxy")
    port = command[command.index("--listen") + 1]
    assert unit_settings(SYSTEMD / "manyreads-proxy.socket")["ListenStream"] == [port]
    done = analyze("verify", "--man=no", str(tmp_path / "manyreads-proxy.socket"))
    assert (done.returncode, [line for line in done.stderr.splitlines() if "manyreads" in line]) == (0, [])


@pytest.mark.parametrize("name", NAMES)
def test_passwords_come_as_credentials(name: str) -> None:
    command = unit_command(name)
    assert command[0] == INSTALLED
    assert command[command.index("--environment") + 1] == "${CREDENTIALS_DIRECTORY}/environment.json"
    (credential,) = unit_settings(SYSTEMD / f"{name}.service")["LoadCredential"]
    assert credential == "environment.json:/etc/manyreads/environment.json"


def test_the_proxy_may_drain_before_it_is_killed() -> None:
    command = unit_command("manyreads-proxy")
    drain = float(command[command.index("--drain-timeout") + 1])
    assert drain < float(unit_settings(SYSTEMD / "manyreads-proxy.service")["TimeoutStopSec"][0])
