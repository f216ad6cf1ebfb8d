"""What the commands have in common: which servers are meant, how progress is shown, how errors end."""

import asyncio
import json
import signal
import sys
from pathlib import Path

from rich.console import Console

from replication.errors import ExitCode, exit_code
from replication.report import PlainReporter, Reporter, TerminalReporter
from topology.environment import Deployment, deployment, process_environment, read_environment, refuse_shared_addresses
from topology.errors import ConfigError, ManyreadsError
from topology.servers import DEFAULT_PORT, Role, server_from_url


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


def host_and_port(flag: str, value: str, default_port: int = DEFAULT_PORT) -> tuple[str, int]:
    """Read HOST or HOST:PORT as it was given to `flag`."""
    host, _, port = value.rpartition(":")
    if not host:
        return value, default_port
    if not port.isdecimal() or not 0 <= int(port) < 65536:
        raise ConfigError(f"{flag} {value!r} has no valid port", "write HOST:PORT")
    return host.strip("[]"), int(port)


def make_reporter(as_json: bool) -> Reporter:
    """Progress on the terminal; beside JSON on standard output, on standard error."""
    if as_json:
        return PlainReporter(sys.stderr)
    return TerminalReporter() if Console().is_terminal else PlainReporter()


def cancel_on_sigterm() -> None:
    """Let connections and locks go as with Ctrl-C when whoever started this stops it."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def fail(command: str, error: BaseException, as_json: bool) -> ExitCode:
    """Print why `command` ended, and return its exit code."""
    if isinstance(error, ManyreadsError):
        code, problem, remedy = exit_code(error), error.problem, error.remedy
    else:
        code, problem, remedy = ExitCode.INTERRUPTED, "interrupted", "run the same command again to go on"
    if as_json:
        print(json.dumps({"ok": False, "exit_code": code, "error": problem, "remedy": remedy}))
    else:
        print(f"{command}: {problem}" + (f"\n  remedy: {remedy}" if remedy else ""), file=sys.stderr)
    return code
