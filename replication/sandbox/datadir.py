"""Making the data directory of a blank server."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from replication.sandbox.lock import locked
from replication.sandbox.processes import find_serving, send_signal, wait_until_gone
from replication.sandbox.programs import ServerProgram
from replication.sandbox.settings import STORAGE
from topology.errors import ConfigError, ServerError
from topology.servers import Vendor as Flavor

_INSTALLER = "mariadb-install-db"


def system_user() -> str | None:
    """The user to name with --user: MariaDB and MySQL run as root only when told so; others need not say."""
    return "root" if os.geteuid() == 0 else None


@contextmanager
def blank_datadir(program: ServerProgram, template: Path) -> Iterator[Path]:
    """A blank data directory at `template`, to be copied within the `with` block and removed after it.

    Initialising takes longer than starting, so it is done once for all servers.
    """
    remove_template(template)
    try:
        # In a directory that all share, a server that starts deletes another's temporary tables.
        _tmpdir(template).mkdir(mode=0o700)
        _initialise(program, template)
        # The server's own UUID, of which each copy has to make one for itself.
        template.joinpath("auto.cnf").unlink(missing_ok=True)
        yield template
    finally:
        remove_template(template)


@contextmanager
def kept_datadir(program: ServerProgram, directory: Path) -> Iterator[Path]:
    """The same, in a directory where it is kept for everybody who names that, in this process or in another."""
    template = directory / f"{program.version.flavor.value}-{program.version}"
    with locked(directory):
        if not template.exists():
            with blank_datadir(program, template.with_name(f"{template.name}.new")) as made:
                copy_datadir(made, template)
    yield template


def remove_template(template: Path) -> None:
    """Remove what an initialisation left, one that still runs because whoever started it was killed included."""
    while process := find_serving(template):
        send_signal(process, signal.SIGKILL)
        wait_until_gone(process, within=10)
    for directory in (template, _tmpdir(template)):
        shutil.rmtree(directory, ignore_errors=True)


def _tmpdir(template: Path) -> Path:
    return template.with_name(f"{template.name}.tmp")


def copy_datadir(template: Path, datadir: Path) -> None:
    """Copy whole or not at all: a `datadir` that exists is complete."""
    part = datadir.with_name(f"{datadir.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(template, part)
    part.rename(datadir)


def _initialise(program: ServerProgram, template: Path) -> None:
    _refuse_spaces(program, template)
    command = _mariadb_command(program) if program.version.flavor is Flavor.MARIADB else _mysql_command(program)
    options = [f"--{name}={value}" for name, value in STORAGE[program.version.flavor].items()]
    user = system_user()
    answer = subprocess.run(
        [
            *command,
            f"--datadir={template}",
            f"--tmpdir={_tmpdir(template)}",
            *options,
            *([f"--user={user}"] if user else []),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        start_new_session=True,
    )
    if answer.returncode != 0:
        raise ServerError(
            f"{command[0]} could not make a data directory (exit status {answer.returncode}):\n{_tail(answer.stdout)}",
            "see what it says above; enough free space and an unbroken installation are what it takes",
        )


def _refuse_spaces(program: ServerProgram, template: Path) -> None:
    # The script passes the path to chown without quotes when it is told which user the server will run as.
    if program.version.flavor is Flavor.MARIADB and system_user() and any(map(str.isspace, str(template))):
        raise ConfigError(
            f"{_INSTALLER}, when run as root, cannot make a data directory in {template.parent}: the path has a space",
            "name a directory without spaces, or do not run as root",
        )


def _tail(text: str, lines: int = 60) -> str:
    # MariaDB's script says why at the beginning, and then much that is always the same.
    return "\n".join(text.splitlines()[-lines:])


def _mysql_command(program: ServerProgram) -> list[str]:
    return [str(program.path), "--no-defaults", "--initialize-insecure"]


def _mariadb_command(program: ServerProgram) -> list[str]:
    base, installer = _mariadb_installer(program.path)
    return [
        str(installer),
        "--no-defaults",
        f"--basedir={base}",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
    ]


def _mariadb_installer(server: Path) -> tuple[Path, Path]:
    """The base directory of an installation and its script: beside the server, or where an archive keeps it."""
    for start in (server, server.resolve()):
        base = start.parent.parent
        for path in _installer_places(base):
            if path.exists():
                return base, path
    raise ConfigError(
        f"{server} comes without its script {_INSTALLER}",
        "install MariaDB's server package whole: tools/install-packages demo",
    )


def _installer_places(base: Path) -> Iterable[Path]:
    return (base / directory / _INSTALLER for directory in ("bin", "scripts"))
