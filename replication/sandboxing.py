"""The commands `up`, `status` and `down` of the sandbox."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from topology.errors import ConfigError, ManyreadsError
from topology.servers import Vendor as Flavor

if TYPE_CHECKING:
    from rich.table import Table

    from replication.sandbox import Cluster

EXIT_INTERNAL = 1
EXIT_USAGE = 2
EXIT_NOT_READY = 3

app = typer.Typer(
    name="sandbox",
    help="Local MariaDB or MySQL servers: one dbwrite and some dbread*, blank and not replicating.",
    no_args_is_help=True,
    add_completion=False,
)

Directory = Annotated[Path, typer.Option("--dir", help="Where the servers keep everything.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
_DEFAULT_DIRECTORY = Path(".sandbox")


@app.command()
def up(
    flavor: Annotated[Flavor | None, typer.Option(help="mariadb unless said otherwise.")] = None,
    readers: Annotated[
        int | None, typer.Option(min=0, max=99, help="How many dbread*; 2 unless said otherwise.")
    ] = None,
    directory: Directory = _DEFAULT_DIRECTORY,
    option: Annotated[
        list[str] | None, typer.Option(help="A further server option for all, NAME=VALUE; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start the servers, or those that are down, and print their DSNs."""
    # Here and not above, so that --help does not wait for it.
    from replication.sandbox import Cluster

    existing = _load(directory) if directory.joinpath("cluster.json").exists() else None
    if existing:
        flavor = flavor or existing.flavor
        readers = len(existing.servers) - 1 if readers is None else readers
        _say_what_runs(existing, err=as_json)
    cluster = Cluster.up(
        directory, flavor or Flavor.MARIADB, 2 if readers is None else readers, _options(option) if option else None
    )
    if as_json:
        typer.echo(json.dumps(_as_object(cluster), indent=2))
    else:
        _print_addresses(cluster)


@app.command()
def status(
    directory: Directory = _DEFAULT_DIRECTORY,
    as_json: AsJson = False,
) -> None:
    """Show each server's process, port and state; exit status 3 unless all run."""
    from replication.sandbox import ServerStatus

    cluster = _load(directory)
    rows = [
        {"name": server.name, "pid": server.pid, "port": server.port, "state": server.status().value}
        for server in cluster.servers
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        from rich.console import Console

        Console().print(_status_table(rows))
    if any(row["state"] != ServerStatus.RUNNING for row in rows):
        raise typer.Exit(EXIT_NOT_READY)


@app.command()
def down(
    directory: Directory = _DEFAULT_DIRECTORY,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the data for the next up.")] = False,
    as_json: AsJson = False,
) -> None:
    """End the servers and remove their directory; with --keep, shut them down cleanly."""
    _load(directory).down(keep=keep)
    if as_json:
        typer.echo(json.dumps({"directory": str(directory), "kept": keep}))
        return
    typer.echo(f"The servers in {directory} are down; {'their data is kept' if keep else 'nothing is left of them'}.")


def main() -> None:
    """Run the commands as a program: an expected error is one message and an exit status, no traceback."""
    try:
        app()
    except ManyreadsError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(exit_status(error))


def exit_status(error: ManyreadsError) -> int:
    """2 for what was asked wrongly, 3 for servers that did not get ready."""
    return EXIT_USAGE if isinstance(error, ConfigError) else EXIT_NOT_READY


def _load(directory: Path) -> "Cluster":
    from replication.sandbox import Cluster

    return Cluster.load(directory)


def _options(pairs: list[str]) -> dict[str, str]:
    options = dict[str, str]()
    for pair in pairs:
        name, _, value = pair.partition("=")
        options[name] = value
    return options


def _say_what_runs(cluster: "Cluster", *, err: bool) -> None:
    down = [server.name for server in cluster.servers if not server.running()]
    if down:
        typer.echo(f"The sandbox is there; starting {', '.join(down)}.", err=err)
    else:
        typer.echo("The sandbox is up already.", err=err)


def _as_object(cluster: "Cluster") -> dict[str, Any]:
    return {
        "flavor": cluster.flavor,
        "directory": str(cluster.directory),
        "environment": str(cluster.environment_file),
        "servers": [{"name": server.name, "port": server.port, "url": server.url} for server in cluster.servers],
    }


def _print_addresses(cluster: "Cluster") -> None:
    typer.echo(f"{cluster.flavor} servers, blank unless you have filled them, in {cluster.directory}:")
    for server in cluster.servers:
        typer.echo(f"  {server.name:<9} {server.url}")
    typer.echo(f"environment: {cluster.environment_file}")


def _status_table(rows: list[dict[str, str | int | None]]) -> "Table":
    from rich.table import Table

    table = Table("name", "pid", "port", "state")
    for row in rows:
        table.add_row(*("-" if row[key] is None else str(row[key]) for key in ("name", "pid", "port", "state")))
    return table
