"""`python -m replication.verify`: is each replica's data equal to the primary's?"""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from replication.arguments import AsJson, Environment, Readers, Writer, find_servers
from replication.command import conclude, reporting, run
from replication.defaults import MAX_PAUSE
from replication.errors import ExitCode

if TYPE_CHECKING:
    from replication.verification import Comparison, Verified

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="The replicas; all if none is named")] = None,
    writer: Writer = "",
    reader: Readers = None,
    environment: Environment = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the servers to answer")] = 60,
    repair: Annotated[bool, typer.Option("--repair", help="Write anew what differs, then compare again")] = False,
    max_pause: Annotated[float, typer.Option(min=0.1, help="Seconds that a replica may be held")] = MAX_PAUSE,
    throttle: Annotated[float, typer.Option(min=0, help="Rows a second at most; 0: as fast as it goes")] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what stops and starts a replica, do nothing")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare replicas with their primary, definitions and rows, as of one position."""
    with reporting("verify", as_json=as_json) as reporter:
        # Here and not above, so that --help does not wait for it.
        from replication.verification import Options
        from replication.verification import verify as verify_all

        servers = find_servers(writer, reader, environment)
        options = Options(frozenset(names or ()), wait, max_pause, throttle, dry_run, repair)
        result = run(verify_all(servers, options, reporter))
    quiet = dry_run and not result.exit_code
    conclude(result, as_object(result), lambda: show(result), as_json=as_json, quiet=quiet)


def show(result: "Verified") -> None:
    """Print what was found on each replica, errors to standard error."""
    for replica in result.replicas:
        server = replica.server
        if replica.error is not None:
            print(f"verify: {server.name}: {replica.error}", file=sys.stderr)
            continue
        verdict = "equal" if replica.equal else "DIFFERENT"
        for mended in replica.repaired:
            print(f"{server.name}: repaired {mended}")
        print(
            f"{server.name} ({server.address}): {verdict}, {replica.tables} tables, {replica.rows:,} rows "
            f"as of GTID {replica.gtid} in {replica.seconds:.1f} s, replication held for {replica.paused:.3f} s"
        )
        for difference in (*replica.definitions, *replica.chunks):
            print(f"  {difference}")


def as_object(result: "Verified") -> dict[str, Any]:
    """The result as `--json` prints it; docs/replication.md describes the keys."""
    return {
        "ok": result.exit_code is ExitCode.OK,
        "exit_code": result.exit_code,
        "primary": {"name": result.primary.name, "address": result.primary.address},
        "replicas": [_replica_object(replica) for replica in result.replicas],
    }


def _replica_object(replica: "Comparison") -> dict[str, Any]:
    error = replica.error
    return {
        "name": replica.server.name,
        "address": replica.server.address,
        "exit_code": replica.exit_code,
        "equal": replica.equal if error is None and replica.gtid else None,
        "error": error.problem if error else "",
        "remedy": error.remedy if error else "",
        "gtid": replica.gtid,
        "tables": replica.tables,
        "rows": replica.rows,
        "seconds": replica.seconds,
        "paused_seconds": replica.paused,
        "definitions": [
            {"kind": each.kind, "name": each.name, "problem": each.problem} for each in replica.definitions
        ],
        "chunks": [each.as_object() for each in replica.chunks],
        "repaired": [each.as_object() for each in replica.repaired],
    }


if __name__ == "__main__":
    app()
