"""`python -m replication.switchover [TO]`: let a replica be the primary from now on, without losing a transaction."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from replication.arguments import (
    AsJson,
    DryRun,
    Environment,
    PrimaryAddress,
    Readers,
    ReplicationUser,
    Writer,
    find_servers,
    optional_address,
)
from replication.command import conclude, reporting, run
from replication.defaults import REPLICATION_USER
from replication.described import ended_object
from replication.errors import ExitCode
from replication.states import Limits
from topology.environment import Deployment
from topology.servers import Role, server_from_url

if TYPE_CHECKING:
    from replication.handover import HandedOver

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def switchover(
    to: Annotated[str, typer.Argument(help="The replica; if none is named, the first one that may")] = "",
    writer: Writer = "",
    reader: Readers = None,
    environment: Environment = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for servers, and for catching up")] = 60,
    drain: Annotated[float, typer.Option(min=0, help="Seconds that open transactions get to end")] = 10,
    max_pause: Annotated[float, typer.Option(min=0.1, help="Seconds for which nobody can write; then undo")] = 10,
    max_lag: Annotated[float, typer.Option(min=0, help="Seconds behind that are allowed")] = Limits().max_lag,
    replication_user: ReplicationUser = REPLICATION_USER,
    primary_address: PrimaryAddress = "",
    target_address: Annotated[str, typer.Option(help="HOST:PORT of the new primary as the others see it")] = "",
    proxy: Annotated[
        list[str] | None, typer.Option(help="A proxy that holds its clients' writes meanwhile, as a URL; repeatable")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a replica the primary, and the primary its replica. Undone if anything fails before the change."""
    with reporting("switchover", as_json=as_json) as reporter:
        # Here and not above, so that --help does not wait for it.
        from replication.handover import Options, hand_over

        servers = find_servers(writer, reader, environment)
        options = Options(
            to=to,
            wait=wait,
            drain=drain,
            max_pause=max_pause,
            max_lag=max_lag,
            dry_run=dry_run,
            replication_user=replication_user,
            primary_address=optional_address("--primary-address", primary_address),
            target_address=optional_address("--target-address", target_address),
            proxies=tuple(
                server_from_url(url, f"proxy{number}", Role.PRIMARY) for number, url in enumerate(proxy or (), 1)
            ),
        )
        result = run(hand_over(servers, options, reporter))
    conclude(result, as_object(result), lambda: show(servers, result), as_json=as_json, quiet=dry_run)


def show(servers: Deployment, result: "HandedOver") -> None:
    """Print how it ended and what has to be told to whom, errors to standard error."""
    for each in result.followers:
        if each.error is not None:
            print(f"switchover: {each.server.name}: {each.error}", file=sys.stderr)
    new = result.new.name
    others = [server.name for server in servers.servers if server.name != new]
    print(
        f"{result.new} is the primary; nobody could write for {result.paused:.3f} s, "
        f"{result.ended} transactions were rolled back\n"
        f'from now on name it so everywhere: MASTER={new} SLAVES="{" ".join(others)}", or --writer and --reader'
    )


def as_object(result: "HandedOver") -> dict[str, Any]:
    """The result as `--json` prints it; docs/replication.md describes the keys."""
    return {
        "ok": result.exit_code is ExitCode.OK,
        "exit_code": result.exit_code,
        "action": result.action,
        "from": {"name": result.old.name, "address": result.old.address},
        "to": {"name": result.new.name, "address": result.new.address},
        "gtid": result.gtid,
        "paused_seconds": result.paused,
        "transactions_ended": result.ended,
        "replicas": [ended_object(each.server.name, each.server.address, each.error) for each in result.followers],
    }


if __name__ == "__main__":
    app()
