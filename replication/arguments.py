"""Arguments that the commands have in common, and which servers they mean."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from replication.actions import Method, Users
from topology.environment import Deployment, deployment, process_environment, read_environment, refuse_shared_addresses
from topology.errors import ConfigError
from topology.servers import DEFAULT_PORT, Role, server_from_url

Writer = Annotated[str, typer.Option(help="The primary: mysql://user:password@host:port")]
Readers = Annotated[list[str] | None, typer.Option(help="A replica, as a URL; may be repeated")]
Environment = Annotated[Path | None, typer.Option(help="dotCloud's environment.json")]
ReplicationUser = Annotated[str, typer.Option(help="The account replicas log in with")]
ReplicaUsers = Annotated[
    Users, typer.Option(help="copy: it gets the primary's accounts; merge: and keeps its login; keep: they stay")
]
PrimaryAddress = Annotated[str, typer.Option(help="HOST:PORT of the primary as the replicas see it")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the steps and the SQL, change nothing")]
Parallel = Annotated[int, typer.Option(min=1, help="Ranges of rows copied to a replica at a time")]
CopyMethod = Annotated[
    Method, typer.Option(help="How rows get there: SQL alone, the vendor's dump client, or MySQL's clone plugin")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object")]


def find_servers(writer: str, readers: list[str] | None, environment: Path | None) -> Deployment:
    """The servers named by URLs, or else by the environment. If only one side is named it is asked for the other.

    Raises ConfigError saying what is missing, and ServerError when a server cannot be asked.
    """
    if not writer and not readers:
        variables = process_environment()
        file = environment or (Path(found) if (found := variables.get("MANYREADS_ENVIRONMENT")) else None)
        return deployment(read_environment(variables, file))
    named = _from_urls(writer, readers or ())
    refuse_shared_addresses(named)
    return named


def _from_urls(writer: str, readers: Sequence[str]) -> Deployment:
    # Here and not above, as with all that talks to servers: --help shall not wait for it.
    from replication.finding import with_primary, with_replicas

    replicas = tuple(server_from_url(url, f"dbread{n}", Role.REPLICA) for n, url in enumerate(readers, 1))
    if not writer:
        return asyncio.run(with_primary(replicas))
    primary = server_from_url(writer, "dbwrite", Role.PRIMARY)
    return Deployment(primary, replicas) if replicas else asyncio.run(with_replicas(primary))


def host_and_port(flag: str, value: str, default_port: int = DEFAULT_PORT) -> tuple[str, int]:
    """Read HOST or HOST:PORT, an IPv6 address in brackets, as it was given to `flag`."""
    wrong = ConfigError(f"{flag} {value!r} is no address", "write HOST:PORT, or [ADDRESS]:PORT with IPv6")
    try:
        parts = urlsplit(f"//{value}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if not host or parts.netloc != value or parts.username is not None:
        raise wrong
    return host, default_port if port is None else port


def optional_address(flag: str, value: str) -> tuple[str, int] | None:
    """Read HOST or HOST:PORT; None where nothing was given."""
    return host_and_port(flag, value) if value else None
