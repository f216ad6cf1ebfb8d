"""The suites' source distributions, which have the tests, and a virtual environment to run them in."""

import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REQUIREMENTS: Final = Path(__file__).parent / "requirements.txt"


@dataclass(frozen=True)
class Sources:
    """A directory that keeps both: fetched once, and again when the requirements change."""

    directory: Path

    @property
    def python(self) -> Path:
        """The virtual environment's interpreter."""
        return self.directory / "venv/bin/python"

    def provide(self) -> None:
        """Make the virtual environment, unless it is there already."""
        wanted, done = REQUIREMENTS.read_bytes(), self.directory / "installed"
        if done.exists() and done.read_bytes() == wanted:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", self.directory / "venv"], check=True)
        self._pip("install", "--requirement", REQUIREMENTS)
        done.write_bytes(wanted)

    def tree(self, name: str) -> Path:
        """The unpacked source distribution of a package, in the version that the requirements name."""
        version = _version(name)
        unpacked = self.directory / f"{name.lower()}-{version}"
        if not unpacked.exists():
            downloads = self.directory / "downloads"
            self._pip("download", "--no-deps", "--no-binary", ":all:", "--dest", downloads, f"{name}=={version}")
            with tarfile.open(downloads / f"{name.lower()}-{version}.tar.gz") as archive:
                archive.extractall(self.directory, filter="data")
        return unpacked

    def _pip(self, command: str, *arguments: str | Path) -> None:
        subprocess.run(
            [self.python, "-m", "pip", "--disable-pip-version-check", "--quiet", command, *arguments], check=True
        )


def _version(name: str) -> str:
    for line in REQUIREMENTS.read_text().splitlines():
        if line.startswith(f"{name}=="):
            return line.removeprefix(f"{name}==")
    raise LookupError(f"{REQUIREMENTS} has no line {name}==VERSION")
