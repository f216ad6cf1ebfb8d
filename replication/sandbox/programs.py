"""Finding the server programs of MariaDB and MySQL on this machine, and telling one from the other."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from topology.environment import process_environment
from topology.errors import ConfigError
from topology.servers import Vendor as Flavor

# Debian keeps servers in /usr/sbin, which an ordinary user's PATH leaves out.
_SYSTEM_DIRECTORIES = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/local/bin")
_VARIABLES = {Flavor.MARIADB: "MANYREADS_MARIADBD", Flavor.MYSQL: "MANYREADS_MYSQLD"}
_NAMES = {Flavor.MARIADB: ("mariadbd", "mysqld"), Flavor.MYSQL: ("mysqld",)}
_REMEDIES = {
    Flavor.MARIADB: "run tools/install-packages demo, or name the program: MANYREADS_MARIADBD=/path/to/mariadbd",
    Flavor.MYSQL: "run tools/install-mysql, or name the program: MANYREADS_MYSQLD=/path/to/mysqld",
}
_VERSION = re.compile(r"\bVer (\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """What `mysqld --version` says of itself."""

    flavor: Flavor
    number: tuple[int, int, int]

    def __str__(self) -> str:
        return ".".join(map(str, self.number))


@dataclass(frozen=True, slots=True)
class ServerProgram:
    """A server's executable file, and what it is."""

    path: Path
    version: ServerVersion


def parse_version(text: str) -> ServerVersion | None:
    """Read a line like `mariadbd  Ver 10.11.6-MariaDB for debian-linux-gnu`; None if it is not such a line."""
    found = _VERSION.search(text)
    if found is None:
        return None
    flavor = Flavor.MARIADB if "mariadb" in text.lower() else Flavor.MYSQL
    return ServerVersion(flavor, (int(found[1]), int(found[2]), int(found[3])))


def servers_directory(environment: Mapping[str, str]) -> Path:
    """Where tools/install-mysql puts servers: $MANYREADS_SERVERS, else ~/.cache/manyreads/servers."""
    named = environment.get("MANYREADS_SERVERS")
    return Path(named) if named else Path.home() / ".cache/manyreads/servers"


def find_server(flavor: Flavor, environment: Mapping[str, str] | None = None) -> ServerProgram:
    """The server program of `flavor`: from its environment variable, our own root, PATH, the system, Homebrew.

    Raises ConfigError if the variable names something else, or if there is none; a `mysqld` that is MariaDB under
    its old name is passed over.
    """
    variables = process_environment() if environment is None else environment
    if named := variables.get(_VARIABLES[flavor]):
        return _named(flavor, Path(named))
    for path in _candidates(flavor, variables):
        version = _version_of(path)
        if version is not None and version.flavor is flavor:
            return ServerProgram(path, version)
    raise ConfigError(f"no {flavor} server program was found on this machine", _REMEDIES[flavor])


def _named(flavor: Flavor, path: Path) -> ServerProgram:
    version = _version_of(path)
    if version is None:
        raise ConfigError(f"{_VARIABLES[flavor]} names {path}, which does not run as a server", "correct or unset it")
    if version.flavor is not flavor:
        raise ConfigError(f"{_VARIABLES[flavor]} names {path}, which is {version.flavor} {version}", "correct it")
    return ServerProgram(path, version)


def _candidates(flavor: Flavor, environment: Mapping[str, str]) -> Iterator[Path]:
    yield servers_directory(environment) / flavor / "bin" / _NAMES[flavor][0]
    path = ":".join((environment.get("PATH", ""), *_SYSTEM_DIRECTORIES))
    for name in _NAMES[flavor]:
        if found := shutil.which(name, path=path):
            yield Path(found)
        yield from (Path(directory) / name for directory in _SYSTEM_DIRECTORIES)
    yield from _from_homebrew(flavor, path)


def _from_homebrew(flavor: Flavor, path: str) -> Iterator[Path]:
    # A formula that conflicts with another is installed without being linked into PATH.
    brew = shutil.which("brew", path=path)
    if brew is None:
        return
    answer = subprocess.run([brew, "--prefix", flavor], capture_output=True, text=True, check=False)
    if answer.returncode == 0:
        yield Path(answer.stdout.strip()) / "bin" / _NAMES[flavor][0]


def _version_of(path: Path) -> ServerVersion | None:
    try:
        answer = subprocess.run(
            [path, "--no-defaults", "--version"], capture_output=True, text=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_version(answer.stdout) if answer.returncode == 0 else None
