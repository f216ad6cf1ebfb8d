"""The frame of every command: what is printed where, and which code it exits with."""

import asyncio
import json
import os
import signal
from dataclasses import dataclass

import pytest
import typer

from replication.command import conclude, ending, reporting, run
from replication.errors import ExitCode, Refused


@dataclass
class Ended:
    exit_code: ExitCode = ExitCode.BROKEN


def test_an_error_becomes_a_message_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught, reporting("resync", as_json=False):
        raise Refused("it is full", "empty it")
    assert caught.value.exit_code == ExitCode.REFUSED
    assert capsys.readouterr() == ("", "resync: it is full\n  remedy: empty it\n")


def test_an_error_becomes_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), reporting("resync", as_json=True):
        raise Refused("it is full", "empty it")
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"ok": False, "exit_code": 4, "error": "it is full", "remedy": "empty it"}


def test_beside_json_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with reporting("resync", as_json=True) as reporter:
        reporter.say("dbread1", "copying")
    out, error = capsys.readouterr()
    assert (out, "dbread1: copying" in error) == ("", True)


@pytest.mark.parametrize("signalled", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_interrupts_the_work_and_lets_it_clean_up(signalled: int) -> None:
    cleaned = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), signalled)
            await asyncio.sleep(60)
        finally:
            cleaned.append("connections")

    with pytest.raises(typer.Exit) as caught, ending("startsync"):
        run(work())
    assert (caught.value.exit_code, cleaned) == (ExitCode.INTERRUPTED, ["connections"])


def test_a_bug_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), ending("status"):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("as_json", "quiet", "printed"), [(False, False, "shown\n"), (False, True, ""), (True, True, '{"ok": false}\n')]
)
def test_a_result_is_shown_once(capsys: pytest.CaptureFixture[str], as_json: bool, quiet: bool, printed: str) -> None:
    with pytest.raises(typer.Exit) as caught:
        conclude(Ended(), {"ok": False}, lambda: print("shown"), as_json=as_json, quiet=quiet)
    assert (caught.value.exit_code, capsys.readouterr().out) == (ExitCode.BROKEN, printed)
