"""`python -m replication.startsync`: make the replicas follow the primary."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from replication.errors import ExitCode, exit_code
from replication.plan import Users
from replication.report import PlainReporter, Reporter, TerminalReporter
from replication.setup import REPLICATION_USER, Options, ReplicaResult, Result, set_up
from topology.environment import Deployment, deployment, process_environment, read_environment, refuse_shared_addresses
from topology.errors import ConfigError, ManyreadsError
from topology.servers import DEFAULT_PORT, Role, server_from_url

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
    reporter = _reporter(as_json)
    try:
        servers = find_servers(writer, reader or [], environment)
        options = Options(
            wait=wait,
            users=users,
            force=frozenset(force or []),
            dry_run=dry_run,
            replication_user=replication_user,
            primary_address=_address(primary_address) if primary_address else None,
        )
        result = asyncio.run(_interruptible(servers, options, reporter))
    except (ManyreadsError, KeyboardInterrupt, asyncio.CancelledError) as error:
        reporter.close()
        raise typer.Exit(_fail(error, as_json)) from None
    reporter.close()
    _show(result, as_json)
    raise typer.Exit(result.exit_code)


def find_servers(writer: str, readers: list[str], environment: Path | None) -> Deployment:
    """The servers named by URLs, or else by the environment. Raises ConfigError saying what is missing."""
    if not writer and not readers:
        variables = process_environment()
        file = environment or (Path(found) if (found := variables.get("MANYREADS_ENVIRONMENT")) else None)
        return deployment(read_environment(variables, file))
    if not writer or not readers:
        raise ConfigError("only one side is named by URL", "give --writer URL and at least one --reader URL")
    named = Deployment(
        primary=server_from_url(writer, "dbwrite", Role.PRIMARY),
        replicas=tuple(server_from_url(url, f"dbread{n}", Role.REPLICA) for n, url in enumerate(readers, 1)),
    )
    refuse_shared_addresses(named)
    return named


def _address(value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not host:
        return value, DEFAULT_PORT
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(f"--primary-address {value!r} has no valid port", "write HOST:PORT")
    return host.strip("[]"), int(port)


def _reporter(as_json: bool) -> Reporter:
    if as_json:
        return PlainReporter(sys.stderr)
    return TerminalReporter() if Console().is_terminal else PlainReporter()


async def _interruptible(servers: Deployment, options: Options, reporter: Reporter) -> Result:
    task = asyncio.current_task()
    if task is not None:
        # Whoever stops a service sends SIGTERM; connections and locks are let go as with Ctrl-C.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await set_up(servers, options, reporter)


def _fail(error: BaseException, as_json: bool) -> ExitCode:
    if isinstance(error, ManyreadsError):
        code, problem, remedy = exit_code(error), error.problem, error.remedy
    else:
        code, problem, remedy = ExitCode.INTERRUPTED, "interrupted", "run the same command again to go on"
    if as_json:
        print(json.dumps({"ok": False, "exit_code": code, "error": problem, "remedy": remedy}))
    else:
        print(f"startsync: {problem}" + (f"\n  remedy: {remedy}" if remedy else ""), file=sys.stderr)
    return code


def _show(result: Result, as_json: bool) -> None:
    if as_json:
        print(json.dumps(as_object(result)))
        return
    for replica in result.replicas:
        if replica.error is not None:
            print(f"startsync: {replica.name}: {replica.error}", file=sys.stderr)
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
