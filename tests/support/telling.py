"""Failures are told as they happen: a run that is broken off from outside never comes to its summary."""

import time

import pytest

# The section of a report that says how the common servers were.
REPLICAS = "replicas"
_LONGEST = 4000


class Telling:
    """Writes a line or more for each test that failed, or could not be set up or cleaned up behind."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal
        self._began = time.monotonic()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for each phase of each test, whichever worker ran it."""
        if report.failed:
            self._terminal.ensure_newline()
            self._terminal.write_line(told(report, time.monotonic() - self._began))
            self._terminal.flush()


def told(report: pytest.TestReport, seconds: float) -> str:
    """What is written of a phase that failed so many `seconds` after the run began."""
    minutes, rest = divmod(int(seconds), 60)
    crash = getattr(report.longrepr, "reprcrash", None)
    why = str(report.longrepr if crash is None else f"{crash.path}:{crash.lineno}: {crash.message}")
    line = f"{minutes}:{rest:02} {report.when} of {report.nodeid} failed: {why[:_LONGEST]}"
    return "\n".join((line, *(text for name, text in report.sections if name == REPLICAS)))
