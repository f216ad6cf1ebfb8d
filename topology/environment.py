"""Finding the servers as dotCloud tells them: environment.json, environment variables, MASTER and SLAVES.

dotCloud writes one flat JSON object to /home/dotcloud/environment.json. A service `dbwrite` of type mysql appears in
it as DOTCLOUD_DBWRITE_MYSQL_HOST, _PORT, _LOGIN, _PASSWORD and _URL; values may be strings or integers. Nothing in the
file says which service is the primary: MASTER and SLAVES name the services, else the names dbwrite and dbread* do.
Beyond dotCloud, a key ending in _PASSWORD_FILE names a file that holds the password, as container platforms mount them.
This module is the only reader of os.environ.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from topology.errors import ConfigError, EnvironmentFileError
from topology.servers import Role, Server

DOTCLOUD_FILE = Path("/home/dotcloud/environment.json")
DEFAULT_PRIMARY = "dbwrite"
DEFAULT_REPLICA_PREFIX = "dbread"

# Greedy on purpose: a service named `mysql` gives DOTCLOUD_MYSQL_MYSQL_HOST.
_SERVICE_KEY = re.compile(r"^DOTCLOUD_(.+)_MYSQL_(HOST|PORT|LOGIN|PASSWORD)$")
_SECRET_KEY = re.compile(r"^(DOTCLOUD_.+_MYSQL_PASSWORD)_FILE$")
_DATABASE_KEYS = ("HOST", "PORT", "LOGIN", "PASSWORD")


@dataclass(frozen=True, slots=True)
class Deployment:
    """One primary and its replicas, as configured."""

    primary: Server
    replicas: tuple[Server, ...]

    @property
    def servers(self) -> tuple[Server, ...]:
        return (self.primary, *self.replicas)

    @property
    def summary(self) -> str:
        """Both in words."""
        replicas = ", ".join(map(str, self.replicas)) or "no replicas"
        return f"writes to {self.primary}, reads to {replicas}"


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables of a deployment and where they came from, for error messages. Values are never printed."""

    variables: Mapping[str, str] = field(repr=False)
    source: str


def process_environment() -> dict[str, str]:
    """A copy of this process's environment variables."""
    return dict(os.environ)


def read_environment(variables: Mapping[str, str], file: Path | None = None) -> Environment:
    """Merge environment.json with the process's variables, which win.

    `file` must exist when given; otherwise dotCloud's own file is read if it is there.
    """
    if file is None and not DOTCLOUD_FILE.exists():
        return Environment(_with_secrets(variables), "the process's environment")
    path = file or DOTCLOUD_FILE
    return Environment(_with_secrets({**_load(path), **variables}), str(path))


def _with_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    named = {match[1]: key for key in variables if (match := _SECRET_KEY.match(key))}
    read = {key: _secret(file_key, variables[file_key]) for key, file_key in named.items() if key not in variables}
    return {**read, **variables}


def _secret(key: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise EnvironmentFileError(f"cannot read {path}: {problem}", f"name the right file in {key}") from None


def _load(path: Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except PermissionError:
        raise EnvironmentFileError(
            f"cannot read {path}: it is not for user id {os.geteuid()}", "let that user read it (chown, chmod)"
        ) from None
    except OSError as error:
        raise EnvironmentFileError(
            f"cannot read {path}: {error.strerror}", "name the right file with --environment FILE"
        ) from None
    except ValueError as error:
        raise EnvironmentFileError(f"{path} is not JSON: {error}", "write it as one flat JSON object") from None
    if not isinstance(content, dict):
        raise EnvironmentFileError(f"{path} holds no JSON object", "write it as one flat JSON object of KEY: value")
    return {str(key): str(value) for key, value in content.items() if isinstance(value, str | int | float)}


def deployment(environment: Environment) -> Deployment:
    """The primary and the replicas that the environment names.

    Raises EnvironmentFileError naming the file and the key that is missing or wrong.
    """
    services = _services(environment)
    if not services:
        raise EnvironmentFileError(
            f"no servers are named: {environment.source} has no key DOTCLOUD_{DEFAULT_PRIMARY.upper()}_MYSQL_HOST, "
            "nor that of another service",
            "give their URLs with --writer and --reader, or the file that names them with --environment FILE",
        )
    primary = _primary_name(environment, services)
    replicas = _replica_names(environment, services, primary)
    result = Deployment(
        primary=_server(environment, services, primary, Role.PRIMARY),
        replicas=tuple(_server(environment, services, name, Role.REPLICA) for name in replicas),
    )
    refuse_shared_addresses(result)
    return result


def _services(environment: Environment) -> dict[str, dict[str, str]]:
    services: dict[str, dict[str, str]] = {}
    for key, value in environment.variables.items():
        if match := _SERVICE_KEY.match(key):
            services.setdefault(match[1].lower(), {})[match[2]] = value
    return services


def _primary_name(environment: Environment, services: Mapping[str, Mapping[str, str]]) -> str:
    named = environment.variables.get("MASTER", "").split()
    if len(named) > 1:
        raise ConfigError(f"MASTER names {len(named)} services", "name exactly one; the others belong in SLAVES")
    if not named and DEFAULT_PRIMARY not in services:
        raise EnvironmentFileError(
            f"{environment.source} names no service {DEFAULT_PRIMARY} and MASTER is not set",
            f"set MASTER to the primary's service name{_known(services)}",
        )
    return named[0].lower() if named else DEFAULT_PRIMARY


def _replica_names(environment: Environment, services: Mapping[str, Mapping[str, str]], primary: str) -> list[str]:
    named = [name.lower() for name in environment.variables.get("SLAVES", "").split()]
    if named:
        return list(dict.fromkeys(named))
    found = sorted(
        name
        for name, keys in services.items()
        if name.startswith(DEFAULT_REPLICA_PREFIX) and name != primary and _is_database(keys)
    )
    if not found:
        raise EnvironmentFileError(
            f"{environment.source} names no service {DEFAULT_REPLICA_PREFIX}* and SLAVES is not set",
            f"set SLAVES to the replicas' service names{_known(services)}",
        )
    return found


def _is_database(keys: Mapping[str, str]) -> bool:
    # A service that merely opens a TCP port named mysql, as a proxy does, has a HOST and a PORT but no LOGIN.
    return "LOGIN" in keys


def _known(services: Mapping[str, Mapping[str, str]]) -> str:
    return f" (services there: {', '.join(sorted(name for name, keys in services.items() if _is_database(keys)))})"


def _server(environment: Environment, services: Mapping[str, Mapping[str, str]], name: str, role: Role) -> Server:
    keys = services.get(name)
    if keys is None:
        raise EnvironmentFileError(
            f"{environment.source} has no service {name!r}", f"name an existing one{_known(services)}"
        )
    for part in _DATABASE_KEYS:
        if part not in keys:
            raise EnvironmentFileError(
                f"{environment.source} has no key DOTCLOUD_{name.upper()}_MYSQL_{part}",
                f"add it, or leave {name} out of MASTER and SLAVES",
            )
    return Server(name, keys["HOST"], _port(environment, name, keys["PORT"]), role, keys["LOGIN"], keys["PASSWORD"])


def _port(environment: Environment, name: str, text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise EnvironmentFileError(
            f"{environment.source}: DOTCLOUD_{name.upper()}_MYSQL_PORT is {text!r}",
            "write a port from 1 to 65535",
        )
    return int(text)


def refuse_shared_addresses(deployment: Deployment) -> None:
    """Raise ConfigError when two servers have one address: a replica cannot be its own primary."""
    seen: dict[str, str] = {}
    for server in deployment.servers:
        if server.address in seen:
            raise ConfigError(
                f"{seen[server.address]} and {server.name} are both at {server.address}",
                "name each server once, by its own host and port",
            )
        seen[server.address] = server.name
