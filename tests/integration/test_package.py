"""The wheel, installed where nothing of this checkout can be imported by chance."""

import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("manyreads", "proxy", "replication", "topology")


def _output(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `manyreads` of a fresh environment; the libraries are those of the tests."""
    work = tmp_path_factory.mktemp("package")
    source = work / "source"
    for name in SOURCES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    _output(*pip, "wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", work, source, cwd=work)
    (wheel,) = work.glob("manyreads-*.whl")
    _output(sys.executable, "-m", "venv", "--without-pip", work / "fresh", cwd=work)
    python = work / "fresh" / "bin" / "python"
    _output(*pip, "--python", python, "install", "--no-index", "--no-deps", wheel, cwd=work)
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
