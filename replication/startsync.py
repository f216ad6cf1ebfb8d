"""`python -m replication.startsync`: make the replicas follow the primary."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from replication.actions import Users
from replication.arguments import cancel_on_sigterm, fail, find_servers, host_and_port, make_reporter
from replication.errors import ExitCode, exit_code
from replication.report import Reporter
from replication.setup import REPLICATION_USER, Options, ReplicaResult, Result, set_up
from topology.environment import Deployment
from topology.errors import ManyreadsError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def startsync(
    writer: Annotated[str, typer.Option(help="The primary: mysql://user:password@host:port")] = "",
    reader: Annotated[list[str] | None, typer.Option(help="A replica, as a URL; may be repeated")] = None,
    environment: Annotated[Path | None, typer.Option(help="dotCloud's environment.json")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for servers, and for catching up")] = 600,
    users: Annotated[Users, typer.Option(help="copy: the replicas get the primary's accounts")] = Users.COPY,
    force: Annotated[list[str] | None, typer.Option(help="A replica whose data may be lost; may be repeated")] = None,
    replication_user: Annotated[str, typer.Option(help="The account replicas log in with")] = REPLICATION_USER,
    primary_address: Annotated[str, typer.Option(help="HOST:PORT of the primary as the replicas see it")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the steps and the SQL, change nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object")] = False,
) -> None:
    """Make every replica a copy of the primary that follows it. Running it again is harmless."""
    reporter = make_reporter(as_json)
    try:
        servers = find_servers(writer, reader or [], environment)
        options = Options(
            wait=wait,
            users=users,
            force=frozenset(force or []),
            dry_run=dry_run,
            replication_user=replication_user,
            primary_address=host_and_port("--primary-address", primary_address) if primary_address else None,
        )
        result = asyncio.run(_interruptible(servers, options, reporter))
    except (ManyreadsError, KeyboardInterrupt, asyncio.CancelledError) as error:
        reporter.close()
        raise typer.Exit(fail("startsync", error, as_json)) from None
    reporter.close()
    if as_json:
        print(json.dumps(as_object(result)))
    else:
        show("startsync", result)
    raise typer.Exit(result.exit_code)


async def _interruptible(servers: Deployment, options: Options, reporter: Reporter) -> Result:
    cancel_on_sigterm()
    return await set_up(servers, options, reporter)


def show(command: str, result: Result) -> None:
    """Print how each replica ended, errors to standard error."""
    for replica in result.replicas:
        if replica.error is not None:
            print(f"{command}: {replica.name}: {replica.error}", file=sys.stderr)
        else:
            print(f"{replica.name} ({replica.address}): ok, {replica.action} ({replica.reason})")


def as_object(result: Result) -> dict[str, Any]:
    """The result as `--json` prints it; docs/replication.md describes the keys."""
    return {
        "ok": result.exit_code is ExitCode.OK,
        "exit_code": result.exit_code,
        "primary": {"name": result.primary.name, "address": result.primary.address},
        "replicas": [_replica_object(replica) for replica in result.replicas],
    }


def _replica_object(replica: ReplicaResult) -> dict[str, Any]:
    error = replica.error
    return {
        "name": replica.name,
        "address": replica.address,
        "ok": replica.ok,
        "exit_code": exit_code(error) if error else ExitCode.OK,
        "action": replica.action,
        "reason": replica.reason,
        "error": error.problem if error else "",
        "remedy": error.remedy if error else "",
        "gtid": replica.gtid,
        "tables": replica.tables,
        "rows": replica.rows,
        "bytes": replica.bytes,
        "seconds": replica.seconds,
    }


if __name__ == "__main__":
    app()
