"""The frame of every command: arguments in, progress shown, the result printed, an exit code out."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn, Protocol, TypeVar

import typer

from replication.errors import ExitCode, exit_code
from replication.report import PlainReporter, Reporter
from topology.errors import ManyreadsError

T = TypeVar("T")


class Outcome(Protocol):
    """How a command ended, as far as its exit code tells."""

    @property
    def exit_code(self) -> ExitCode:
        """OK, or what is the matter."""
        ...


@contextmanager
def ending(command: str, *, as_json: bool = False) -> Iterator[None]:
    """Turn what keeps `command` from its end into a message and an exit code. Raises typer.Exit."""
    try:
        yield
    except (ManyreadsError, KeyboardInterrupt, asyncio.CancelledError) as error:
        raise typer.Exit(_fail(command, error, as_json)) from None


@contextmanager
def reporting(command: str, *, as_json: bool) -> Iterator[Reporter]:
    """`ending`, with progress on the terminal; beside JSON on standard output, on standard error."""
    reporter = _reporter(as_json)
    with ending(command, as_json=as_json):
        try:
            yield reporter
        finally:
            reporter.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end; SIGTERM lets connections and locks go, as Ctrl-C does."""
    # As all that only some commands need, at the last moment: --help shall not wait for it.
    import uvloop

    return uvloop.run(_terminable(work))


async def _terminable(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def conclude(
    result: Outcome, described: Mapping[str, Any], show: Callable[[], None], *, as_json: bool, quiet: bool = False
) -> NoReturn:
    """Print how a command ended, as one JSON object or for people; `quiet` if they have seen it all."""
    if as_json:
        print(json.dumps(described))
    elif not quiet:
        show()
    raise typer.Exit(result.exit_code)


def _reporter(as_json: bool) -> Reporter:
    if as_json:
        return PlainReporter(sys.stderr)
    from rich.console import Console

    if not Console().is_terminal:
        return PlainReporter()
    from replication.terminal import TerminalReporter

    return TerminalReporter()


def _fail(command: str, error: BaseException, as_json: bool) -> ExitCode:
    if isinstance(error, ManyreadsError):
        code, problem, remedy = exit_code(error), error.problem, error.remedy
    else:
        code, problem, remedy = ExitCode.INTERRUPTED, "interrupted", "run the same command again to go on"
    if as_json:
        print(json.dumps({"ok": False, "exit_code": code, "error": problem, "remedy": remedy}))
    else:
        print(f"{command}: {problem}" + (f"\n  remedy: {remedy}" if remedy else ""), file=sys.stderr)
    return code
