"""`python -m replication.watch`: keep the replicas in step until it is told to stop."""

import asyncio
import logging
import re
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from replication.arguments import fail, find_servers, host_and_port
from replication.ladder import Policy, Repair
from replication.plan import Users
from replication.setup import REPLICATION_USER, Options
from replication.states import Limits
from replication.watcher import Watcher, WatchOptions
from topology.errors import ConfigError, ManyreadsError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|)")


@app.command()
def watch(
    writer: Annotated[str, typer.Option(help="The primary: mysql://user:password@host:port")] = "",
    reader: Annotated[list[str] | None, typer.Option(help="A replica, as a URL; may be repeated")] = None,
    environment: Annotated[Path | None, typer.Option(help="dotCloud's environment.json")] = None,
    repair: Annotated[Repair, typer.Option(help="How far to go by itself")] = Repair.REPOINT,
    full_after: Annotated[str, typer.Option(help="How long a replica is broken before it is copied")] = "10m",
    interval: Annotated[str, typer.Option(help="Pause between two looks")] = "1s",
    max_lag: Annotated[float, typer.Option(min=0, help="Seconds behind that are allowed")] = Limits().max_lag,
    users: Annotated[Users, typer.Option(help="copy: the replicas get the primary's accounts")] = Users.COPY,
    replication_user: Annotated[str, typer.Option(help="The account replicas log in with")] = REPLICATION_USER,
    primary_address: Annotated[str, typer.Option(help="HOST:PORT of the primary as the replicas see it")] = "",
) -> None:
    """Watch the replicas, set blank ones up, and mend broken ones. One line for each event; SIGTERM ends it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        servers = find_servers(writer, reader or [], environment)
        address = host_and_port("--primary-address", primary_address) if primary_address else None
        options = WatchOptions(
            policy=Policy(repair, seconds("--full-after", full_after)),
            limits=Limits(max_lag),
            interval=seconds("--interval", interval),
            set_up=replace(Options(wait=30.0), users=users, replication_user=replication_user, primary_address=address),
        )
        asyncio.run(_until_stopped(Watcher(servers, options)))
    except ManyreadsError as error:
        raise typer.Exit(fail("watch", error, as_json=False)) from None


def seconds(flag: str, value: str) -> float:
    """Read a duration like 10m, 30s, 1.5h or 20; it must be more than 0 and at most a day."""
    match = _DURATION.fullmatch(value)
    found = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if not 0 < found <= 86400:
        raise ConfigError(f"{flag} {value!r} is no duration", "write it like 30s, 10m or 1h, at most a day")
    return found


async def _until_stopped(watcher: Watcher) -> None:
    task = asyncio.create_task(watcher.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task
    logging.getLogger(__name__).info("stopped")


if __name__ == "__main__":
    app()
