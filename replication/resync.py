"""`python -m replication.resync NAME`: copy one replica again."""

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from replication.actions import Action, Method, Users
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
from replication.errors import Refused
from replication.report import Reporter
from replication.startsync import as_object, show
from replication.states import Limits, is_last_healthy, judge, own_lag
from topology.environment import Deployment
from topology.errors import ConfigError

if TYPE_CHECKING:
    from replication.setup import Options, Result

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def resync(
    name: Annotated[str, typer.Argument(help="The replica")],
    writer: Writer = "",
    reader: Readers = None,
    environment: Environment = None,
    chunks: Annotated[bool, typer.Option("--chunks", help="Allow it: write anew only the rows that differ")] = False,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Allow it: copy everything beside its tables, which serve meanwhile")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="Allow it: drop its data and copy everything")] = False,
    force: Annotated[str, typer.Option(help="NAME again: what is not in the primary may be lost, too")] = "",
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for servers, and for catching up")] = 600,
    parallel: Parallel = PARALLEL,
    users: ReplicaUsers = Users.COPY,
    method: CopyMethod = Method.AUTO,
    replication_user: ReplicationUser = REPLICATION_USER,
    primary_address: PrimaryAddress = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Copy one replica again. Without --full, --shadow or --chunks it only shows what that would do."""
    with reporting("resync", as_json=as_json) as reporter:
        # Here and not above, so that --help does not wait for it.
        from replication.setup import Options

        servers = find_servers(writer, reader, environment)
        check_names(servers, name, force)
        by = chosen(chunks=chunks, shadow=shadow, full=full)
        if method is Method.CLONE and by not in (Action.COPY, None):
            raise ConfigError("a clone replaces all of a replica", "give --full with --method clone")
        options = Options(
            wait=wait,
            users=users,
            parallel=parallel,
            method=method,
            force=frozenset({force} if force else ()),
            dry_run=dry_run or by is None,
            replication_user=replication_user,
            primary_address=optional_address("--primary-address", primary_address),
            recopy=frozenset({name}),
            by=by or Action.COPY,
        )
        result = run(_resync(servers, name, options, reporter))
        if by is None and not dry_run and not result.exit_code:
            raise Refused(
                f"{name} would be copied again, as shown", "to do it, run again with --full, --shadow or --chunks"
            )
    conclude(result, as_object(result), lambda: show("resync", result), as_json=as_json)


def chosen(*, chunks: bool, shadow: bool, full: bool) -> Action | None:
    """The way that a flag names; None if none does. Raises ConfigError for more than one."""
    flags = {Action.RENEW: chunks, Action.SHADOW: shadow, Action.COPY: full}
    named = [way for way, given in flags.items() if given]
    if len(named) > 1:
        raise ConfigError("--chunks, --shadow and --full exclude each other", "give one of them")
    return named[0] if named else None


def check_names(servers: Deployment, name: str, force: str) -> None:
    """Raise ConfigError for a name that is no replica, or another one in --force."""
    known = [server.name for server in servers.replicas]
    if name not in known:
        raise ConfigError(f"{name} is no replica here", f"name one of: {', '.join(known)}")
    if force not in ("", name):
        raise ConfigError(f"--force names {force}, not {name}", f"write --force {name}")


async def _resync(servers: Deployment, name: str, options: "Options", reporter: Reporter) -> "Result":
    from replication.setup import set_up

    taken = await _look_at_others(servers, name, options)
    chosen = Deployment(servers.primary, tuple(each for each in servers.replicas if each.name == name))
    return await set_up(chosen, replace(options, taken=taken), reporter)


async def _look_at_others(servers: Deployment, name: str, options: "Options") -> frozenset[int]:
    """The server_ids of the other replicas. Raises Refused when none of those could serve meanwhile."""
    from replication.look import Looker

    with closing(Looker(servers, within=5.0, primary_address=options.primary_address)) as looker:
        seen = await looker.look()
    limits = Limits()
    states = {each.server.name: judge(seen, each, own_lag(seen.primary, each), limits).state for each in seen.replicas}
    serves = options.by is Action.SHADOW
    if is_last_healthy(name, states) and not serves and name not in options.force:
        raise Refused(
            f"{name} is the only healthy replica: while it is copied there would be none",
            f"mend the others first, copy it with --shadow, or run again with --force {name}",
        )
    return frozenset(each.server_id for each in seen.replicas if each.server.name != name)


if __name__ == "__main__":
    app()
