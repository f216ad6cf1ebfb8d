"""What the values of settings look like, whether they come from the file or are written as one text elsewhere."""

import re
import tomllib
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints

from topology.errors import ConfigError
from topology.servers import Role, server_from_url

_HIGHEST_PORT = 65535
Seconds = Annotated[float, Field(gt=0, le=86400)]


def _with_possible_port(address: str) -> str:
    port = int(address.rpartition(":")[2])
    if port > _HIGHEST_PORT:
        raise ValueError(f"there is no port {port}, the highest is {_HIGHEST_PORT}")
    return address


def listed(value: object) -> object:
    """A list, also where it can only be written as one text."""
    return [item for item in re.split(r"[\s,]+", value) if item] if isinstance(value, str) else value


def spaced(value: object) -> object:
    """The same for what may hold commas."""
    return value.split() if isinstance(value, str) else value


def tables(value: object) -> object:
    """Tables, also where they can only be written as one text: an array of inline tables."""
    if not isinstance(value, str):
        return value
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        raise ValueError("write an array of tables: [{name = 'value', ...}, ...]") from None


def secret_of(file: Path) -> str:
    """The secret in a file, without the end of its line. Raises ValueError."""
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"cannot read {file}: it is not UTF-8") from None


def _network(value: object) -> object:
    try:
        return ip_network(str(value))
    except ValueError as error:
        raise ValueError(f"{error}; write a network like 10.0.0.0/8") from None


def algorithms(value: object) -> object:
    """Compression algorithms, none of them as `off`."""
    return () if value == "off" else listed(value)


def server_url(url: SecretStr) -> SecretStr:
    """A URL that names a server. Raises ValueError."""
    try:
        server_from_url(url.get_secret_value(), "the server", Role.REPLICA)
    except ConfigError as error:
        raise ValueError(f"{error.problem}; {error.remedy}") from None
    return url


Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Weight = Annotated[str, StringConstraints(pattern=r"^[\w-]+=(100|[1-9][0-9]?)$")]
Timeout = Annotated[str, StringConstraints(pattern=r"^[^\s,]+=\d{1,5}(\.\d{1,3})?$")]
FunctionName = Annotated[str, StringConstraints(pattern=r"^[^\s.,`'\"@()]{1,64}$")]
TracesUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]+$")]
ListenAddress = Annotated[str, StringConstraints(pattern=r"^\S+:\d{1,5}$"), AfterValidator(_with_possible_port)]
