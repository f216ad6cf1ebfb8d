"""`python -m replication.watch`: keep the replicas in step until it is told to stop."""

import asyncio
import json
import logging
import re
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from replication.actions import Users
from replication.arguments import (
    Environment,
    PrimaryAddress,
    Readers,
    ReplicationUser,
    ReplicaUsers,
    Writer,
    find_servers,
    host_and_port,
    optional_address,
)
from replication.command import ending, run
from replication.defaults import REPLICATION_USER
from replication.ladder import Policy, Repair
from replication.states import Limits
from topology.addresses import endpoint
from topology.environment import process_environment
from topology.errors import ConfigError

if TYPE_CHECKING:
    from replication.telling import Event
    from replication.watcher import Watcher

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

log = logging.getLogger(__name__)

_HTTP_PORT = 8080
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|)")


@app.command()
def watch(
    writer: Writer = "",
    reader: Readers = None,
    environment: Environment = None,
    repair: Annotated[Repair, typer.Option(help="How far to go by itself")] = Repair.REPOINT,
    full_after: Annotated[str, typer.Option(help="How long a replica is broken before it is copied")] = "10m",
    interval: Annotated[str, typer.Option(help="Pause between two looks")] = "1s",
    http: Annotated[str, typer.Option(help="HOST:PORT, or a port of 127.0.0.1, to serve a page and status on")] = "",
    heartbeat: Annotated[
        bool, typer.Option("--heartbeat", help="Write the time into manyreads.heartbeat on the primary at each look")
    ] = False,
    max_lag: Annotated[float, typer.Option(min=0, help="Seconds behind that are allowed")] = Limits().max_lag,
    users: ReplicaUsers = Users.COPY,
    replication_user: ReplicationUser = REPLICATION_USER,
    primary_address: PrimaryAddress = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done now, with the SQL, and end")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as one line of JSON, too")] = False,
) -> None:
    """Watch the replicas, set blank ones up, and mend broken ones. One line for each event; SIGTERM ends it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    variables = process_environment()
    with ending("watch", as_json=as_json):
        # Here and not above, so that --help does not wait for it.
        from replication.rehearsal import rehearse
        from replication.setup import Options
        from replication.watcher import Watcher, WatchOptions

        servers = find_servers(writer, reader, environment)
        address = optional_address("--primary-address", primary_address)
        options = WatchOptions(
            policy=Policy(repair, seconds("--full-after", full_after)),
            limits=Limits(max_lag),
            interval=seconds("--interval", interval),
            heartbeat=heartbeat,
            set_up=replace(Options(wait=30.0), users=users, replication_user=replication_user, primary_address=address),
        )
        if dry_run:
            raise typer.Exit(run(rehearse(servers, options, _print_json if as_json else _print_line)))
        watcher = Watcher(servers, options)
        if as_json:
            watcher.on_event(_print_json)
        asyncio.run(_until_stopped(watcher, http_address(http, variables), http_token(variables)))


def seconds(flag: str, value: str) -> float:
    """Read a duration like 10m, 30s, 1.5h or 20; it must be more than 0 and at most a day."""
    match = _DURATION.fullmatch(value)
    found = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if not 0 < found <= 86400:
        raise ConfigError(f"{flag} {value!r} is no duration", "write it like 30s, 10m or 1h, at most a day")
    return found


def http_address(flag: str, variables: Mapping[str, str]) -> tuple[str, int] | None:
    """Where to serve HTTP: what the flag says, else dotCloud's $PORT_WWW on all interfaces, else nowhere."""
    if flag.isdecimal():
        return host_and_port("--http", f"127.0.0.1:{flag}")
    if flag:
        return host_and_port("--http", flag, _HTTP_PORT)
    return host_and_port("PORT_WWW", f"0.0.0.0:{variables['PORT_WWW']}") if "PORT_WWW" in variables else None


def http_token(variables: Mapping[str, str]) -> str:
    """The token that allows changes over HTTP: MANYREADS_HTTP_TOKEN, or the content of MANYREADS_HTTP_TOKEN_FILE."""
    file = variables.get("MANYREADS_HTTP_TOKEN_FILE")
    if not file or variables.get("MANYREADS_HTTP_TOKEN"):
        return variables.get("MANYREADS_HTTP_TOKEN", "")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(
            f"cannot read {file}: {error.strerror}", "name the right file in MANYREADS_HTTP_TOKEN_FILE"
        ) from None


def _print_json(event: "Event") -> None:
    from replication.http import views

    print(json.dumps(views.event(event)), flush=True)


def _print_line(event: "Event") -> None:
    print(f"{event.server}: {event.message}", flush=True)


async def _until_stopped(watcher: "Watcher", http: tuple[str, int] | None, token: str) -> None:
    task = asyncio.create_task(_serve_and_watch(watcher, http, token))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task
    log.info("stopped")


async def _serve_and_watch(watcher: "Watcher", http: tuple[str, int] | None, token: str) -> None:
    if http is None:
        await watcher.run()
        return
    # Costs some MiB and a moment, which a watcher without a page does without.
    from replication.http.service import serving

    async with serving(watcher, *http, token) as (host, port):
        log.info("serving http://%s/", endpoint(host, port))
        await watcher.run()


if __name__ == "__main__":
    app()
