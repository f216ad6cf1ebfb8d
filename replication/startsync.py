"""`python -m replication.startsync`: make the replicas follow the primary."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from replication.actions import Method, Users
from replication.arguments import (
    AsJson,
    CopyMethod,
    DryRun,
    Environment,
    Parallel,
    PrimaryAddress,
    Readers,
    ReplicationUser,
    ReplicaUsers,
    Writer,
    find_servers,
    optional_address,
)
from replication.command import conclude, reporting, run
from replication.defaults import PARALLEL, REPLICATION_USER
from replication.described import ended_object
from replication.errors import ExitCode

if TYPE_CHECKING:
    from replication.setup import ReplicaResult, Result

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def startsync(
    writer: Writer = "",
    reader: Readers = None,
    environment: Environment = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for servers, and for catching up")] = 600,
    parallel: Parallel = PARALLEL,
    users: ReplicaUsers = Users.COPY,
    method: CopyMethod = Method.AUTO,
    force: Annotated[list[str] | None, typer.Option(help="A replica whose data may be lost; may be repeated")] = None,
    replication_user: ReplicationUser = REPLICATION_USER,
    primary_address: PrimaryAddress = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make every replica a copy of the primary that follows it. Running it again is harmless."""
    with reporting("startsync", as_json=as_json) as reporter:
        # Here and not above, so that --help does not wait for it.
        from replication.setup import Options, set_up

        servers = find_servers(writer, reader, environment)
        options = Options(
            wait=wait,
            users=users,
            parallel=parallel,
            method=method,
            force=frozenset(force or []),
            dry_run=dry_run,
            replication_user=replication_user,
            primary_address=optional_address("--primary-address", primary_address),
        )
        result = run(set_up(servers, options, reporter))
    conclude(result, as_object(result), lambda: show("startsync", result), as_json=as_json)


def show(command: str, result: "Result") -> None:
    """Print how each replica ended, errors to standard error."""
    for replica in result.replicas:
        if replica.error is not None:
            print(f"{command}: {replica.name}: {replica.error}", file=sys.stderr)
        else:
            print(f"{replica.name} ({replica.address}): ok, {replica.action} ({replica.reason})")


def as_object(result: "Result") -> dict[str, Any]:
    """The result as `--json` prints it; docs/replication.md describes the keys."""
    return {
        "ok": result.exit_code is ExitCode.OK,
        "exit_code": result.exit_code,
        "primary": {"name": result.primary.name, "address": result.primary.address},
        "replicas": [_replica_object(replica) for replica in result.replicas],
    }


def _replica_object(replica: "ReplicaResult") -> dict[str, Any]:
    return {
        **ended_object(replica.name, replica.address, replica.error),
        "action": replica.action,
        "reason": replica.reason,
        "gtid": replica.gtid,
        "tables": replica.tables,
        "rows": replica.rows,
        "bytes": replica.bytes,
        "seconds": replica.seconds,
    }


if __name__ == "__main__":
    app()
