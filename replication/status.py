"""`python -m replication.status`: how the replicas are, why, and what helps."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from replication.arguments import AsJson, Environment, PrimaryAddress, Readers, Writer, find_servers, optional_address
from replication.command import ending, run
from replication.described import primary_object, replica_object
from replication.errors import ExitCode
from replication.seen import ReplicaSeen, Seen
from replication.states import Limits, State, Verdict, exit_code, judge, own_lag
from topology.environment import Deployment

if TYPE_CHECKING:
    from replication.look import Looker

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Judged = tuple[tuple[ReplicaSeen, Verdict], ...]
# A moment in which a server has not noticed yet that it is behind, or the primary not yet that it has committed.
_LOOKS = 3
_PAUSE = 0.5


@app.command()
def status(
    writer: Writer = "",
    reader: Readers = None,
    environment: Environment = None,
    primary_address: PrimaryAddress = "",
    max_lag: Annotated[float, typer.Option(min=0, help="Seconds behind that are allowed")] = Limits().max_lag,
    as_json: AsJson = False,
) -> None:
    """Tell each replica's state, why it is in it, and what helps. Changes nothing."""
    with ending("status", as_json=as_json):
        servers = find_servers(writer, reader, environment)
        address = optional_address("--primary-address", primary_address)
        seen, judged = run(_look(servers, address, Limits(max_lag)))
    code = overall(seen, judged)
    if as_json:
        print(json.dumps(as_object(seen, judged)))
    else:
        _print_table(seen, judged)
    raise typer.Exit(code)


async def _look(servers: Deployment, address: tuple[str, int] | None, limits: Limits) -> tuple[Seen, Judged]:
    # Here and not above, so that --help does not wait for it.
    from replication.look import Looker

    with closing(Looker(servers, within=5.0, primary_address=address)) as looker:
        return await look_patiently(looker, limits)


async def look_patiently(looker: "Looker", limits: Limits) -> tuple[Seen, Judged]:
    """What one look sees and is judged as; a state that may pass in a moment is looked at again, three times in all."""
    for _ in range(_LOOKS - 1):
        seen, judged = _judge_all(await looker.look(), limits)
        if not any(_may_pass(verdict) for _, verdict in judged):
            return seen, judged
        await asyncio.sleep(_PAUSE)
    return _judge_all(await looker.look(), limits)


def _judge_all(seen: Seen, limits: Limits) -> tuple[Seen, Judged]:
    judged = ((replica, judge(seen, replica, own_lag(seen.primary, replica), limits)) for replica in seen.replicas)
    return seen, tuple(judged)


def _may_pass(verdict: Verdict) -> bool:
    return verdict.state is State.AHEAD or (verdict.state is State.LAGGING and verdict.lag is None)


def overall(seen: Seen, judged: Judged) -> ExitCode:
    """The exit code of the worst of all servers."""
    code = exit_code(verdict for _, verdict in judged)
    return ExitCode.NOT_READY if seen.primary.error and code in (ExitCode.OK, ExitCode.LAGGING) else code


def as_object(seen: Seen, judged: Judged) -> dict[str, Any]:
    """The result as `--json` prints it; docs/replication.md describes the keys."""
    code = overall(seen, judged)
    return {
        "ok": code is ExitCode.OK,
        "exit_code": code,
        "primary": primary_object(seen.primary),
        "replicas": [replica_object(replica, verdict) for replica, verdict in judged],
    }


def _print_table(seen: Seen, judged: Judged) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    primary = seen.primary
    console.print(f"{primary.server}: {primary.error or f'answers, {primary.version}'}", markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for column in ("replica", "state", "lag", "behind", "why, and what helps"):
        table.add_column(column, overflow="fold")
    for replica, verdict in judged:
        table.add_row(*map(Text, _cells(replica, verdict)))
    console.print(table)


def _cells(replica: ReplicaSeen, verdict: Verdict) -> Sequence[str]:
    why = verdict.reason + (f"\n  remedy: {verdict.remedy}" if verdict.remedy else "")
    lag = "?" if verdict.lag is None else f"{verdict.lag:.1f} s"
    return str(replica.server), verdict.state, lag, "?" if verdict.behind is None else f"{verdict.behind:,}", why


if __name__ == "__main__":
    app()
