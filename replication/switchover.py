"""`python -m replication.switchover [TO]`: let a replica be the primary from now on, without losing a transaction."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from replication.arguments import cancel_on_sigterm, fail, find_servers, host_and_port, make_reporter
from replication.errors import ExitCode, exit_code
from replication.handover import HandedOver, Options, hand_over
from replication.report import Reporter
from replication.setup import REPLICATION_USER
from replication.states import Limits
from topology.environment import Deployment
from topology.errors import ManyreadsError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def switchover(
    to: Annotated[str, typer.Argument(help="The replica; if none is named, the first one that may")] = "",
    writer: Annotated[str, typer.Option(help="The primary: mysql://user:password@host:port")] = "",
    reader: Annotated[list[str] | None, typer.Option(help="A replica, as a URL; may be repeated")] = None,
    environment: Annotated[Path | None, typer.Option(help="dotCloud's environment.json")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for servers, and for catching up")] = 60,
    drain: Annotated[float, typer.Option(min=0, help="Seconds that open transactions get to end")] = 10,
    max_pause: Annotated[float, typer.Option(min=0.1, help="Seconds for which nobody can write; then undo")] = 10,
    max_lag: Annotated[float, typer.Option(min=0, help="Seconds behind that are allowed")] = Limits().max_lag,
    replication_user: Annotated[str, typer.Option(help="The account replicas log in with")] = REPLICATION_USER,
    primary_address: Annotated[str, typer.Option(help="HOST:PORT of the primary as the replicas see it")] = "",
    target_address: Annotated[str, typer.Option(help="HOST:PORT of the new primary as the others see it")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the steps and the SQL, change nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object")] = False,
) -> None:
    """Make a replica the primary, and the primary its replica. Undone if anything fails before the change."""
    reporter = make_reporter(as_json)
    try:
        servers = find_servers(writer, reader or [], environment)
        options = Options(
            to=to,
            wait=wait,
            drain=drain,
            max_pause=max_pause,
            max_lag=max_lag,
            dry_run=dry_run,
            replication_user=replication_user,
            primary_address=host_and_port("--primary-address", primary_address) if primary_address else None,
            target_address=host_and_port("--target-address", target_address) if target_address else None,
        )
        result = asyncio.run(_interruptible(servers, options, reporter))
    except (ManyreadsError, KeyboardInterrupt, asyncio.CancelledError) as error:
        reporter.close()
        raise typer.Exit(fail("switchover", error, as_json)) from None
    reporter.close()
    if as_json:
        print(json.dumps(as_object(result)))
    elif not dry_run:
        show(servers, result)
    raise typer.Exit(result.exit_code)


async def _interruptible(servers: Deployment, options: Options, reporter: Reporter) -> HandedOver:
    cancel_on_sigterm()
    return await hand_over(servers, options, reporter)


def show(servers: Deployment, result: HandedOver) -> None:
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


def as_object(result: HandedOver) -> dict[str, Any]:
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
        "replicas": [
            {
                "name": each.server.name,
                "address": each.server.address,
                "ok": each.error is None,
                "exit_code": exit_code(each.error) if each.error else ExitCode.OK,
                "error": each.error.problem if each.error else "",
                "remedy": each.error.remedy if each.error else "",
            }
            for each in result.followers
        ],
    }


if __name__ == "__main__":
    app()
