"""The source archive, and the wheel made of it, installed where nothing of this checkout can be imported by chance."""

import os
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.support.wheels import PIP, ROOT, built_archive, output, wheel_of


def _output(*command: str | Path, cwd: Path) -> str:
    return output(tuple(map(str, command)), cwd)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, unpacked."""
    return built_archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def wheel(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheel_of(archive, tmp_path_factory.mktemp("wheel"), compiled=False)


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `manyreads` of a fresh environment; the libraries are those of the tests."""
    work = tmp_path_factory.mktemp("package")
    _output(sys.executable, "-m", "venv", "--without-pip", work / "fresh", cwd=work)
    python = work / "fresh" / "bin" / "python"
    _output(*PIP, "--python", python, "install", "--no-index", "--no-deps", wheel, cwd=work)
    packages = _output(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=work).strip()
    Path(packages, "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python.with_name("manyreads")


def test_the_archive_has_what_is_needed_to_deploy_it(archive: Path) -> None:
    for name in ("README.md", "docs", "deploy", "dbmanager", "docker-compose.yml", "requirements-dev.lock"):
        beside = ROOT / name
        files = [beside] if beside.is_file() else [file for file in beside.rglob("*") if file.is_file()]
        assert [file for file in files if not (archive / file.relative_to(ROOT)).exists()] == []


def test_the_wheel_has_all_of_the_packages_and_nothing_else(wheel: Path) -> None:
    packages = ("manyreads", "proxy", "replication", "topology")
    files = [file for name in packages for file in (ROOT / name).rglob("*") if file.is_file()]
    own = {str(file.relative_to(ROOT)) for file in files if file.suffix in (".py", ".html", ".typed")}
    with zipfile.ZipFile(wheel) as opened:
        assert {name for name in opened.namelist() if ".dist-info/" not in name} == own


def test_the_version_is_the_one_of_the_project(command: Path, tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert _output(command, "--version", cwd=tmp_path) == f"manyreads {project['version']}\n"


def test_statements_are_explained(command: Path, tmp_path: Path) -> None:
    assert "replica" in _output(command, "explain", "SELECT a FROM t", cwd=tmp_path)


def test_a_shell_completes_it(command: Path, tmp_path: Path) -> None:
    words = {"_MANYREADS_COMPLETE": "complete_bash", "COMP_WORDS": "manyreads doc", "COMP_CWORD": "1"}
    done = subprocess.run((command,), cwd=tmp_path, env=os.environ | words, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["doctor"], done.stderr


def test_the_proxy_refuses_settings_that_are_wrong(command: Path, tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text("max_lagg = 3\n", encoding="utf-8")
    done = subprocess.run((command, "run", "--config", file), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "max_lagg" in done.stderr


def test_the_replication_kit_is_there(command: Path, tmp_path: Path) -> None:
    assert "startsync" in _output(command, "replication", "--help", cwd=tmp_path)
