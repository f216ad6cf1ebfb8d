"""What a sandbox remembers in its directory: cluster.json, written once before any server starts, and process.json.

Both are JSON. A process.json is removed before a server starts and written after, so that its absence says: look for
the process by its command line.
"""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from replication.sandbox.processes import Process, inspect
from topology.errors import ConfigError
from topology.servers import Vendor as Flavor

ROOT = "root"
LOOPBACK = "127.0.0.1"
_PRIMARY_ID = 1
_FIRST_REPLICA_ID = 1001


class ServerRecord(BaseModel):
    """One server of a sandbox; `password` is that of its login `root` as it was first made."""

    model_config = ConfigDict(frozen=True)

    name: str
    server_id: int
    port: int
    socket: Path
    password: str = Field(repr=False)


class ClusterRecord(BaseModel):
    """A sandbox. `socket_directory` is set when its own directory's path is too long for sockets."""

    model_config = ConfigDict(frozen=True)

    flavor: Flavor
    servers: tuple[ServerRecord, ...]
    options: Mapping[str, str]
    socket_directory: Path | None = None


class ProcessRecord(BaseModel):
    """The server process that was started last: its id, and the opaque mark of when it started."""

    model_config = ConfigDict(frozen=True)

    pid: int
    started: str


def server_names(readers: int) -> tuple[str, ...]:
    """dbwrite, dbread1, dbread2 and so on: the services' names in the recipe."""
    return ("dbwrite", *(f"dbread{number}" for number in range(1, readers + 1)))


def server_ids(readers: int) -> tuple[int, ...]:
    """1 for dbwrite, 1001 and up for its replicas: the recipe's numbers."""
    return (_PRIMARY_ID, *range(_FIRST_REPLICA_ID, _FIRST_REPLICA_ID + readers))


def new_password() -> str:
    """Letters and digits only: about 119 bits, and no character that a URL, SQL or a shell would need quoted."""
    alphabet = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    return "".join(secrets.choice(alphabet) for _ in range(20))


def environment_variables(cluster: ClusterRecord) -> dict[str, str]:
    """The content of environment.json: what dotCloud would tell a service `dbmanager` about these servers."""
    variables = {
        "DOTCLOUD_ENVIRONMENT": "default",
        "DOTCLOUD_PROJECT": "sandbox",
        "DOTCLOUD_SERVICE_NAME": "dbmanager",
        "DOTCLOUD_SERVICE_ID": "0",
    }
    for server in cluster.servers:
        prefix = f"DOTCLOUD_{server.name.upper()}_MYSQL"
        variables[f"{prefix}_HOST"] = LOOPBACK
        variables[f"{prefix}_PORT"] = str(server.port)
        variables[f"{prefix}_LOGIN"] = ROOT
        variables[f"{prefix}_PASSWORD"] = server.password
        variables[f"{prefix}_URL"] = url(server)
    return variables


def url(server: ServerRecord) -> str:
    """The server's DSN, with its password."""
    return f"mysql://{ROOT}:{server.password}@{LOOPBACK}:{server.port}/"


def read_cluster(file: Path) -> ClusterRecord | None:
    """The sandbox described in `file`; None if there is no such file. Raises ConfigError if it is damaged."""
    try:
        return ClusterRecord.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ConfigError(
            f"{file} does not describe a sandbox: {error.error_count()} fields are wrong",
            f"end its servers by hand (their command lines name {file.parent}), then remove that directory",
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}", "use a directory that you own") from None


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    part.replace(file)


def write_cluster(file: Path, cluster: ClusterRecord) -> None:
    write_private(file, cluster.model_dump_json(indent=2) + "\n")


def write_environment(file: Path, cluster: ClusterRecord) -> None:
    write_private(file, json.dumps(environment_variables(cluster), indent=2) + "\n")


def write_process(file: Path, process: Process) -> None:
    write_private(file, ProcessRecord(pid=process.pid, started=process.started).model_dump_json())


def recorded_process(file: Path) -> ProcessRecord | None:
    """What process.json says; None if it is not there or not readable as such, which means: look for the process."""
    try:
        return ProcessRecord.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def living(record: ProcessRecord, datadir: Path) -> Process | None:
    """The recorded process, unless it has ended or its id now belongs to something else.

    Times of start are counted from the boot, so that after a reboot the command line has to agree too. It can be read
    as empty for a moment while the process is about to become the server (Linux sets it late in execve).
    """
    process = inspect(record.pid)
    if process is None or process.started != record.started:
        return None
    return process if not process.command or process.serves(datadir) else None
