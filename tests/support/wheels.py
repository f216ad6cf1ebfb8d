"""The wheel as users build it, plain or compiled, and packages unpacked from it."""

import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).parents[2]
_PACKAGES = ("manyreads", "proxy", "replication", "topology")
_FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
# What MANIFEST.in names.
_BESIDE = (
    *("MANIFEST.in", "CHANGELOG.md", "Dockerfile", "docker-compose.yml", "dotcloud.yml", "requirements-dev.lock"),
    *("dbmanager", "deploy", "docs"),
)
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
# Two cores that do other work, too, take minutes to compile.
_LONGEST = 900


def built_wheel(work: Path, *, compiled: bool, quickly: bool = False) -> Path:
    """Build a wheel from a copy of the sources in `work`, with the libraries of this environment.

    Compiled `quickly` it does the same, and does it slower.
    """
    return wheel_of(copied(_PACKAGES + _FILES, work / "source"), work, compiled=compiled, quickly=quickly)


def copied(names: tuple[str, ...], source: Path) -> Path:
    """These files and directories of the checkout, in a directory of their own."""
    source.mkdir()
    for name in names:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    return source


def built_archive(work: Path) -> Path:
    """Build the source archive from a copy of the sources in `work`; it is unpacked beside them, as this directory."""
    source = copied(_PACKAGES + _FILES + _BESIDE, work / "checkout")
    build = "from setuptools import build_meta; build_meta.build_sdist('.')"
    output((sys.executable, "-c", build), source)
    (archive,) = source.glob("manyreads-*.tar.gz")
    shutil.unpack_archive(archive, work, filter="data")
    return work / archive.name.removesuffix(".tar.gz")


def wheel_of(source: Path, work: Path, *, compiled: bool, quickly: bool = False) -> Path:
    """Build a wheel of the sources in a directory, into `work`."""
    command = (*PIP, "wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", str(work), str(source))
    output(command, work, MANYREADS_COMPILE=str(int(compiled)), MANYREADS_OPT_LEVEL="0" if quickly else "3")
    (wheel,) = work.glob("manyreads-*.whl")
    return wheel


def output(command: tuple[str, ...], cwd: Path, **variables: str) -> str:
    """What a command prints; it has to succeed."""
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=_LONGEST)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def compile_into(directory: Path, work: Path, *, quickly: bool = False) -> None:
    """Put the packages, the hot modules compiled, into a new `directory`; `work` is for what is needed meanwhile."""
    wheel = built_wheel(work.resolve(), compiled=True, quickly=quickly)
    output((*PIP, "install", "--no-index", "--no-deps", "--target", str(directory.resolve()), str(wheel)), work)


def compiled_modules() -> list[str]:
    """The names of the modules that are compiled."""
    listed = runpy.run_path(str(ROOT / "setup.py"), run_name="listed")["modules"]()
    return [file.removesuffix(".py").replace("/", ".") for file in listed]


def main(directory: Annotated[Path, typer.Argument(help="Where the packages go; what is there is removed.")]) -> None:
    """Compile the packages into a directory; MANYREADS_COMPILED=DIRECTORY has the tests run proxies from there."""
    shutil.rmtree(directory, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="many-") as work:
        compile_into(directory, Path(work))
    print(f"compiled into {directory}")


if __name__ == "__main__":
    typer.run(main)
