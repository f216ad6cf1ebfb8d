"""The wheel, installed where nothing of this checkout can be imported by chance."""

import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from tests.support.wheels import PIP, ROOT, built_wheel, output


def _output(*command: str | Path, cwd: Path) -> str:
    return output(tuple(map(str, command)), cwd)


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `manyreads` of a fresh environment; the libraries are those of the tests."""
    work = tmp_path_factory.mktemp("package")
    wheel = built_wheel(work, compiled=False)
    _output(sys.executable, "-m", "venv", "--without-pip", work / "fresh", cwd=work)
    python = work / "fresh" / "bin" / "python"
    _output(*PIP, "--python", python, "install", "--no-index", "--no-deps", wheel, cwd=work)
    packages = _output(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=work).strip()
    Path(packages, "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python.with_name("manyreads")


def test_the_version_is_the_one_of_the_project(command: Path, tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert _output(command, "--version", cwd=tmp_path) == f"manyreads {project['version']}\n"


def test_statements_are_explained(command: Path, tmp_path: Path) -> None:
    assert "replica" in _output(command, "explain", "SELECT a FROM t", cwd=tmp_path)


def test_the_proxy_refuses_settings_that_are_wrong(command: Path, tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text("max_lagg = 3\n", encoding="utf-8")
    done = subprocess.run((command, "run", "--config", file), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "max_lagg" in done.stderr


def test_the_replication_kit_is_there(command: Path, tmp_path: Path) -> None:
    assert "startsync" in _output(command, "replication", "--help", cwd=tmp_path)
