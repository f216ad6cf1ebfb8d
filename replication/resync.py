"""`python -m replication.resync NAME`: copy one replica again."""

import asyncio
import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from replication.actions import Users
from replication.arguments import cancel_on_sigterm, fail, find_servers, host_and_port, make_reporter
from replication.errors import Refused
from replication.look import Looker
from replication.report import Reporter
from replication.setup import REPLICATION_USER, Options, Result, set_up
from replication.startsync import as_object, show
from replication.states import Limits, is_last_healthy, judge, own_lag
from topology.environment import Deployment
from topology.errors import ConfigError, ManyreadsError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def resync(
    name: Annotated[str, typer.Argument(help="The replica")],
    writer: Annotated[str, typer.Option(help="The primary: mysql://user:password@host:port")] = "",
    reader: Annotated[list[str] | None, typer.Option(help="A replica, as a URL; may be repeated")] = None,
    environment: Annotated[Path | None, typer.Option(help="dotCloud's environment.json")] = None,
    chunks: Annotated[bool, typer.Option("--chunks", help="Allow it: write anew only the rows that differ")] = False,
    full: Annotated[bool, typer.Option("--full", help="Allow it: drop its data and copy everything")] = False,
    force: Annotated[str, typer.Option(help="NAME again: what is not in the primary may be lost, too")] = "",
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for servers, and for catching up")] = 600,
    users: Annotated[Users, typer.Option(help="copy: the replica gets the primary's accounts")] = Users.COPY,
    replication_user: Annotated[str, typer.Option(help="The account replicas log in with")] = REPLICATION_USER,
    primary_address: Annotated[str, typer.Option(help="HOST:PORT of the primary as the replicas see it")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the steps and the SQL, change nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object")] = False,
) -> None:
    """Copy one replica again from the beginning. Without --full or --chunks it only shows what that would do."""
    reporter = make_reporter(as_json)
    try:
        servers = find_servers(writer, reader or [], environment)
        check_names(servers, name, force)
        if chunks and full:
            raise ConfigError("--chunks and --full exclude each other", "give one of them")
        options = Options(
            wait=wait,
            users=users,
            force=frozenset({force} if force else ()),
            dry_run=dry_run or not (full or chunks),
            replication_user=replication_user,
            primary_address=host_and_port("--primary-address", primary_address) if primary_address else None,
            recopy=frozenset({name}),
            renew=chunks,
        )
        result = asyncio.run(_resync(servers, name, options, reporter))
        if not (full or chunks) and not dry_run and not result.exit_code:
            raise Refused(f"{name} would be copied again, as shown", "to do it, run again with --full or --chunks")
    except (ManyreadsError, KeyboardInterrupt, asyncio.CancelledError) as error:
        reporter.close()
        raise typer.Exit(fail("resync", error, as_json)) from None
    reporter.close()
    if as_json:
        print(json.dumps(as_object(result)))
    else:
        show("resync", result)
    raise typer.Exit(result.exit_code)


def check_names(servers: Deployment, name: str, force: str) -> None:
    """Raise ConfigError for a name that is no replica, or another one in --force."""
    known = [server.name for server in servers.replicas]
    if name not in known:
        raise ConfigError(f"{name} is no replica here", f"name one of: {', '.join(known)}")
    if force not in ("", name):
        raise ConfigError(f"--force names {force}, not {name}", f"write --force {name}")


async def _resync(servers: Deployment, name: str, options: Options, reporter: Reporter) -> Result:
    cancel_on_sigterm()
    taken = await _look_at_others(servers, name, options)
    chosen = Deployment(servers.primary, tuple(each for each in servers.replicas if each.name == name))
    return await set_up(chosen, replace(options, taken=taken), reporter)


async def _look_at_others(servers: Deployment, name: str, options: Options) -> frozenset[int]:
    """The server_ids of the other replicas. Raises Refused when none of those could serve meanwhile."""
    with closing(Looker(servers, within=5.0, primary_address=options.primary_address)) as looker:
        seen = await looker.look()
    limits = Limits()
    states = {each.server.name: judge(seen, each, own_lag(seen.primary, each), limits).state for each in seen.replicas}
    if is_last_healthy(name, states) and name not in options.force:
        raise Refused(
            f"{name} is the only healthy replica: while it is copied there would be none",
            f"mend the others first, or run again with --force {name}",
        )
    return frozenset(each.server_id for each in seen.replicas if each.server.name != name)


if __name__ == "__main__":
    app()
